// Preprocess: decodes a chunk, makes the tensors of every pool of its job, sends them in batches to any
// detect worker of each pool, and the packets to the chunk's home.
#pragma once

#include "common/worker/stage.hpp"

namespace sl::preprocess {

class PreprocessStage final : public worker::Stage {
public:
    void work(bus::Envelope& item, worker::Emit& emit) override;
    std::optional<worker::Claim> claim(const bus::Envelope& item) const override;
    void narrow(bus::Envelope& item, const std::vector<schema::Piece>& pieces) override;

private:
    Result<void> batches(const schema::ChunkMessage& chunk, std::span<const std::uint8_t> packets,
                         worker::Emit& emit);
};

}  // namespace sl::preprocess
