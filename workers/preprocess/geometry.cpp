#include "workers/preprocess/geometry.hpp"

#include <algorithm>
#include <cmath>

namespace sl::preprocess {
namespace {

int aligned_down(double v, int step) {
    return static_cast<int>(std::floor(v / step)) * step;
}
int aligned_up(double v, int step) {
    return static_cast<int>(std::ceil(v / step)) * step;
}

// Away from 0.9999999 that stands for 1: such widening would take in a row that was cut off.
double snapped(double v) {
    const double whole = std::round(v);
    return std::abs(v - whole) < 1e-6 ? whole : v;
}

}  // namespace

Rect intersect(const Rect& a, const Rect& b) {
    const double x = std::max(a.x, b.x), y = std::max(a.y, b.y);
    return {x, y, std::max(0.0, std::min(a.right(), b.right()) - x),
            std::max(0.0, std::min(a.bottom(), b.bottom()) - y)};
}

Rect Affine::operator()(const Rect& r) const {
    const auto [left, right] = std::minmax({xx * r.x + xy * r.y + x0, xx * r.right() + xy * r.bottom() + x0});
    const auto [top, bottom] = std::minmax({yx * r.x + yy * r.y + y0, yx * r.right() + yy * r.bottom() + y0});
    return {left, top, right - left, bottom - top};
}

Affine Affine::then(const Affine& n) const {
    return {n.xx * xx + n.xy * yx, n.xx * xy + n.xy * yy, n.xx * x0 + n.xy * y0 + n.x0,
            n.yx * xx + n.yy * yx, n.yx * xy + n.yy * yy, n.yx * x0 + n.yy * y0 + n.y0};
}

Affine Affine::inverse() const {
    const double det = xx * yy - xy * yx;
    return {yy / det, -xy / det, (xy * y0 - yy * x0) / det, -yx / det, xx / det, (yx * x0 - xx * y0) / det};
}

Affine to_canvas(const schema::StreamInfo& stream, int width, int height) {
    const bool sideways = stream.rotation == 90 || stream.rotation == 270;
    const int coded_width = sideways ? stream.height : stream.width;
    const int coded_height = sideways ? stream.width : stream.height;
    const bool pads = stream.fit == "pad";
    const double w = coded_width, h = coded_height;
    const Affine fit{(pads ? std::min(width, coded_width) : w) / width,    0, 0, 0,
                     (pads ? std::min(height, coded_height) : h) / height, 0};
    Affine turn;
    switch (stream.rotation) {
        case 90:
            turn = {0, -1, h, 1, 0, 0};
            break;
        case 180:
            turn = {-1, 0, w, 0, -1, h};
            break;
        case 270:
            turn = {0, 1, 0, -1, 0, w};
            break;
        default:
            break;
    }
    const Affine upright = fit.then(turn);
    return stream.flip ? upright.then({-1, 0, double(stream.width), 0, 1, 0}) : upright;
}

Placement place(const schema::StreamInfo& stream, const schema::PoolSpec& pool, const Rect& seen, int width,
                int height, int align_x, int align_y) {
    Placement out;
    const Affine up = to_canvas(stream, width, height);
    const Rect wanted = intersect(up.inverse()(seen), {0, 0, double(width), double(height)});
    if (wanted.empty()) return out;
    out.src_x = aligned_down(snapped(wanted.x), align_x);
    out.src_y = aligned_down(snapped(wanted.y), align_y);
    out.src_width = std::min(width, aligned_up(snapped(wanted.right()), align_x)) - out.src_x;
    out.src_height = std::min(height, aligned_up(snapped(wanted.bottom()), align_y)) - out.src_y;

    const Rect part =
        up({double(out.src_x), double(out.src_y), double(out.src_width), double(out.src_height)});
    const double sar = stream.sar.num > 0 && stream.sar.den > 0 ? double(stream.sar.num) / stream.sar.den : 1;
    out.width = pool.width;
    out.height = pool.height;
    if (pool.letterbox != "stretch") {
        const double scale = std::min(pool.width / (part.width * sar), pool.height / part.height);
        out.width = std::clamp(int(std::lround(part.width * sar * scale)), 1, pool.width);
        out.height = std::clamp(int(std::lround(part.height * scale)), 1, pool.height);
    }
    if (pool.letterbox == "center") {
        out.x = (pool.width - out.width) / 2;
        out.y = (pool.height - out.height) / 2;
    }
    const double sx = part.width / out.width, sy = part.height / out.height;
    const Rect clip = intersect(part, seen);
    out.mapping = {
        sx, 0, part.x - out.x * sx, 0, sy, part.y - out.y * sy, clip.x, clip.y, clip.right(), clip.bottom()};
    return out;
}

}  // namespace sl::preprocess
