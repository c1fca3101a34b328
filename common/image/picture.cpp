#include "common/image/picture.hpp"

#include <cstring>

#include "common/media/colour.hpp"

namespace sl::image {
namespace {

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
    const bool full = media::full_range(AVPixelFormat(from.format), from.color_range);
    const auto scaler = media::open_scaler(from.width, from.height, AVPixelFormat(from.format), full, width,
                                           height, AV_PIX_FMT_YUV420P, false, from.colorspace);
    if (!scaler) return scaler.error();
    sws_scale(scaler->get(), from.data, from.linesize, 0, from.height, (*to)->data, (*to)->linesize);
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
