// Mapping: where the pixels of a model's input lie in the displayed frame.
#pragma once

#include <msgpack.hpp>
#include <optional>

#include "schema/types.hpp"

namespace sl::schema {

// Affine, axes parallel to axes: a point (x, y) of the model input is at
//   X = xx·x + xy·y + x0,  Y = yx·x + yy·y + y0
// of the canvas (displayed, upright source frame). Pixels are squares: the middle of the first is (0.5, 0.5).
struct Mapping {
    double xx = 1, xy = 0, x0 = 0;
    double yx = 0, yy = 1, y0 = 0;
    // The part of the canvas that the model sees: boxes are clipped to it.
    double left = 0, top = 0, right = 0, bottom = 0;
    MSGPACK_DEFINE_MAP(xx, xy, x0, yx, yy, y0, left, top, right, bottom)
    bool operator==(const Mapping&) const = default;
};

// A detection in model pixels → canvas pixels, clipped to what was seen; nothing when nothing is left of it.
std::optional<Box> to_canvas(const Mapping& mapping, const Box& box);

}  // namespace sl::schema
