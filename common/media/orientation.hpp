// Orientation: a display matrix → the turn that makes decoded pixels upright.
#pragma once

#include <cstdint>

namespace sl::media {

struct Orientation {
    std::int32_t rotation = 0;  // 0 90 180 270, clockwise
    bool flip = false;          // mirrored horizontally after the turn
};

// `matrix`: libav's 3×3 display matrix (16.16 fixed point): x' = m0·x + m3·y, y' = m1·x + m4·y. Turns that
// are no quarter are rounded to the nearest.
Orientation orientation(const std::int32_t* matrix);

}  // namespace sl::media
