#include "common/media/orientation.hpp"

#include <cstdlib>

namespace sl::media {

Orientation orientation(const std::int32_t* matrix) {
    // Columns of the matrix: where a step to the right and a step down go.
    const std::int64_t right_x = matrix[0], right_y = matrix[1], down_x = matrix[3], down_y = matrix[4];
    Orientation out;
    out.flip = right_x * down_y - right_y * down_x < 0;
    // Undo the mirror; what is left is a turn: right goes right, down, left or up.
    const std::int64_t x = out.flip ? -right_x : right_x, y = right_y;
    if (std::llabs(x) >= std::llabs(y))
        out.rotation = x >= 0 ? 0 : 180;
    else
        out.rotation = y > 0 ? 90 : 270;
    return out;
}

}  // namespace sl::media
