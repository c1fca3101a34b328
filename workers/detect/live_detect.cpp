#include "workers/detect/live_detect.hpp"

#include <algorithm>

#include "common/age.hpp"
#include "common/ids.hpp"
#include "common/log.hpp"
#include "schema/live.hpp"
#include "workers/detect/detect.hpp"

namespace sl::detect {
namespace {

constexpr std::size_t most_kept = 64;  // cameras and pools of one worker

}  // namespace

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
        auto boxes = boxes_of(*backend_, item.part(0), thresholds_of(*tensor), tensor->mapping, tensor->pool,
                              before(*tensor));
        if (backend_->compares()) keep(*tensor, item.part(0));
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

std::span<const std::uint8_t> LiveDetectStage::before(const schema::TensorMessage& tensor) const {
    for (const Kept& kept : kept_)
        if (kept.camera == tensor.capture.camera && kept.pool == tensor.pool)
            return kept.mapping == tensor.mapping ? std::span(kept.bytes) : std::span<const std::uint8_t>{};
    return {};
}

void LiveDetectStage::keep(const schema::TensorMessage& tensor, std::span<const std::uint8_t> bytes) {
    auto at = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
        return kept.camera == tensor.capture.camera && kept.pool == tensor.pool;
    });
    if (at == kept_.end()) {
        if (kept_.size() == most_kept) kept_.pop_back();
        at = kept_.insert(kept_.begin(), Kept{tensor.capture.camera, tensor.pool, {}, {}});
    }
    at->mapping = tensor.mapping;
    at->bytes.assign(bytes.begin(), bytes.end());
    kept_.splice(kept_.begin(), kept_, at);
}

}  // namespace sl::detect
