#include "common/media/lossless.hpp"

#include <algorithm>
#include <cmath>

#include "common/media/colour.hpp"

namespace sl::media {
namespace {

bool x264_is_lossless(const AVFrame& frame) {
    switch (frame.format) {
        case AV_PIX_FMT_YUV420P:
        case AV_PIX_FMT_YUVJ420P:
        case AV_PIX_FMT_YUV420P10:
            return frame.width % 2 == 0 && frame.height % 2 == 0;
        case AV_PIX_FMT_YUV422P:
        case AV_PIX_FMT_YUVJ422P:
        case AV_PIX_FMT_YUV422P10:
            return frame.width % 2 == 0;
        case AV_PIX_FMT_YUV444P:
        case AV_PIX_FMT_YUVJ444P:
        case AV_PIX_FMT_YUV444P10:
            return true;
        default:
            return false;
    }
}

// The format itself where FFV1 takes it, else the one that loses least (palettes: RGB).
AVPixelFormat ffv1_format(const AVCodec& codec, AVPixelFormat format) {
    for (const auto* f = codec.pix_fmts; *f != AV_PIX_FMT_NONE; ++f)
        if (*f == format) return format;
    switch (format) {  // FFV1 has no full-range kinds; the colour range is carried beside
        case AV_PIX_FMT_YUVJ420P:
            return AV_PIX_FMT_YUV420P;
        case AV_PIX_FMT_YUVJ422P:
            return AV_PIX_FMT_YUV422P;
        case AV_PIX_FMT_YUVJ444P:
            return AV_PIX_FMT_YUV444P;
        case AV_PIX_FMT_YUVJ440P:
            return AV_PIX_FMT_YUV440P;
        default:
            return avcodec_find_best_pix_fmt_of_list(codec.pix_fmts, format, 0, nullptr);
    }
}

}  // namespace

Result<std::unique_ptr<LosslessWriter>> LosslessWriter::create(schema::Rational time_base,
                                                               const ScanOptions& options) {
    quiet_libav();
    if (options.recut_path.empty())
        return Error{Errc::invalid_argument,
                     "cannot re-cut a stream: no place for its lossless intermediate was given", ""};
    auto file = ChunkFileWriter::create(options.recut_path);
    if (!file) return file.error();
    return std::unique_ptr<LosslessWriter>(new LosslessWriter(time_base, options, std::move(*file)));
}

LosslessWriter::LosslessWriter(schema::Rational time_base, const ScanOptions& options,
                               std::unique_ptr<ChunkFileWriter> file)
    : time_base_(time_base),
      min_ticks_(std::llround(options.min_chunk_s * time_base.den / time_base.num)),
      max_bytes_(options.max_chunk_bytes / 2),
      file_(std::move(file)),
      rows_(time_base, options.sampling) {}

Result<void> LosslessWriter::open_encoder(const AVFrame& frame) {
    const bool x264 = x264_is_lossless(frame);
    const AVCodec* codec = avcodec_find_encoder_by_name(x264 ? "libx264" : "ffv1");
    if (!codec)
        return Error{Errc::internal, "cannot re-cut: libav has no libx264 or ffv1 encoder",
                     "install the full libavcodec package"};
    input_format_ = AVPixelFormat(frame.format);
    const AVPixelFormat format = x264 ? input_format_ : ffv1_format(*codec, input_format_);
    to_encoder_.reset();
    const auto* from = av_pix_fmt_desc_get(input_format_);
    const auto* to = av_pix_fmt_desc_get(format);
    const bool same_planes =
        std::string(from->name).starts_with("yuvj") && std::string(to->name).starts_with("yuv");
    if (format != input_format_ && !same_planes) {
        const bool full = full_range(input_format_, frame.color_range);
        auto scaler = open_scaler(frame.width, frame.height, input_format_, full, frame.width, frame.height,
                                  format, full, frame.colorspace);
        if (!scaler) return scaler.error();
        to_encoder_ = std::move(*scaler);
    }

    encoder_.reset(avcodec_alloc_context3(codec));
    AVCodecContext& e = *encoder_;
    e.width = frame.width;
    e.height = frame.height;
    e.pix_fmt = format;
    e.time_base = to_av(time_base_);
    e.thread_count = 1;
    e.max_b_frames = 0;
    e.gop_size = 1 << 20;
    e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    e.color_range = full_range(input_format_, frame.color_range) ? AVCOL_RANGE_JPEG : frame.color_range;
    e.color_primaries = frame.color_primaries;
    e.color_trc = frame.color_trc;
    e.colorspace = frame.colorspace;
    e.chroma_sample_location = frame.chroma_location;
    e.sample_aspect_ratio = frame.sample_aspect_ratio;
    Options options;
    if (x264) {
        options.set("preset", "ultrafast");
        options.set("tune", "zerolatency");
        options.set("qp", 0);
        options.set("sc_threshold", 0);
    } else {
        e.level = 3;
        e.slices = 4;
        options.set("slicecrc", 0);
    }
    if (const int rc = avcodec_open2(&e, codec, &options.dict); rc < 0)
        return av_failure(Errc::bad_media, "open the lossless encoder for", to->name, rc);

    auto parameters = new_parameters();
    avcodec_parameters_from_context(parameters.get(), &e);
    parameters->color_range = e.color_range;
    packer_ = std::make_unique<ChunkPacker>(*parameters);
    times_.clear();
    durations_.clear();
    written_ = 0;
    bytes_ = 0;
    return {};
}

Result<void> LosslessWriter::encode(const AVFrame* frame) {
    int rc = avcodec_send_frame(encoder_.get(), frame);
    auto packet = new_packet();
    while (rc >= 0) {
        rc = avcodec_receive_packet(encoder_.get(), packet.get());
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return {};
        if (rc < 0) break;
        packet->duration = durations_[written_];
        if (written_ == 0) fingerprint_ = fingerprint(packet->pts, {packet->data, std::size_t(packet->size)});
        ++written_;
        bytes_ += packet->size;
        packer_->add(*packet, true);
    }
    return av_failure(Errc::internal, "encode losslessly at tick", std::to_string(times_.back()), rc);
}

Result<void> LosslessWriter::close_chunk(std::int64_t end) {
    if (!encoder_) return {};
    if (auto drained = encode(nullptr); !drained) return drained;
    if (written_ != times_.size())
        return Error{Errc::internal,
                     "cannot re-cut: the lossless encoder gave " + std::to_string(written_) +
                         " packets for " + std::to_string(times_.size()) + " frames",
                     ""};
    rows_.add(times_, end, bytes_, fingerprint_);
    encoder_.reset();
    return file_->add(packer_->take());
}

Result<void> LosslessWriter::add(const AVFrame& frame, std::int64_t pts, std::int64_t duration) {
    const bool other = encoder_ && (frame.width != encoder_->width || frame.height != encoder_->height ||
                                    frame.format != input_format_);
    if (encoder_ && (other || pts - times_.front() >= min_ticks_ || bytes_ >= max_bytes_))
        if (auto closed = close_chunk(pts); !closed) return closed;
    if (!encoder_)
        if (auto opened = open_encoder(frame); !opened) return opened;

    auto picture = share(frame);
    if (to_encoder_) {
        av_frame_unref(picture.get());
        picture->width = frame.width;
        picture->height = frame.height;
        picture->format = encoder_->pix_fmt;
        if (const int rc = av_frame_get_buffer(picture.get(), 0); rc < 0) throw std::bad_alloc();
        sws_scale(to_encoder_.get(), frame.data, frame.linesize, 0, frame.height, picture->data,
                  picture->linesize);
    }
    picture->format = encoder_->pix_fmt;
    picture->pts = pts;
    picture->pict_type = AV_PICTURE_TYPE_NONE;  // the decoder's choice would force the encoder's
    times_.push_back(pts);
    durations_.push_back(duration);
    return encode(picture.get());
}

Result<RowTable> LosslessWriter::finish() {
    if (!times_.empty()) {
        const std::int64_t end = times_.back() + std::max<std::int64_t>(durations_.back(), 1);
        if (auto closed = close_chunk(end); !closed) return closed.error();
    }
    if (auto finished = file_->finish(); !finished) return finished.error();
    return rows_;
}

}  // namespace sl::media
