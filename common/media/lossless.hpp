// LosslessWriter: frames → a chunk file whose chunks decode to the very same pictures.
//
// x264 ultrafast at qp 0 (720p: 3.9 ms to encode, 3 to decode, 115 to 177 KB a frame; FFV1 takes 9 to 27 to
// encode, ffvhuff is twice as large) does 8- and 10-bit 4:2:0, 4:2:2 and 4:4:4 with even sides; FFV1 does
// the rest: odd sides, palettes, RGB. One encoder a chunk, so that a change of size needs no scaling.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/media/carry.hpp"
#include "common/media/chunk_file.hpp"
#include "common/media/splitter.hpp"

namespace sl::media {

// Used by one thread.
class LosslessWriter {
public:
    // Writes options.recut_path (under a temporary name until finish).
    static Result<std::unique_ptr<LosslessWriter>> create(schema::Rational time_base,
                                                          const ScanOptions& options);
    // pts must rise. `frame` is borrowed. duration 0: unknown.
    Result<void> add(const AVFrame& frame, std::int64_t pts, std::int64_t duration);
    // The file is complete, durable and in its place.
    Result<RowTable> finish();

private:
    LosslessWriter(schema::Rational time_base, const ScanOptions& options,
                   std::unique_ptr<ChunkFileWriter> file);
    Result<void> open_encoder(const AVFrame& frame);
    Result<void> encode(const AVFrame* frame);
    Result<void> close_chunk(std::int64_t end);

    const schema::Rational time_base_;
    const std::int64_t min_ticks_, max_bytes_;
    const std::unique_ptr<ChunkFileWriter> file_;
    RowTable rows_;
    // Of the chunk being written:
    CodecContextPtr encoder_;
    AVPixelFormat input_format_ = AV_PIX_FMT_NONE;
    ScalerPtr to_encoder_;  // formats that FFV1 does not take as they are
    std::unique_ptr<ChunkPacker> packer_;
    std::vector<std::int64_t> times_, durations_;
    std::size_t written_ = 0;
    std::int64_t bytes_ = 0;
    std::string fingerprint_;
};

}  // namespace sl::media
