#include "common/media/segment_reader.hpp"

#include <algorithm>
#include <cstring>

namespace sl::media {

SegmentReader::SegmentReader(const schema::StreamInfo& stream, std::span<const std::string> segments)
    : segments_(segments),
      time_base_(to_av(stream.time_base)),
      shift_(std::max<std::int64_t>(0, -stream.start_pts)) {}

Result<PacketPtr> SegmentReader::next() {
    while (packets_.empty()) {
        if (read_ == segments_.size()) return PacketPtr{};
        if (auto read = read_segment(segments_[read_++]); !read) return read.error();
    }
    auto packet = std::move(packets_.front());
    packets_.pop_front();
    if (packet->pts <= last_pts_)
        return Error{Errc::internal,
                     "cannot join " + segments_[read_ - 1] + ": its frame at tick " +
                         std::to_string(packet->pts) + " does not come after " + std::to_string(last_pts_),
                     "are the segments in order?"};
    last_pts_ = packet->pts;
    return packet;
}

Result<void> SegmentReader::read_segment(const std::string& path) {
    AVFormatContext* raw = nullptr;
    if (const int rc = avformat_open_input(&raw, path.c_str(), av_find_input_format("mp4"), nullptr); rc < 0)
        return av_failure(rc == AVERROR(ENOENT) ? Errc::not_found : Errc::io, "open the segment", path, rc);
    const InputPtr input(raw);
    if (raw->nb_streams != 1)
        return Error{Errc::internal, "cannot join " + path + ": it is no segment of one video stream", ""};
    const AVStream& stream = *raw->streams[0];
    const auto& own = *stream.codecpar;
    if (!parameters_) {
        parameters_ = copy_parameters(own);
    } else if (own.extradata_size != parameters_->extradata_size ||
               std::memcmp(own.extradata, parameters_->extradata, std::size_t(own.extradata_size)) != 0) {
        // The one cheap invariant: parameter sets that differ cannot be one stream.
        return Error{Errc::internal,
                     "cannot join " + path + ": it was encoded with other settings than the segments before",
                     "do all annotate workers run the same version and settings?"};
    }

    for (;;) {
        auto packet = new_packet();
        const int rc = av_read_frame(raw, packet.get());
        if (rc == AVERROR_EOF) break;
        if (rc < 0) return av_failure(Errc::io, "read the segment", path, rc);
        packets_.push_back(std::move(packet));
    }
    // libav's demuxer gives no durations of fragments; the track's end makes the last one's.
    for (std::size_t i = 0; i < packets_.size(); ++i) {
        AVPacket& packet = *packets_[i];
        const std::int64_t end = i + 1 < packets_.size() ? packets_[i + 1]->pts : stream.duration;
        packet.duration = std::max<std::int64_t>(end - packet.pts, 1);
    }
    for (auto& packet : packets_) {
        av_packet_rescale_ts(packet.get(), stream.time_base, time_base_);
        packet->pts -= shift_;
        // dts of the whole file: the n-th packet's is the n-th smallest pts; without B-frames its own. x264's
        // per segment would fall where segments of a variable frame rate join.
        packet->dts = packet->pts;
    }
    return {};
}

}  // namespace sl::media
