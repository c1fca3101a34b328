// Demuxer: the packets of a file's video stream, with times, clean keys and the extradata in force.
#pragma once

#include <memory>
#include <string>

#include "common/media/libav.hpp"

namespace sl::media {

struct Packet {
    PacketPtr av;      // pts: the container's, or dts when it has none and the codec does not reorder
    bool key = false;  // a clean place to cut, with a pts
    // In force at this packet, not the file's: a chunk far from the last SPS must still open.
    std::shared_ptr<const schema::Bytes> extradata;
};

// Used by one thread.
class Demuxer {
public:
    // bad_media: not a media file, or without a video stream (cover pictures do not count).
    static Result<std::unique_ptr<Demuxer>> open(const std::string& path);

    // The next video packet; null `av` at the end (or where the file is broken, see truncated()).
    Packet next();
    // To a keyframe at or before pts, as well as the container can; false: it cannot.
    bool seek(std::int64_t pts);

    AVFormatContext& container() { return *input_; }
    AVStream& video() { return *video_; }
    // Only after next() came to the end: the container says it is longer, or reading ended in an error.
    bool truncated() const;

private:
    Demuxer(std::string path, InputPtr input, AVStream* video);
    void follow_extradata(AVPacket& packet);

    const std::string path_;
    const InputPtr input_;
    AVStream* const video_;
    FilterPtr extractor_;  // Annex B streams: finds parameter sets in the packets
    std::shared_ptr<const schema::Bytes> extradata_;
    std::int64_t packets_ = 0;    // of the video stream
    std::int64_t last_time_ = 0;  // largest end of a packet of any stream, microseconds
    int read_error_ = 0;
};

}  // namespace sl::media
