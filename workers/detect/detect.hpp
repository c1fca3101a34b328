// Detect: runs one model over the tensors of a batch, picture by picture (on a CPU a batch of several costs
// more a picture than one), and sends boxes in displayed pixels to the chunk's home.
#pragma once

#include <algorithm>
#include <memory>

#include "common/worker/stage.hpp"
#include "workers/detect/backend.hpp"

namespace sl::detect {

class DetectStage final : public worker::Stage {
public:
    explicit DetectStage(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
    void work(bus::Envelope& item, worker::Emit& emit) override;
    std::optional<worker::Claim> claim(const bus::Envelope& item) const override;

private:
    std::unique_ptr<Backend> backend_;
};

// What a message that carries tensors says about them: its thresholds, by the names of the pool's classes.
template <typename Message>
Thresholds thresholds_of(const Message& m) {
    Thresholds t{m.confidence, m.nms, {}, m.max_boxes};
    if (!m.classes.empty())
        for (const auto& name : m.spec.classes)
            t.classes.push_back(std::find(m.classes.begin(), m.classes.end(), name) != m.classes.end());
    return t;
}
// The boxes of one tensor in pixels of the displayed frame, with their pool. `other`: for a backend that
// compares.
Result<std::vector<schema::Box>> boxes_of(Backend& backend, std::span<const std::uint8_t> tensor,
                                          const Thresholds& thresholds, const schema::Mapping& mapping,
                                          std::int32_t pool, std::span<const std::uint8_t> other = {});

struct Opened {
    std::unique_ptr<Backend> backend;
    std::string engine;  // backend, its version and the CPU class: decides the bytes of the results
};
// The manifest's backend, checked and warmed up; the file is found in search_path. Never another backend
// in its place: which model runs is the operator's choice.
Result<Opened> open_backend(const model::Manifest& manifest, const std::vector<std::string>& search_path);

}  // namespace sl::detect
