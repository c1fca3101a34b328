#include <algorithm>
#include <cmath>
#include <deque>

#include "common/files.hpp"
#include "common/media/colour.hpp"

namespace sl::media {
namespace {

constexpr double key_every_s = 2;

class X264Segment final : public SegmentEncoder {
public:
    X264Segment(std::string path, const schema::StreamInfo& stream)
        : path_(std::move(path)),
          time_base_(to_av(stream.time_base)),
          usual_(
              stream.frame_rate.num > 0
                  ? std::max<std::int64_t>(1, av_rescale_q(1, av_inv_q(to_av(stream.frame_rate)), time_base_))
                  : 1),
          shift_(std::max<std::int64_t>(0, -stream.start_pts)) {}

    Result<void> open(const schema::StreamInfo& stream, const Colour& colour, std::int64_t seq,
                      const EncodeOptions& options) {
        if (auto opened = open_encoder(stream, colour, options); !opened) return opened;
        return open_muxer(stream, seq);
    }

    Result<void> add(const AVFrame& upright, std::int64_t pts, std::int64_t duration) override {
        if (upright.format != encoder_->pix_fmt || upright.width != encoder_->width ||
            upright.height != encoder_->height)
            return Error{Errc::invalid_argument,
                         "cannot encode a frame of " + std::to_string(upright.width) + "x" +
                             std::to_string(upright.height) + " into " + path_ + ": its stream is " +
                             std::to_string(encoder_->width) + "x" + std::to_string(encoder_->height) +
                             " I420",
                         ""};
        auto picture = share(upright);
        picture->pict_type = AV_PICTURE_TYPE_NONE;  // a decoded frame's I or P would force the encoder's
        picture->pts = pts;
        durations_.push_back(duration > 0 ? duration : usual_);
        return encode(picture.get());
    }

    Result<void> finish() override {
        if (auto drained = encode(nullptr); !drained) return drained;
        int rc = av_write_frame(output_.get(), nullptr);  // the fragment: moof and mdat
        if (rc >= 0) rc = av_write_trailer(output_.get());
        if (rc >= 0) rc = avio_closep(&output_->pb);
        if (rc < 0) return av_failure(Errc::io, "complete the segment", path_, rc);
        return files::sync(path_);
    }

private:
    Result<void> open_encoder(const schema::StreamInfo& stream, const Colour& colour,
                              const EncodeOptions& options) {
        const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
        if (!codec)
            return Error{Errc::internal, "cannot encode video: libav has no libx264",
                         "install the full libavcodec package"};
        encoder_.reset(avcodec_alloc_context3(codec));
        AVCodecContext& e = *encoder_;
        e.width = (stream.width + 1) & ~1;
        e.height = (stream.height + 1) & ~1;
        e.pix_fmt = AV_PIX_FMT_YUV420P;
        e.time_base = time_base_;
        const double fps =
            stream.frame_rate.num > 0 ? double(stream.frame_rate.num) / stream.frame_rate.den : 25;
        if (stream.frame_rate.num > 0) e.framerate = to_av(stream.frame_rate);
        e.gop_size = std::clamp(int(std::lround(fps * key_every_s)), 1, 600);
        // Live-playable segments: dts = pts, so nothing arises where segments join. veryfast without
        // B-frames costs 0 to 2 % more bytes and 20 % less CPU.
        e.max_b_frames = 0;
        e.thread_count = 1;  // two threads give other bytes than one
        e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
        e.color_range = colour.range;
        e.color_primaries = colour.primaries;
        e.color_trc = colour.transfer;
        e.colorspace = colour.matrix;
        e.chroma_sample_location = colour.chroma;
        e.sample_aspect_ratio = to_av(stream.sar);
        Options dict;
        dict.set("preset", options.preset);
        dict.set("crf", options.crf);
        dict.set("a53cc", 0);
        // stitchable: headers that do not depend on the chunk; cpu-independent: the same bytes everywhere.
        dict.set("x264-params", "stitchable=1:cpu-independent=1:lookahead-threads=1:open-gop=0");
        if (const int rc = avcodec_open2(&e, codec, &dict.dict); rc < 0)
            return av_failure(Errc::invalid_argument,
                              "open the x264 encoder (preset " + options.preset + ") for", path_, rc,
                              "is the preset's name one of x264's?");
        return {};
    }

    Result<void> open_muxer(const schema::StreamInfo& stream, std::int64_t seq) {
        AVFormatContext* raw = nullptr;
        int rc = avformat_alloc_output_context2(&raw, nullptr, "mp4", path_.c_str());
        output_.reset(raw);
        if (rc < 0) return av_failure(Errc::internal, "set up the muxer for", path_, rc);
        raw->flags |= AVFMT_FLAG_BITEXACT;
        raw->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
        AVStream* video = avformat_new_stream(raw, nullptr);
        if (!video) throw std::bad_alloc();
        video->time_base = time_base_;
        video->avg_frame_rate = encoder_->framerate;
        video->sample_aspect_ratio = encoder_->sample_aspect_ratio;
        avcodec_parameters_from_context(video->codecpar, encoder_.get());
        Options dict;
        dict.set("movflags", "empty_moov+default_base_moof+frag_custom+frag_discont");
        dict.set("use_editlist", 0);
        dict.set("fragment_index", seq + 1);
        dict.set("video_track_timescale", stream.time_base.den);
        rc = avio_open(&raw->pb, path_.c_str(), AVIO_FLAG_WRITE);
        if (rc < 0) return av_failure(Errc::io, "create the segment", path_, rc);
        rc = avformat_write_header(raw, &dict.dict);
        if (rc < 0) return av_failure(Errc::io, "begin the segment", path_, rc);
        return {};
    }

    Result<void> encode(const AVFrame* frame) {
        int rc = avcodec_send_frame(encoder_.get(), frame);
        auto packet = new_packet();
        while (rc >= 0) {
            rc = avcodec_receive_packet(encoder_.get(), packet.get());
            if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return {};
            if (rc < 0) break;
            packet->duration = durations_.front();  // x264 keeps none; without B-frames packets come in order
            durations_.pop_front();
            packet->pts += shift_;  // a fragment's start time cannot be negative
            packet->dts = packet->pts;
            packet->stream_index = 0;
            av_packet_rescale_ts(packet.get(), time_base_, output_->streams[0]->time_base);
            rc = av_write_frame(output_.get(), packet.get());
            if (rc < 0) return av_failure(Errc::io, "write the segment", path_, rc);
        }
        return av_failure(Errc::internal, "encode a frame into", path_, rc);
    }

    const std::string path_;
    const AVRational time_base_;
    const std::int64_t usual_;  // duration of a frame that has none
    const std::int64_t shift_;
    CodecContextPtr encoder_;
    OutputPtr output_;
    std::deque<std::int64_t> durations_;
};

}  // namespace

Result<std::unique_ptr<SegmentEncoder>> SegmentEncoder::open(const schema::StreamInfo& stream,
                                                             std::int64_t seq, const EncodeOptions& options,
                                                             const std::string& path) {
    quiet_libav();
    if (stream.width <= 0 || stream.height <= 0 || !positive(to_av(stream.time_base)))
        return Error{Errc::invalid_argument,
                     "cannot encode " + path + ": the stream has no picture size or time base", ""};
    const auto colour = stream_colour(stream);
    if (!colour) return colour.error();
    auto segment = std::make_unique<X264Segment>(path, stream);
    if (auto opened = segment->open(stream, *colour, seq, options); !opened) return opened.error();
    return std::unique_ptr<SegmentEncoder>(std::move(segment));
}

}  // namespace sl::media
