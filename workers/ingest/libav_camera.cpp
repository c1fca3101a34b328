#include "workers/ingest/libav_camera.hpp"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "common/media/libav.hpp"
#include "common/media/orientation.hpp"

namespace sl::ingest {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
// A sender whose clock is further off than this when its first frame arrives has a wrong clock.
constexpr std::int64_t clock_trust_ns = 2 * second_ns;
// A paced stream that is later than this, or whose timestamps jump by more, begins anew.
constexpr std::int64_t late_ns = second_ns / 2;

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// libav says why something failed only in its log. While one of these lives, what libav logs as an error on
// this thread is kept here; other threads' goes where it went before.
class Listener {
public:
    Listener() {
        static const bool once = (av_log_set_callback(&hear), true);
        static_cast<void>(once);
        before_ = std::exchange(current(), this);
    }
    ~Listener() { current() = before_; }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    bool tls() const { return tls_; }
    const std::string& last() const { return last_; }

private:
    static Listener*& current() {
        thread_local Listener* listener = nullptr;
        return listener;
    }
    static void hear(void* object, int level, const char* format, va_list args) {
        Listener* listener = current();
        if (!listener) return av_log_default_callback(object, level, format, args);
        if (level > AV_LOG_ERROR) return;
        char line[512] = {};
        std::vsnprintf(line, sizeof line, format, args);
        const AVClass* kind = object ? *static_cast<AVClass**>(object) : nullptr;
        const char* name = kind && kind->item_name ? kind->item_name(object) : "";
        listener->tls_ |= std::strcmp(name, "tls") == 0;
        std::string text = line;
        while (!text.empty() && (text.back() == '\n' || text.back() == '.' || text.back() == ' '))
            text.pop_back();
        if (!text.empty()) listener->last_ = text;
    }

    Listener* before_ = nullptr;
    bool tls_ = false;
    std::string last_;
};

// Kinds by libav's error codes; `opening`: the peer has not yet sent any of the stream.
std::string kind_of(int error, bool opening, const Listener& heard) {
    switch (error) {
        case AVERROR_HTTP_UNAUTHORIZED:
        case AVERROR_HTTP_FORBIDDEN:
            return "auth_failed";
        case AVERROR_HTTP_NOT_FOUND:
        case AVERROR(ENOENT):
        case AVERROR(ENODEV):
            return "not_found";
        case AVERROR(ETIMEDOUT):
        case AVERROR_EXIT:
            return "timeout";
        case AVERROR(ECONNREFUSED):
        case AVERROR(EHOSTUNREACH):
        case AVERROR(ENETUNREACH):
        case AVERROR_HTTP_BAD_REQUEST:
        case AVERROR_HTTP_OTHER_4XX:
        case AVERROR_HTTP_SERVER_ERROR:
            return "refused";
        case AVERROR_DECODER_NOT_FOUND:
        case AVERROR_STREAM_NOT_FOUND:
        case AVERROR_PATCHWELCOME:
            return "codec_unsupported";
        default:
            break;
    }
    if (opening && heard.tls()) return "tls";
    if (opening && heard.last().find("resolve hostname") != std::string::npos) return "not_found";
    if (!opening && (error == AVERROR_EOF || error == AVERROR(ECONNRESET) || error == AVERROR(EPIPE)))
        return "ended";
    return "io";
}

Errc code_of(const std::string& kind) {
    if (kind == "timeout") return Errc::timeout;
    if (kind == "not_found") return Errc::not_found;
    if (kind == "codec_unsupported") return Errc::bad_media;
    if (kind == "io") return Errc::io;
    return kind == "auth_failed" ? Errc::invalid_argument : Errc::unavailable;
}

std::string hint_of(const std::string& kind) {
    if (kind == "auth_failed") return "check the camera's secret: its name, user and password";
    if (kind == "not_found") return "check host name and path of the URL";
    if (kind == "tls") return "check that the port speaks TLS, or use the URL without it";
    if (kind == "refused") return "check that the camera is up, and the URL's port";
    if (kind == "codec_unsupported") return "set the camera to H.264, H.265 or MJPEG";
    return "";
}

class LibavConnection final : public Connection {
public:
    LibavConnection(CameraAddress address, const LibavInput& input)
        : address_(std::move(address)), settings_(input) {}

