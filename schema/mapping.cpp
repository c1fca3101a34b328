#include "schema/mapping.hpp"

#include <algorithm>

namespace sl::schema {

std::optional<Box> to_canvas(const Mapping& m, const Box& box) {
    const double x = box.x, y = box.y, right = x + box.width, bottom = y + box.height;
    const auto [x1, x2] = std::minmax({m.xx * x + m.xy * y + m.x0, m.xx * right + m.xy * bottom + m.x0});
    const auto [y1, y2] = std::minmax({m.yx * x + m.yy * y + m.y0, m.yx * right + m.yy * bottom + m.y0});
    const double l = std::max(x1, m.left), r = std::min(x2, m.right);
    const double t = std::max(y1, m.top), b = std::min(y2, m.bottom);
    if (r <= l || b <= t) return std::nullopt;
    Box out = box;
    out.x = static_cast<float>(l);
    out.y = static_cast<float>(t);
    out.width = static_cast<float>(r - l);
    out.height = static_cast<float>(b - t);
    return out;
}

}  // namespace sl::schema
