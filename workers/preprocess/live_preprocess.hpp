// Live preprocess: makes the tensors of one frame of a camera for every pool of it, sends each to any worker
// of its pool, and the picture to the camera's home when that wants it (PROTOCOL.md section 9).
#pragma once

#include <list>
#include <string>

#include "common/worker/stage.hpp"
#include "schema/live.hpp"
#include "workers/preprocess/letterbox.hpp"

namespace sl::preprocess {

class LivePreprocessStage final : public worker::Stage {
public:
    void work(bus::Envelope& item, worker::Emit& emit) override;

private:
    // Scalers of the sizes and pools seen last, the last used first: opening one costs more than its use.
    struct Ready {
        schema::Bytes key;
        Letterbox letterbox;
    };
    Result<Letterbox*> letterbox(const schema::FrameMessage& frame, const schema::PoolSpec& pool);

    std::list<Ready> ready_;
};

}  // namespace sl::preprocess