    // Once, first. Not in the constructor: libav keeps a pointer to this.
    std::optional<CameraError> open() {
        media::quiet_libav();
        const Listener heard;
        const AVInputFormat* format = nullptr;
        if (!settings_.format.empty() && !(format = av_find_input_format(settings_.format.c_str())))
            return failure(AVERROR_DEMUXER_NOT_FOUND, "open", true, heard);
        media::Options options;
        for (const auto& [key, value] : settings_.options) options.set(key.c_str(), value);
        AVFormatContext* raw = avformat_alloc_context();
        if (!raw) throw std::bad_alloc();
        raw->interrupt_callback = {&interrupted, this};
        if (settings_.device) raw->flags |= AVFMT_FLAG_NONBLOCK;
        if (const int rc = avformat_open_input(&raw, settings_.url.c_str(), format, &options.dict); rc < 0)
            return failure(rc, "connect to", true, heard);
        input_.reset(raw);
        if (!settings_.described)
            if (const int rc = avformat_find_stream_info(raw, nullptr); rc < 0)
                return failure(rc, "find the streams of", true, heard);
        return open_video(heard);
    }

    Attempt<Shot> next(const Wanted& wanted) override {
        const Listener heard;
        for (;;) {
            if (receive()) return let_go(frame_.get(), frame_->reordered_opaque);
            if (drained_)
                if (const int rc = rewind(); rc < 0) return failure(rc, "read", false, heard);
            if (address_.given_up()) return failure(AVERROR_EXIT, "read", false, heard);
            const int rc = av_read_frame(input_.get(), packet_.get());
            if (rc == AVERROR(EAGAIN)) {
                if (settings_.device) std::this_thread::sleep_for(std::chrono::milliseconds(5));
                continue;
            }
            if (rc == AVERROR_EOF && settings_.loop) {
                avcodec_send_packet(decoder_.get(), nullptr);
                continue;
            }
            if (rc < 0) return failure(rc, "read", false, heard);
            const Unref unref{packet_.get()};
            if (packet_->stream_index != video_->index) continue;

            const std::int64_t capture_ns = captured(*packet_);
            const bool want = wanted(capture_ns);
            if (packet_->flags & AV_PKT_FLAG_CORRUPT) ++corrupt_;
            if (!want && intra_only_) return let_go(nullptr, capture_ns);
            decoder_->skip_frame = want ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
            decoder_->reordered_opaque = capture_ns;
            if (avcodec_send_packet(decoder_.get(), packet_.get()) < 0) {
                ++corrupt_;
                return let_go(nullptr, capture_ns);
            }
            // Its frame, or with reordering an earlier one; none: skipped, or held back for later ones.
            if (receive()) return let_go(frame_.get(), frame_->reordered_opaque);
            return let_go(nullptr, capture_ns);
        }
    }

    std::string codec() const override { return avcodec_get_name(video_->codecpar->codec_id); }
    std::int64_t corrupt() const override { return corrupt_; }

private:
    struct Unref {
        AVPacket* packet;
        ~Unref() { av_packet_unref(packet); }
    };

    // The next frame that the decoder has, into frame_.
    bool receive() {
        const int rc = avcodec_receive_frame(decoder_.get(), frame_.get());
        drained_ = rc == AVERROR_EOF;
        const bool damaged = rc == 0 ? frame_->decode_error_flags || (frame_->flags & AV_FRAME_FLAG_CORRUPT)
                                     : rc != AVERROR(EAGAIN) && rc != AVERROR_EOF;
        if (damaged) ++corrupt_;
        return rc == 0;
    }

    static int interrupted(void* self) { return static_cast<LibavConnection*>(self)->address_.given_up(); }

