#include "common/image/picture.hpp"

#include <cstring>
#include <memory>

extern "C" {
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

namespace sl::image {
namespace {

struct ScalerDeleter {
    void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

// FAST_BILINEAR and, on AVX-512, anything without ACCURATE_RND or BITEXACT differ between CPU classes.
constexpr int exact = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT;

std::string size_text(int width, int height) {
    return std::to_string(width) + "x" + std::to_string(height);
}

}  // namespace

Result<media::FramePtr> blank(int width, int height, Color color) {
    media::FramePtr frame(av_frame_alloc());
    if (frame) {
        frame->format = AV_PIX_FMT_YUV420P;
        frame->width = width;
        frame->height = height;
    }
    if (!frame || av_frame_get_buffer(frame.get(), 0) < 0)
        return Error{Errc::internal, "cannot make a picture of " + size_text(width, height), ""};
    fill(*frame, 0, 0, width, height, color);
    return frame;
}

Result<media::FramePtr> scaled(const AVFrame& from, int width, int height) {
    auto to = blank(width, height, Color{});
    if (!to) return to.error();
    const std::unique_ptr<SwsContext, ScalerDeleter> scaler(
        sws_getContext(from.width, from.height, AV_PIX_FMT_YUV420P, width, height, AV_PIX_FMT_YUV420P, exact,
                       nullptr, nullptr, nullptr));
    const bool full = from.color_range == AVCOL_RANGE_JPEG || from.format == AV_PIX_FMT_YUVJ420P;
    const int* matrix = sws_getCoefficients(SWS_CS_DEFAULT);
    if (!scaler || sws_setColorspaceDetails(scaler.get(), matrix, full, matrix, 0, 0, 1 << 16, 1 << 16) < 0 ||
        sws_scale(scaler.get(), from.data, from.linesize, 0, from.height, (*to)->data, (*to)->linesize) !=
            height)
        return Error{Errc::internal,
                     "cannot scale a picture of " + size_text(from.width, from.height) + " to " +
                         size_text(width, height),
                     ""};
    return to;
}

void paste(AVFrame& to, int x, int y, const AVFrame& from) {
    for (int p = 0; p < 3; ++p) {
        const int shift = p > 0;
        const std::size_t width = std::size_t((from.width + shift) >> shift);
        for (int row = 0; row < (from.height + shift) >> shift; ++row)
            std::memcpy(to.data[p] + std::ptrdiff_t((y >> shift) + row) * to.linesize[p] + (x >> shift),
                        from.data[p] + std::ptrdiff_t(row) * from.linesize[p], width);
    }
}

}  // namespace sl::image
