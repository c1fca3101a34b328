#include "workers/detect/live_detect.hpp"

#include "common/age.hpp"
#include "common/ids.hpp"
#include "common/log.hpp"
#include "schema/live.hpp"
#include "workers/detect/detect.hpp"

namespace sl::detect {

void LiveDetectStage::work(bus::Envelope& item, worker::Emit& emit) {
    const auto tensor = item.as<schema::TensorMessage>();
    if (!tensor) {
        log::warn("bad_message", "{}", tensor.error().message);
        return;
    }
    if (!emit.reachable(tensor->home)) return;
    schema::FoundMessage out;
    out.token = tensor->token;
    out.capture = tensor->capture;
    out.pool = tensor->pool;
    if (too_old(tensor->capture, now_ns())) {
        out.dropped = "deadline";
    } else {
        const auto begin = Clock::now();
        auto boxes = boxes_of(*backend_, item.part(0), thresholds_of(*tensor), tensor->mapping, tensor->pool);
        out.detect_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
        if (boxes) {
            out.boxes = std::move(*boxes);
        } else {
            log::warn("detect_failed", "camera={} {}", tensor->capture.camera, boxes.error().text());
            out.dropped = "failed";
        }
    }
    emit.to_home(tensor->home, bus::Envelope::make(out));
}

}  // namespace sl::detect