    CameraError failure(int error, const std::string& what, bool opening, const Listener& heard) const {
        if (address_.given_up()) error = AVERROR_EXIT;
        const std::string kind = kind_of(error, opening, heard);
        std::string why = error == AVERROR_EXIT  ? opening ? "no answer in time" : "no frame in time"
                          : error == AVERROR_EOF ? "the stream ended"
                                                 : media::av_text(error);
        // The last thing libav complained about: the cause, when there is one.
        if (heard.last().find(why) != std::string::npos)
            why = heard.last();
        else if (!heard.last().empty())
            why += ": " + heard.last();
        return {kind, Error{code_of(kind),
                            redacted("cannot " + what + " " + address_.url + ": " + why, address_.secret),
                            hint_of(kind)}};
    }

    std::optional<CameraError> open_video(const Listener& heard) {
        const AVCodec* codec = nullptr;
        const int best = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
        const auto unsupported = [&](const std::string& why) {
            std::string streams;
            for (unsigned i = 0; i < input_->nb_streams; ++i) {
                const AVCodecParameters& c = *input_->streams[i]->codecpar;
                const char* type = av_get_media_type_string(c.codec_type);
                streams += (i ? ", " : "") + std::string(type ? type : "unknown") + " " +
                           avcodec_get_name(c.codec_id);
            }
            return CameraError{"codec_unsupported",
                               Error{Errc::bad_media,
                                     redacted("cannot use " + address_.url + ": " + why + " (it sends " +
                                                  (streams.empty() ? "nothing" : streams) + ")",
                                              address_.secret),
                                     hint_of("codec_unsupported")}};
        };
        if (best < 0 || (input_->streams[best]->disposition & AV_DISPOSITION_ATTACHED_PIC))
            return unsupported("there is no video that this libav decodes");
        if (std::string_view(input_->iformat->name) == "tty")  // libav makes a film of any text
            return unsupported("it is text, not video");
        video_ = input_->streams[best];
        for (unsigned i = 0; i < input_->nb_streams; ++i)
            input_->streams[i]->discard = int(i) == best ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
        const AVCodecDescriptor* described = avcodec_descriptor_get(codec->id);
        intra_only_ = described && (described->props & AV_CODEC_PROP_INTRA_ONLY);
        if (const std::uint8_t* matrix = av_stream_get_side_data(video_, AV_PKT_DATA_DISPLAYMATRIX, nullptr))
            turn_ = media::orientation(reinterpret_cast<const std::int32_t*>(matrix));

        decoder_.reset(avcodec_alloc_context3(codec));
        if (!decoder_) throw std::bad_alloc();
        if (avcodec_parameters_to_context(decoder_.get(), video_->codecpar) < 0)
            return unsupported("its parameters are no use");
        decoder_->pkt_timebase = video_->time_base;
        decoder_->thread_count = 1;  // many cameras share the cores
        media::Options options;
        if (std::strcmp(codec->name, "libdav1d") == 0) {
            options.set("framethreads", 1);
            options.set("tilethreads", 1);
        }
        if (const int rc = avcodec_open2(decoder_.get(), codec, &options.dict); rc < 0) {
            auto error = failure(rc, "open the decoder for", true, heard);
            error.kind = "codec_unsupported";
            return error;
        }
        return std::nullopt;
    }

    // --- time ---------------------------------------------------------------------------------------------

    std::int64_t captured(const AVPacket& packet) {
        const std::int64_t arrival = now_ns();
        if (settings_.clock == CaptureClock::sender) return by_sender(packet, arrival);
        if (settings_.clock == CaptureClock::stream) return by_stream(packet, arrival);
        return arrival;
    }

    std::int64_t by_sender(const AVPacket& packet, std::int64_t arrival) {
        std::size_t size = 0;
        const auto* data = av_packet_get_side_data(&packet, AV_PKT_DATA_PRFT, &size);
        if (!data || size < sizeof(AVProducerReferenceTime)) return arrival;
        AVProducerReferenceTime reference;
        std::memcpy(&reference, data, sizeof reference);
        const std::int64_t sent = reference.wallclock * 1000;
        if (!trusted_) trusted_ = sent > arrival - clock_trust_ns && sent < arrival + clock_trust_ns;
        return *trusted_ ? sent : arrival;
    }

