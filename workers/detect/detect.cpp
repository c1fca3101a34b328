#include "workers/detect/detect.hpp"

#include "common/cpu.hpp"
#include "common/log.hpp"

namespace sl::detect {

std::optional<worker::Claim> DetectStage::claim(const bus::Envelope& item) const {
    const auto batch = item.as<schema::BatchMessage>();
    if (!batch) return std::nullopt;  // work() says what is wrong with it
    return worker::Claim{batch->token, batch->home, {{batch->pool, batch->batch}}};
}

void DetectStage::work(bus::Envelope& item, worker::Emit& emit) {
    const auto batch = item.as<schema::BatchMessage>();
    if (!batch) {
        log::warn("bad_message", "{}", batch.error().message);
        return;
    }
    if (!emit.reachable(batch->home)) return;
    schema::DetectionsMessage out;
    out.token = batch->token;
    out.pool = batch->pool;
    out.batch = batch->batch;
    out.detections.dropped = batch->dropped;

    const Thresholds thresholds = thresholds_of(*batch);
    const auto tensors = item.part(0);
    const std::size_t n = std::size_t(batch->spec.width) * std::size_t(batch->spec.height) * 3;
    const auto send = [&] { emit.to_home(batch->home, bus::Envelope::make(out)); };
    const bool sane = batch->spec.width > 0 && batch->spec.height > 0 && batch->spec.width <= 16384 &&
                      batch->spec.height <= 16384;
    if (!sane || tensors.size() != n * batch->frames.size()) {
        out.error_code = code_name(Errc::bad_message);
        out.error = "a batch of " + std::to_string(batch->frames.size()) + " frames with " +
                    std::to_string(tensors.size()) + " bytes";
        return send();
    }
    for (std::size_t i = 0; i < batch->frames.size(); ++i) {
        if (emit.stopped(batch->token)) return;
        const auto& frame = batch->frames[i];
        std::span<const std::uint8_t> other;
        if (const std::size_t at = i > 0 ? i - 1 : 1; at < batch->frames.size())
            other = tensors.subspan(at * n, n);
        auto boxes =
            boxes_of(*backend_, tensors.subspan(i * n, n), thresholds, frame.mapping, batch->pool, other);
        if (!boxes) {
            out.error_code = code_name(boxes.error().code);
            out.error = boxes.error().text();
            return send();
        }
        out.detections.frames.push_back({frame.frame, frame.pts, std::move(*boxes)});
    }
    send();
}

Result<std::vector<schema::Box>> boxes_of(Backend& backend, std::span<const std::uint8_t> tensor,
                                          const Thresholds& thresholds, const schema::Mapping& mapping,
                                          std::int32_t pool, std::span<const std::uint8_t> other) {
    auto boxes = backend.compares() ? backend.detect_change(tensor, other, thresholds)
                                    : backend.detect(tensor, thresholds);
    if (!boxes) return boxes.error();
    std::vector<schema::Box> mapped;
    for (const auto& box : *boxes)
        if (auto m = schema::to_canvas(mapping, box)) {
            m->pool = pool;
            mapped.push_back(*m);
        }
    return mapped;
}

Result<Opened> open_backend(const model::Manifest& manifest, const std::vector<std::string>& search_path) {
    const BackendPlugin* row = nullptr;
    std::string all;
    for (const auto* b : backend_table()) {
        all += (all.empty() ? "" : ", ") + std::string(b->name);
        if (manifest.backend == b->name) row = b;
    }
    if (!row)
        return Error{Errc::not_found,
                     "model " + manifest.name + " needs the backend '" + manifest.backend +
                         "', this build has: " + all,
                     "run scripts/setup, which fetches ONNX Runtime, and build again"};
    if (std::string why; !row->usable(why))
        return Error{Errc::unavailable, "the backend '" + manifest.backend + "' cannot run here: " + why, ""};
    std::string file;
    if (!manifest.file.empty()) {
        auto found = model::find_model_file(manifest, search_path);
        if (!found) return found.error();
        file = *found;
    }
    auto backend = row->open(manifest, file);
    if (!backend) return backend.error();
    return Opened{std::move(*backend), std::string(row->name) + " " + row->engine() + " " + cpu_class()};
}

}  // namespace sl::detect
