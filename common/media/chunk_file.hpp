// ChunkFile: packed chunks one after another, with an index at the end. The lossless intermediate of a
// stream that cannot be cut (and the frames of a synthetic one).
//
// Not a media container: those round times to their own time base (Matroska to 1 ms, NUT and MP4 to what
// suits them), need edit lists for a start that is not 0, and cannot change picture size half-way.
// Layout: "SLCHUNK1", chunks, index (u64 offset of each chunk and of the end), u64 count, "SLCHUNK1".
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::media {

class ChunkFileWriter {
public:
    static Result<std::unique_ptr<ChunkFileWriter>> create(const std::string& path);
    ~ChunkFileWriter();  // unfinished: nothing is left behind
    Result<void> add(std::span<const std::uint8_t> chunk);
    // Completes the temporary file, fsyncs it, renames it to `path`.
    Result<void> finish();

private:
    explicit ChunkFileWriter(std::string path) : path_(std::move(path)), tmp_(path_ + ".tmp") {}
    Error failure(const std::string& what) const;

    const std::string path_, tmp_;
    std::ofstream out_;
    std::vector<std::uint64_t> offsets_{8};
    bool finished_ = false;
};

class ChunkFileReader {
public:
    // not_found, io, or bad_media when the file is none (see is_chunk_file) or damaged.
    static Result<std::unique_ptr<ChunkFileReader>> open(const std::string& path);
    Result<schema::Bytes> read(std::int64_t index);

private:
    explicit ChunkFileReader(std::string path) : path_(std::move(path)) {}
    const std::string path_;
    std::ifstream in_;
    std::vector<std::uint64_t> offsets_;
};

bool is_chunk_file(const std::string& path);

}  // namespace sl::media
