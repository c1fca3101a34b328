#include "common/media/colour.hpp"

#include "common/media/carry.hpp"

namespace sl::media {
namespace {

// swscale knows the yuvj formats as full range, but warns; the flag says the same.
AVPixelFormat plain(AVPixelFormat format) {
    switch (format) {
        case AV_PIX_FMT_YUVJ420P:
            return AV_PIX_FMT_YUV420P;
        case AV_PIX_FMT_YUVJ422P:
            return AV_PIX_FMT_YUV422P;
        case AV_PIX_FMT_YUVJ444P:
            return AV_PIX_FMT_YUV444P;
        case AV_PIX_FMT_YUVJ440P:
            return AV_PIX_FMT_YUV440P;
        case AV_PIX_FMT_YUVJ411P:
            return AV_PIX_FMT_YUV411P;
        default:
            return format;
    }
}

}  // namespace

bool full_range(AVPixelFormat format, AVColorRange range) {
    if (plain(format) != format) return true;
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
    const bool grey = d && d->nb_components <= 2 && !(d->flags & AV_PIX_FMT_FLAG_PAL);
    return range == AVCOL_RANGE_JPEG || (grey && range == AVCOL_RANGE_UNSPECIFIED);
}

bool is_i420(int format) {
    return format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P;
}

Result<Colour> stream_colour(const schema::StreamInfo& stream) {
    const auto codec = unpack_codec(stream.codec);
    if (!codec) return codec.error();
    const auto& c = **codec;
    const auto format = AVPixelFormat(c.format);
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
    Colour colour{c.color_range, c.color_primaries, c.color_trc, c.color_space, c.chroma_location};
    if (d && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL))) {
        colour.range = AVCOL_RANGE_MPEG;
        colour.matrix = AVCOL_SPC_SMPTE170M;
        colour.chroma = AVCHROMA_LOC_LEFT;
    } else if (full_range(format, c.color_range)) {
        colour.range = AVCOL_RANGE_JPEG;
    }
    return colour;
}

Result<ScalerPtr> open_scaler(int from_width, int from_height, AVPixelFormat from, bool from_full,
                              int to_width, int to_height, AVPixelFormat to, bool to_full,
                              AVColorSpace space) {
    ScalerPtr scaler(sws_getContext(from_width, from_height, plain(from), to_width, to_height, to,
                                    exact_scaling, nullptr, nullptr, nullptr));
    if (!scaler) {
        const char* name = av_get_pix_fmt_name(from);
        return Error{Errc::bad_media,
                     "cannot convert pictures of " + std::to_string(from_width) + "x" +
                         std::to_string(from_height) + " " + (name ? name : "unknown format") + " to " +
                         std::to_string(to_width) + "x" + std::to_string(to_height),
                     "re-encode the input as 8-bit 4:2:0"};
    }
    // Without this swscale takes everything but yuvj for BT.601 limited.
    const int* table = sws_getCoefficients(space);
    sws_setColorspaceDetails(scaler.get(), table, from_full, table, to_full, 0, 1 << 16, 1 << 16);
    return scaler;
}

}  // namespace sl::media
