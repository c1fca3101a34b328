#include <algorithm>
#include <optional>

#include "common/files.hpp"
#include "common/media/audio.hpp"
#include "common/media/segment_reader.hpp"

namespace sl::media {
namespace {

// One attempt at a join. Trouble with the audio is kept apart, so that the caller can go on without it.
class Joiner {
public:
    Joiner(const schema::StreamInfo& stream, std::span<const std::string> segments,
           const std::string& out_path)
        : stream_(stream),
          segments_(segments),
          out_path_(out_path),
          time_base_(to_av(stream.time_base)),
          video_(stream, segments) {}

    Result<JoinReport> run(AudioTrack* audio) {
        audio_ = audio;
        auto frame = video_.next();
        if (!frame) return frame.error();
        if (!*frame)
            return Error{Errc::bad_media, "cannot join " + out_path_ + ": the segments hold no frames", ""};
        if (auto end = joined_end(); !end) return end.error();
        find_origin((*frame)->pts);
        if (auto begun = begin(); !begun) return begun.error();

        PacketPtr sound = next_sound();
        while (*frame) {
            while (sound && before(*sound, **frame)) {
                if (auto written = write_sound(std::move(sound)); !written) return written.error();
                sound = next_sound();
            }
            ++report_.frames;
            if (auto written = write(**frame, 0, time_base_, origin_); !written) return written.error();
            frame = video_.next();
            if (!frame) return frame.error();
        }
        while (sound) {
            if (auto written = write_sound(std::move(sound)); !written) return written.error();
            sound = next_sound();
        }
        int rc = av_write_trailer(output_.get());
        if (rc >= 0) rc = avio_closep(&output_->pb);
        if (rc < 0) return av_failure(Errc::io, "complete", out_path_, rc);
        if (auto synced = files::sync(out_path_); !synced) return synced.error();
        report_.origin_pts = origin_;
        report_.audio = audio_ ? audio_->how() : "none";
        return report_;
    }
    const std::optional<Error>& audio_trouble() const { return audio_trouble_; }

private:
    // Audio is clipped to the video when the segments end before the stream does.
    Result<void> joined_end() {
        if (!audio_) return {};
        for (std::size_t n = segments_.size(); n-- > 0;) {  // the last ones may hold no frames
            SegmentReader last(stream_, segments_.subspan(n, 1));
            std::optional<std::int64_t> end;
            for (;;) {
                auto packet = last.next();
                if (!packet) return packet.error();
                if (!*packet) break;
                end = (*packet)->pts + (*packet)->duration;
            }
            if (!end) continue;
            if (*end < stream_.end_pts) clip_ = end;
            break;
        }
        return {};
    }

    // Everything is moved so that the earlier of picture and sound begins at 0, by the same amount of time.
    void find_origin(std::int64_t first_pts) {
        origin_ = first_pts;
        if (!audio_) return;
        const std::int64_t start = audio_->start();
        if (start != AV_NOPTS_VALUE && av_compare_ts(start, audio_->time_base(), first_pts, time_base_) < 0)
            origin_ = av_rescale_q_rnd(start, audio_->time_base(), time_base_, AV_ROUND_DOWN);
        audio_origin_ = av_rescale_q(origin_, time_base_, audio_->time_base());
    }

