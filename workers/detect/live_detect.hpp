// Live detect: runs one model over the tensor of one frame of a camera, and sends the boxes, in pixels of
// that frame, to the camera's home (PROTOCOL.md section 9).
#pragma once

#include <memory>

#include "common/worker/stage.hpp"
#include "workers/detect/backend.hpp"

namespace sl::detect {

class LiveDetectStage final : public worker::Stage {
public:
    explicit LiveDetectStage(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
    void work(bus::Envelope& item, worker::Emit& emit) override;

private:
    std::unique_ptr<Backend> backend_;
};

}  // namespace sl::detect