    std::int64_t by_stream(const AVPacket& packet, std::int64_t arrival) {
        std::int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
        if (pts == AV_NOPTS_VALUE) pts = end_pts_ == AV_NOPTS_VALUE ? 0 : end_pts_;
        const auto ns = [&](std::int64_t ticks) {
            return std::int64_t(double(av_rescale_q(ticks, video_->time_base, {1, int(second_ns)})) /
                                settings_.pace);
        };
        std::int64_t duration = packet.duration;
        if (duration <= 0 && media::positive(video_->avg_frame_rate))
            duration = av_rescale_q(1, av_inv_q(video_->avg_frame_rate), video_->time_base);
        if (first_pts_ == AV_NOPTS_VALUE) first_pts_ = pts;
        if (rewound_) {  // the first packet of another round follows the last of the one before
            anchor_ns_ += ns(end_pts_ - anchor_pts_) - ns(0);
            anchor_pts_ = first_pts_;
            end_pts_ = pts;
            rewound_ = false;
        }
        const bool jumped = end_pts_ != AV_NOPTS_VALUE && std::abs(ns(pts - end_pts_)) > 2 * second_ns;
        if (anchor_pts_ == AV_NOPTS_VALUE || jumped) anchor_ns_ = arrival, anchor_pts_ = pts;
        const std::int64_t late = arrival - (anchor_ns_ + ns(pts - anchor_pts_));
        if (late > late_ns) anchor_ns_ += late;
        end_pts_ = end_pts_ == AV_NOPTS_VALUE || jumped ? pts + duration : std::max(end_pts_, pts + duration);
        return anchor_ns_ + ns(pts - anchor_pts_);
    }

    // Hands out; a paced stream when its time has come.
    Shot let_go(const AVFrame* frame, std::int64_t capture_ns) const {
        if (settings_.clock == CaptureClock::stream)
            for (std::int64_t left; (left = capture_ns - now_ns()) > 0 && !address_.given_up();)
                std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(left, second_ns / 20)));
        return {frame, capture_ns, turn_.rotation, turn_.flip};
    }

    int rewind() {
        const std::int64_t start = input_->start_time != AV_NOPTS_VALUE ? input_->start_time : 0;
        const int rc = end_pts_ == AV_NOPTS_VALUE
                           ? AVERROR_EOF  // a whole round without a packet
                           : avformat_seek_file(input_.get(), -1, INT64_MIN, start, start, 0);
        avcodec_flush_buffers(decoder_.get());
        rewound_ = true;
        return rc;
    }

    const CameraAddress address_;
    const LibavInput settings_;
    media::InputPtr input_;
    media::CodecContextPtr decoder_;
    const media::PacketPtr packet_ = media::new_packet();
    const media::FramePtr frame_ = media::new_frame();
    AVStream* video_ = nullptr;  // of input_
    media::Orientation turn_;
    bool intra_only_ = false;
    bool drained_ = false;
    std::int64_t corrupt_ = 0;
    std::optional<bool> trusted_;  // the sender's clock; unknown before its first report
    // CaptureClock::stream: the packet of anchor_pts_ is due at anchor_ns_.
    std::int64_t anchor_ns_ = 0, anchor_pts_ = AV_NOPTS_VALUE;
    std::int64_t first_pts_ = AV_NOPTS_VALUE;  // of the stream
    std::int64_t end_pts_ = AV_NOPTS_VALUE;    // largest end of a packet so far
    bool rewound_ = false;
};

}  // namespace

Attempt<std::unique_ptr<Connection>> open_libav(const CameraAddress& address, const LibavInput& input) {
    auto connection = std::make_unique<LibavConnection>(address, input);
    if (auto error = connection->open()) return std::move(*error);
    return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace sl::ingest