    Result<void> begin() {
        AVFormatContext* raw = nullptr;
        int rc = avformat_alloc_output_context2(&raw, nullptr, "mp4", out_path_.c_str());
        output_.reset(raw);
        if (rc < 0) return av_failure(Errc::internal, "set up the muxer for", out_path_, rc);
        raw->flags |= AVFMT_FLAG_BITEXACT;  // no version, no times
        raw->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
        AVStream* video = avformat_new_stream(raw, nullptr);
        AVStream* sound = audio_ ? avformat_new_stream(raw, nullptr) : nullptr;
        if (!video || (audio_ && !sound)) throw std::bad_alloc();
        avcodec_parameters_copy(video->codecpar, video_.parameters());
        video->codecpar->codec_tag = 0;
        video->time_base = time_base_;
        video->sample_aspect_ratio = video->codecpar->sample_aspect_ratio;
        if (stream_.frame_rate.num > 0) video->avg_frame_rate = to_av(stream_.frame_rate);
        if (sound) {
            avcodec_parameters_copy(sound->codecpar, &audio_->parameters());
            sound->codecpar->codec_tag = 0;
            sound->time_base = audio_->time_base();
        }
        Options dict;
        dict.set("movflags", "+faststart");
        dict.set("video_track_timescale", stream_.time_base.den);
        // Edit lists are in these ticks: exact for the video, and to 0.1 ms for audio that begins elsewhere.
        const std::int64_t ticks = std::max<std::int64_t>(1, stream_.time_base.den);
        dict.set("movie_timescale", ticks * ((10'000 + ticks - 1) / ticks));
        rc = avio_open(&raw->pb, out_path_.c_str(), AVIO_FLAG_WRITE);
        if (rc < 0) return av_failure(Errc::io, "create", out_path_, rc);
        rc = avformat_write_header(raw, &dict.dict);
        if (rc >= 0) return {};
        const Error failed = av_failure(Errc::io, "begin", out_path_, rc);
        if (audio_) audio_trouble_ = failed;  // the muxer may not like its parameters: try without
        return failed;
    }

    bool before(const AVPacket& sound, const AVPacket& frame) const {
        return av_compare_ts(sound.dts, audio_->time_base(), frame.dts, time_base_) < 0;
    }

    PacketPtr next_sound() {
        if (!audio_) return nullptr;
        auto packet = audio_->next();
        if (!packet) audio_trouble_ = packet.error();
        if (!packet || !*packet) return nullptr;
        if (clip_ && av_compare_ts((*packet)->pts, audio_->time_base(), *clip_, time_base_) >= 0)
            return nullptr;
        return std::move(*packet);
    }

    Result<void> write_sound(PacketPtr packet) {
        auto written = write(*packet, 1, audio_->time_base(), audio_origin_);
        if (!written) audio_trouble_ = written.error();
        return written;
    }

    Result<void> write(AVPacket& packet, int index, AVRational time_base, std::int64_t origin) {
        packet.stream_index = index;
        packet.pts -= origin;
        packet.dts -= origin;
        packet.pos = -1;
        av_packet_rescale_ts(&packet, time_base, output_->streams[index]->time_base);
        if (const int rc = av_interleaved_write_frame(output_.get(), &packet); rc < 0)
            return av_failure(Errc::io, index ? "write the audio of" : "write", out_path_, rc);
        return {};
    }

    const schema::StreamInfo& stream_;
    const std::span<const std::string> segments_;
    const std::string out_path_;
    const AVRational time_base_;
    SegmentReader video_;
    AudioTrack* audio_ = nullptr;
    OutputPtr output_;
    JoinReport report_;
    std::int64_t origin_ = 0, audio_origin_ = 0;
    std::optional<std::int64_t> clip_;
    std::optional<Error> audio_trouble_;
};

// The report goes into artifacts, which are the same wherever they are made.
std::string without_folders(std::string text, const std::string& source, const std::string& out) {
    for (const std::string& path : {source, out}) {
        const auto name = path.substr(path.rfind('/') + 1);
        for (auto at = text.find(path); at != std::string::npos; at = text.find(path, at + name.size()))
            text.replace(at, path.size(), name);
    }
    return text;
}

}  // namespace

Result<JoinReport> join_segments(const schema::StreamInfo& stream, std::span<const std::string> segments,
                                 const std::string& source_path, const std::string& out_path) {
    quiet_libav();
    if (segments.empty())
        return Error{Errc::invalid_argument, "cannot join " + out_path + ": there are no segments", ""};
    std::string dropped;
    if (!source_path.empty() && !stream.audio.empty()) {
        auto audio = AudioTrack::open(source_path);
        if (audio) {
            Joiner joiner(stream, segments, out_path);
            auto joined = joiner.run(audio->get());
            if (!joiner.audio_trouble()) return joined;
            dropped = joiner.audio_trouble()->message;
        } else {
            dropped = audio.error().message;
        }
    }
    // Damaged audio never costs the video.
    auto joined = Joiner(stream, segments, out_path).run(nullptr);
    if (joined && !dropped.empty())
        joined->audio = "dropped: " + without_folders(dropped, source_path, out_path);
    return joined;
}

}  // namespace sl::media
