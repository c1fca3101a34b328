#include "common/media/carry.hpp"
#include "common/media/chunk_file.hpp"
#include "common/media/demuxer.hpp"
#include "common/media/splitter.hpp"

namespace sl::media {
namespace {

Error changed(const std::string& path, const schema::Row& row) {
    return Error{Errc::bad_media,
                 "cannot cut chunk " + std::to_string(row.seq) + " out of " + path +
                     ": it is not what the scan saw there",
                 "was the file changed while the job ran? submit it again"};
}

schema::Bytes pack(const Chunk& chunk, const AVCodecParameters& codec) {
    const auto own = copy_parameters(codec);
    av_freep(&own->extradata);
    own->extradata_size = int(chunk.extradata->size());
    own->extradata =
        static_cast<std::uint8_t*>(av_mallocz(chunk.extradata->size() + AV_INPUT_BUFFER_PADDING_SIZE));
    if (!own->extradata) throw std::bad_alloc();
    std::copy(chunk.extradata->begin(), chunk.extradata->end(), own->extradata);
    ChunkPacker packer(*own);
    for (const auto& packet : chunk.packets) packer.add(*packet.av, packet.emit);
    return packer.take();
}

// Cuts by the rows' ends, not by the scan's options, so that both always agree.
class FileCutter final : public Cutter {
public:
    FileCutter(std::string path, std::unique_ptr<Demuxer> demuxer)
        : path_(std::move(path)), demuxer_(std::move(demuxer)) {}

    Result<schema::Bytes> cut(const schema::Row& row) override {
        const bool read_on = splitter_.current() && splitter_.current()->fingerprint == row.fingerprint;
        if (read_on || (row.seq > 0 && demuxer_->seek(row.pts) && find(row, true)))
            if (auto chunk = collect(row)) return pack(*chunk, *demuxer_->video().codecpar);
        // Containers seek as well as they can (TS not at all well): what is never wrong is the start.
        auto again = Demuxer::open(path_);
        if (!again) return again.error();
        demuxer_ = std::move(*again);
        if (find(row, false))
            if (auto chunk = collect(row)) return pack(*chunk, *demuxer_->video().codecpar);
        splitter_ = Splitter::keeping();
        return changed(path_, row);
    }

private:
    // Reads up to the packet that opens the row. After a seek only as far as it can lie.
    bool find(const schema::Row& row, bool after_seek) {
        splitter_ = Splitter::keeping();
        bool first_packet = !after_seek;
        for (;;) {
            Packet packet = demuxer_->next();
            if (!packet.av) return false;
            const std::int64_t pts = packet.av->pts;
            if (pts == AV_NOPTS_VALUE) return false;
            if (after_seek && pts > row.end_pts) return false;
            if ((first_packet || packet.key) &&
                fingerprint(pts, {packet.av->data, std::size_t(packet.av->size)}) == row.fingerprint) {
                splitter_.open(std::move(packet), first_packet);
                return true;
            }
            first_packet = false;
        }
    }

    std::optional<Chunk> collect(const schema::Row& row) {
        splitter_.cut_at(row.end_pts);
        std::optional<Chunk> chunk;
        while (!chunk) {
            Packet packet = demuxer_->next();
            if (!packet.av) {
                chunk = splitter_.finish();
                break;
            }
            if (packet.av->pts == AV_NOPTS_VALUE) return {};
            chunk = splitter_.push(std::move(packet));
        }
        const bool same = chunk && chunk->fingerprint == row.fingerprint && chunk->end == row.end_pts &&
                          chunk->bytes == row.bytes && chunk->emitted().size() == std::size_t(row.frames);
        if (!same) return {};
        return chunk;
    }

    const std::string path_;
    std::unique_ptr<Demuxer> demuxer_;
    Splitter splitter_ = Splitter::keeping();
};

class ChunkFileCutter final : public Cutter {
public:
    ChunkFileCutter(std::string path, std::unique_ptr<ChunkFileReader> reader)
        : path_(std::move(path)), reader_(std::move(reader)) {}

    Result<schema::Bytes> cut(const schema::Row& row) override {
        auto bytes = reader_->read(row.seq);
        if (!bytes) return bytes;
        const auto chunk = unpack_chunk(*bytes);
        if (!chunk) return chunk.error();
        if (chunk->packets.empty() || fingerprint(row.pts, chunk->packets[0].data) != row.fingerprint)
            return changed(path_, row);
        return bytes;
    }

private:
    const std::string path_;
    const std::unique_ptr<ChunkFileReader> reader_;
};

}  // namespace

Result<std::unique_ptr<Cutter>> Cutter::open(const std::string& path, const schema::StreamInfo&) {
    if (is_chunk_file(path)) {
        auto reader = ChunkFileReader::open(path);
        if (!reader) return reader.error();
        return std::unique_ptr<Cutter>(new ChunkFileCutter(path, std::move(*reader)));
    }
    auto demuxer = Demuxer::open(path);
    if (!demuxer) return demuxer.error();
    return std::unique_ptr<Cutter>(new FileCutter(path, std::move(*demuxer)));
}

}  // namespace sl::media
