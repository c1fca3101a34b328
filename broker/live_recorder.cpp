#include "broker/live_recorder.hpp"

#include <algorithm>

#include "common/image/picture.hpp"
#include "common/media/libav.hpp"

namespace sl::program {
namespace {

constexpr int ticks = 90'000;  // a second
constexpr int key_every = 25;  // frames: a fragment begins with each

class Recorder final : public LiveRecorder {
public:
    explicit Recorder(std::string path) : path_(std::move(path)) {}
    ~Recorder() override {
        if (!encoder_) return;
        (void)encode(nullptr);
        av_write_trailer(output_.get());
        avio_closep(&output_->pb);
    }

    Result<void> add(const AVFrame& picture, std::int64_t capture_ns) override {
        if (!encoder_) {
            if (auto ok = open(picture); !ok) {
                encoder_.reset();
                return ok;
            }
            first_ns_ = capture_ns;
        }
        media::FramePtr frame;
        if (picture.width == encoder_->width && picture.height == encoder_->height) {
            frame = media::share(picture);
        } else {
            auto scaled = image::scaled(picture, encoder_->width, encoder_->height);
            if (!scaled) return scaled.error();
            frame = std::move(*scaled);
        }
        frame->pict_type = AV_PICTURE_TYPE_NONE;
        frame->pts = std::max(av_rescale(capture_ns - first_ns_, ticks, 1'000'000'000), last_pts_ + 1);
        last_pts_ = frame->pts;
        return encode(frame.get());
    }

private:
    Result<void> open(const AVFrame& picture) {
        media::quiet_libav();
        const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
        if (!codec)
            return Error{Errc::unavailable, "cannot record video: libav has no libx264",
                         "install the full libavcodec package"};
        encoder_.reset(avcodec_alloc_context3(codec));
        AVCodecContext& e = *encoder_;
        e.width = picture.width & ~1;
        e.height = picture.height & ~1;
        e.pix_fmt = AV_PIX_FMT_YUV420P;
        e.time_base = {1, ticks};
        e.gop_size = key_every;
        e.max_b_frames = 0;
        e.thread_count = 1;
        e.color_range = AVCOL_RANGE_MPEG;
        e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
        media::Options settings;
        settings.set("preset", std::string("veryfast"));
        settings.set("tune", std::string("zerolatency"));
        int rc = avcodec_open2(&e, codec, &settings.dict);
        if (rc < 0) return media::av_failure(Errc::internal, "open the encoder for", path_, rc);
        AVFormatContext* raw = nullptr;
        rc = avformat_alloc_output_context2(&raw, nullptr, "mp4", path_.c_str());
        output_.reset(raw);
        AVStream* video = rc < 0 ? nullptr : avformat_new_stream(raw, nullptr);
        if (!video) return media::av_failure(Errc::internal, "set up the muxer for", path_, rc);
        video->time_base = e.time_base;
        avcodec_parameters_from_context(video->codecpar, &e);
        rc = avio_open(&raw->pb, path_.c_str(), AVIO_FLAG_WRITE);
        if (rc < 0) return media::av_failure(Errc::io, "create", path_, rc);
        media::Options flags;
        flags.set("movflags", std::string("empty_moov+default_base_moof+frag_keyframe"));
        rc = avformat_write_header(raw, &flags.dict);
        if (rc < 0) return media::av_failure(Errc::io, "begin", path_, rc);
        return {};
    }

    Result<void> encode(const AVFrame* frame) {
        int rc = avcodec_send_frame(encoder_.get(), frame);
        auto packet = media::new_packet();
        while (rc >= 0) {
            rc = avcodec_receive_packet(encoder_.get(), packet.get());
            if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return {};
            if (rc < 0) break;
            packet->stream_index = 0;
            av_packet_rescale_ts(packet.get(), encoder_->time_base, output_->streams[0]->time_base);
            rc = av_interleaved_write_frame(output_.get(), packet.get());
        }
        return media::av_failure(Errc::io, "write a frame to", path_, rc);
    }

    const std::string path_;
    media::CodecContextPtr encoder_;
    media::OutputPtr output_;
    std::int64_t first_ns_ = 0, last_pts_ = -1;
};

}  // namespace

Result<std::unique_ptr<LiveRecorder>> LiveRecorder::create(const std::string& path) {
    return std::unique_ptr<LiveRecorder>(std::make_unique<Recorder>(path));
}

}  // namespace sl::program
