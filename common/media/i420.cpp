#include "common/media/i420.hpp"

#include <new>

#include "common/media/libav.hpp"

namespace sl::media {
namespace {

constexpr int widest = 16384;  // of a side

}  // namespace

std::size_t i420_bytes(int width, int height) {
    const auto w = std::size_t(width), h = std::size_t(height);
    return w * h + 2 * ((w + 1) / 2) * ((h + 1) / 2);
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
