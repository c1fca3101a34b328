// Live detect: runs one model over the tensor of one frame of a camera, and sends the boxes, in pixels of
// that frame, to the camera's home (PROTOCOL.md section 9).
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/worker/stage.hpp"
#include "schema/live.hpp"
#include "workers/detect/backend.hpp"

namespace sl::detect {

class LiveDetectStage final : public worker::Stage {
public:
    explicit LiveDetectStage(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
    void work(bus::Envelope& item, worker::Emit& emit) override;

private:
    // The tensor before, of a camera and pool; nothing when none was kept.
    std::span<const std::uint8_t> before(const schema::TensorMessage& tensor) const;
    void keep(const schema::TensorMessage& tensor, std::span<const std::uint8_t> bytes);

    std::unique_ptr<Backend> backend_;
    // For a backend that compares: the last tensors, the latest first.
    struct Kept {
        std::string camera;
        std::int32_t pool = 0;
        schema::Mapping mapping;
        std::vector<std::uint8_t> bytes;
    };
    std::list<Kept> kept_;
};

}  // namespace sl::detect
