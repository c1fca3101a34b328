// Drawing on the planes of an I420 picture: boxes, labels, text. No colour conversion of the picture, whose
// cost would be twenty times that of the drawing. Integer arithmetic throughout: the same bytes everywhere.
//
// `picture` is a writable AV_PIX_FMT_YUV420P or YUVJ420P frame of any size. Whatever lies outside it is
// clipped. Rectangles are widened to even pixels, so that luma and chroma agree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/image/atlas.hpp"

struct AVFrame;

namespace sl::image {

struct Color {
    std::uint8_t y = 0, u = 128, v = 128;  // BT.601, limited range
    bool operator==(const Color&) const = default;
};

// A class's colour: neighbours in the list of classes get colours that are easily told apart. Any int.
Color color_of(int class_id);

// A box to draw: pixels, top-left origin. Not finite or wholly outside the picture: not drawn.
struct Mark {
    float x = 0, y = 0, width = 0, height = 0;
    int class_id = 0;   // picks the colour
    std::string label;  // UTF-8, on a filled rectangle above the box; empty: none
};

// Draws all boxes, then all labels, the first mark last and so on top. Lines are 2 pixels thick up to 720
// lines of picture, 4 at 1080, 8 at 2160; text grows with the picture too. A label without room above its
// box goes inside, or below a box too small for it.
void draw_marks(AVFrame& picture, std::span<const Mark> marks);

// Fills [x0, x1) × [y0, y1).
void fill(AVFrame& picture, int x0, int y0, int x1, int y1, Color color);

// Writes one line of text with its top left corner at x, y; changes luma only.
void draw_text(AVFrame& picture, int x, int y, const Font& font, std::string_view utf8, std::uint8_t luma);

}  // namespace sl::image
