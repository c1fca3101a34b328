// Geometry: how decoded pixels, the displayed canvas and the model's input lie to each other. Pure numbers,
// in doubles; a pixel is a square, (0, 0) the outer corner of the first.
#pragma once

#include <cstdint>

#include "schema/mapping.hpp"
#include "schema/types.hpp"

namespace sl::preprocess {

struct Rect {
    double x = 0, y = 0, width = 0, height = 0;
    double right() const { return x + width; }
    double bottom() const { return y + height; }
    bool empty() const { return width <= 0 || height <= 0; }
};
Rect intersect(const Rect& a, const Rect& b);

// X = xx·x + xy·y + x0, Y = yx·x + yy·y + y0; each row has one factor that is not 0.
struct Affine {
    double xx = 1, xy = 0, x0 = 0;
    double yx = 0, yy = 1, y0 = 0;
    Rect operator()(const Rect& r) const;
    Affine then(const Affine& next) const;
    Affine inverse() const;
};

// A decoded frame of width × height → canvas pixels, as media::Upright draws it: a frame of another size is
// scaled to the canvas ("scale"), or lies in its (decoded) top left corner, made smaller only if it is larger
// ("pad"); then it is turned and mirrored.
Affine to_canvas(const schema::StreamInfo& stream, int width, int height);

// Where a part of a decoded frame goes in a model's input: all whole pixels.
struct Placement {
    int src_x = 0, src_y = 0, src_width = 0, src_height = 0;  // of the decoded frame; 0 wide: nothing seen
    int x = 0, y = 0, width = 0, height = 0;                  // of the model's input, upright
    schema::Mapping mapping;  // model input → canvas, exact for these numbers
};

// `seen` (canvas pixels) is widened to whole source pixels that are multiples of align_x, align_y (chroma).
// The picture's displayed aspect (with StreamInfo.sar) is kept but in letterbox mode "stretch".
Placement place(const schema::StreamInfo& stream, const schema::PoolSpec& pool, const Rect& seen, int width,
                int height, int align_x, int align_y);

}  // namespace sl::preprocess
