// I420 as it travels in live work: one buffer, the planes Y, U, V one after another without padding; chroma
// of odd sides is rounded up. Limited range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/media/media.hpp"

namespace sl::media {

std::size_t i420_bytes(int width, int height);

// The top left width × height of a picture in planar 8-bit 4:2:0, which has at least that size. Of full range
// when frame.color_range says so; then it is brought to limited range.
schema::Bytes pack_i420(const AVFrame& frame, int width, int height);

// A frame that shows these bytes, which must outlive it and every reference to it; not to be written to.
// bad_message: they are not a picture of that size.
Result<FramePtr> view_i420(std::span<const std::uint8_t> bytes, int width, int height);

}  // namespace sl::media
