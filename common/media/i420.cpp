#include "common/media/i420.hpp"

#include <cstring>
#include <new>

#include "common/media/colour.hpp"

namespace sl::media {
namespace {

constexpr int widest = 16384;  // of a side

}  // namespace

std::size_t i420_bytes(int width, int height) {
    const auto w = std::size_t(width), h = std::size_t(height);
    return w * h + 2 * ((w + 1) / 2) * ((h + 1) / 2);
}

schema::Bytes pack_i420(const AVFrame& frame, int width, int height) {
    schema::Bytes out(i420_bytes(width, height));
    std::uint8_t* to = out.data();
    const bool full = full_range(AVPixelFormat(frame.format), frame.color_range);
    for (int plane = 0; plane < 3; ++plane) {
        const int w = plane ? (width + 1) / 2 : width, h = plane ? (height + 1) / 2 : height;
        // In 1/256: 0..255 → 16..235, and for chroma about its middle → 16..240.
        const int gain = plane ? 225 : 220, base = plane ? 128 * 256 - 128 * 225 : 16 * 256;
        for (int y = 0; y < h; ++y, to += w) {
            const std::uint8_t* from = frame.data[plane] + std::ptrdiff_t(y) * frame.linesize[plane];
            if (full)
                for (int x = 0; x < w; ++x) to[x] = std::uint8_t((from[x] * gain + base + 128) >> 8);
            else
                std::memcpy(to, from, std::size_t(w));
        }
    }
    return out;
}

Result<FramePtr> view_i420(std::span<const std::uint8_t> bytes, int width, int height) {
    if (width < 1 || height < 1 || width > widest || height > widest ||
        bytes.size() != i420_bytes(width, height))
        return Error{Errc::bad_message,
                     std::to_string(bytes.size()) + " bytes are no picture of " + std::to_string(width) +
                         "x" + std::to_string(height),
                     ""};
    auto frame = new_frame();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    frame->color_range = AVCOL_RANGE_MPEG;
    auto* data = const_cast<std::uint8_t*>(bytes.data());  // read-only, as the buffer says
    // A buffer of its own, or libav would copy the picture whenever a reference is made.
    frame->buf[0] = av_buffer_create(
        data, bytes.size(), [](void*, std::uint8_t*) {}, nullptr, AV_BUFFER_FLAG_READONLY);
    if (!frame->buf[0]) throw std::bad_alloc();
    av_image_fill_arrays(frame->data, frame->linesize, data, AV_PIX_FMT_YUV420P, width, height, 1);
    return frame;
}

}  // namespace sl::media
