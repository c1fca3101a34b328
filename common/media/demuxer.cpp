#include "common/media/demuxer.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "common/media/keyframe.hpp"

namespace sl::media {
namespace {

constexpr AVRational microseconds{1, AV_TIME_BASE};

// Streams with parameter sets inside the packets (TS, raw): those whose extradata is no avcC/hvcC record.
FilterPtr open_extractor(const AVStream& stream) {
    const auto& codec = *stream.codecpar;
    switch (codec.codec_id) {
        case AV_CODEC_ID_H264:
        case AV_CODEC_ID_HEVC:
            if (codec.extradata_size > 0 && codec.extradata[0] == 1) return nullptr;
            break;
        case AV_CODEC_ID_MPEG1VIDEO:
        case AV_CODEC_ID_MPEG2VIDEO:
            break;
        default:
            return nullptr;
    }
    AVBSFContext* raw = nullptr;
    if (av_bsf_alloc(av_bsf_get_by_name("extract_extradata"), &raw) < 0) return nullptr;
    FilterPtr filter(raw);
    if (avcodec_parameters_copy(filter->par_in, &codec) < 0 || av_bsf_init(filter.get()) < 0) return nullptr;
    return filter;
}

std::shared_ptr<const schema::Bytes> shared_bytes(const std::uint8_t* data, std::size_t size) {
    return std::make_shared<const schema::Bytes>(data, data + size);
}

}  // namespace

Result<std::unique_ptr<Demuxer>> Demuxer::open(const std::string& path) {
    quiet_libav();
    const std::string hint = "is it a video file, and whole? `ffprobe` on it says what it holds";
    AVFormatContext* raw = nullptr;
    if (const int rc = avformat_open_input(&raw, path.c_str(), nullptr, nullptr); rc < 0) {
        const bool gone = rc == AVERROR(ENOENT), denied = rc == AVERROR(EACCES) || rc == AVERROR(EIO);
        return av_failure(gone     ? Errc::not_found
                          : denied ? Errc::io
                                   : Errc::bad_media,
                          "open", path, rc, gone || denied ? "" : hint);
    }
    InputPtr input(raw);
    // libav renders any text as a film of a terminal; here that is a mistake, not a video.
    if (std::string_view(input->iformat->name) == "tty")
        return Error{Errc::bad_media, "cannot use " + path + ": it is text, not video", hint};
    if (const int rc = avformat_find_stream_info(input.get(), nullptr); rc < 0)
        return av_failure(Errc::bad_media, "find the streams of", path, rc, hint);
    const int best = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    if (best < 0 || (input->streams[best]->disposition & AV_DISPOSITION_ATTACHED_PIC))
        return Error{Errc::bad_media, "cannot use " + path + ": it has no video stream", hint};
    return std::unique_ptr<Demuxer>(new Demuxer(path, std::move(input), raw->streams[best]));
}

Demuxer::Demuxer(std::string path, InputPtr input, AVStream* video)
    : path_(std::move(path)), input_(std::move(input)), video_(video), extractor_(open_extractor(*video)) {
    const auto& codec = *video->codecpar;
    extradata_ = shared_bytes(codec.extradata, std::size_t(codec.extradata_size));
}

void Demuxer::follow_extradata(AVPacket& packet) {
    std::size_t size = 0;
    if (const auto* data = av_packet_get_side_data(&packet, AV_PKT_DATA_NEW_EXTRADATA, &size)) {
        extradata_ = shared_bytes(data, size);
        return;
    }
    if (!extractor_) return;
    auto probe = new_packet();
    if (av_packet_ref(probe.get(), &packet) < 0 || av_bsf_send_packet(extractor_.get(), probe.get()) < 0)
        return;
    while (av_bsf_receive_packet(extractor_.get(), probe.get()) == 0) {
        if (const auto* data = av_packet_get_side_data(probe.get(), AV_PKT_DATA_NEW_EXTRADATA, &size))
            extradata_ = shared_bytes(data, size);
        av_packet_unref(probe.get());
    }
}

Packet Demuxer::next() {
    Packet out{new_packet(), false, nullptr};
    AVPacket& packet = *out.av;
    for (;;) {
        const int rc = av_read_frame(input_.get(), &packet);
        if (rc == AVERROR(EAGAIN)) continue;
        if (rc < 0) {
            if (rc != AVERROR_EOF) read_error_ = rc;
            return {};
        }
        const AVStream& stream = *input_->streams[packet.stream_index];
        const auto time = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
        if (time != AV_NOPTS_VALUE)
            last_time_ =
                std::max(last_time_, av_rescale_q(time + packet.duration, stream.time_base, microseconds));
        if (packet.stream_index == video_->index) break;
        av_packet_unref(&packet);
    }
    ++packets_;
    packet.flags &= AV_PKT_FLAG_KEY | AV_PKT_FLAG_DISCARD;  // as chunks carry them
    constexpr std::int64_t sane = 1ll << 60;                // a broken file's time must not overflow sums
    for (auto* time : {&packet.pts, &packet.dts})
        if (*time > sane || *time < -sane) *time = AV_NOPTS_VALUE;
    packet.duration = std::clamp<std::int64_t>(packet.duration, 0, sane);
    if (packet.pts == AV_NOPTS_VALUE && video_->codecpar->video_delay == 0) packet.pts = packet.dts;
    follow_extradata(packet);
    out.key = packet.pts != AV_NOPTS_VALUE && clean_key(*video_->codecpar, packet);
    out.extradata = extradata_;
    return out;
}

bool Demuxer::seek(std::int64_t pts) {
    if (extractor_) av_bsf_flush(extractor_.get());
    return av_seek_frame(input_.get(), video_->index, pts, AVSEEK_FLAG_BACKWARD) >= 0;
}

bool Demuxer::truncated() const {
    if (read_error_) return true;
    const std::string_view format = input_->iformat->name;
    // Only MP4's count is of packets that must be there; AVI's counts empty ones too.
    if (format.starts_with("mov") && video_->nb_frames > packets_) return true;
    if (format == "mpegts") {
        std::error_code ec;
        const auto size = std::filesystem::file_size(path_, ec);
        return !ec && size % 188 != 0 && size % 192 != 0 && size % 204 != 0;
    }
    if (format == "avi") {
        // RIFF says how long it is, in the second four bytes (little-endian, without these first eight).
        std::array<unsigned char, 8> head{};
        std::ifstream in(path_, std::ios::binary);
        std::error_code ec;
        const auto size = std::filesystem::file_size(path_, ec);
        if (!ec && in.read(reinterpret_cast<char*>(head.data()), head.size()) &&
            (head[4] | head[5] << 8 | head[6] << 16 | std::uint64_t(head[7]) << 24) + 8 > size)
            return true;
    }
    if (input_->duration_estimation_method != AVFMT_DURATION_FROM_STREAM || input_->duration <= 0)
        return false;
    // Some count the duration from 0, some from the start: the lesser claim must hold.
    return input_->duration > last_time_ + AV_TIME_BASE;
}

}  // namespace sl::media
