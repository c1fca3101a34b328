// Pictures of our own: allocate, shrink, copy, in 8-bit I420.
#pragma once

#include "common/image/draw.hpp"
#include "common/media/media.hpp"

namespace sl::image {

// A writable yuv420p picture of one colour.
Result<media::FramePtr> blank(int width, int height, Color color);

// `from` scaled to width × height (bilinear, antialiased when shrinking; the same bytes on every CPU class),
// in limited range whatever range `from` has.
Result<media::FramePtr> scaled(const AVFrame& from, int width, int height);

// Copies `from` to x, y (even numbers) of `to`, which must have room for it.
void paste(AVFrame& to, int x, int y, const AVFrame& from);

}  // namespace sl::image
