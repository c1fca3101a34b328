// Detect: runs one model over the tensors of a batch, picture by picture (on a CPU a batch of several costs
// more a picture than one), and sends boxes in displayed pixels to the chunk's home.
#pragma once

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

struct Opened {
    std::unique_ptr<Backend> backend;
    std::string engine;  // backend, its version and the CPU class: decides the bytes of the results
};
// The manifest's backend, checked and warmed up; the file is found in search_path. Never another backend
// in its place: which model runs is the operator's choice.
Result<Opened> open_backend(const model::Manifest& manifest, const std::vector<std::string>& search_path);

}  // namespace sl::detect
