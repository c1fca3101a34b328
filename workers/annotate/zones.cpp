#include "workers/annotate/zones.hpp"

#include <algorithm>
#include <cmath>

namespace sl::annotate {
namespace {

using schema::Box;
using schema::Point;

// > 0: c lies right of the way from a to b, on a screen whose y grows downwards.
double turn(const Point& a, const Point& b, const Point& c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

double distance_to_edge(const Point& a, const Point& b, const Point& p) {
    const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    const double t = length > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length, 0.0, 1.0) : 0.0;
    return std::hypot(a.x + t * dx - p.x, a.y + t * dy - p.y);
}

// Sutherland and Hodgman's clipping against one side of a box (CACM 17:32, 1974): what of the polygon has
// sign * coordinate <= sign * limit. Of a concave polygon it leaves edges that run to and fro on that side;
// they enclose nothing, so the area is exact all the same.
Points clipped(const Points& polygon, double Point::*axis, double limit, double sign) {
    Points out;
    for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Point &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
        const double da = sign * (limit - a.*axis), db = sign * (limit - b.*axis);
        if (da >= 0) out.push_back(a);
        if ((da > 0 && db < 0) || (da < 0 && db > 0)) {
            const double t = da / (da - db);
            Point cut{a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
            cut.*axis = limit;
            out.push_back(cut);
        }
    }
    return out;
}

double area(const Points& polygon) {
    double twice = 0;
    for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Point &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
        twice += a.x * b.y - a.y * b.x;
    }
    return std::abs(twice) / 2;
}

Point center(const Box& box) {
    return {double(box.x) + double(box.width) / 2, double(box.y) + double(box.height) / 2};
}

}  // namespace

Point bottom_center(const Box& box) {
    return {double(box.x) + double(box.width) / 2, double(box.y) + double(box.height)};
}

bool holds(const Points& polygon, const Point& p) {
    bool inside = false;
    for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Point &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
        const double side = turn(a, b, p);
        if (side == 0 && std::min(a.x, b.x) <= p.x && p.x <= std::max(a.x, b.x) &&
            std::min(a.y, b.y) <= p.y && p.y <= std::max(a.y, b.y))
            return true;
        // The ray to the right meets the edge; its upper end counts, its lower does not.
        if ((a.y > p.y) != (b.y > p.y) && (side > 0) == (a.y > b.y)) inside = !inside;
    }
    return inside;
}

double distance(const Points& polygon, const Point& p) {
    double nearest = INFINITY;
    for (std::size_t i = 0; i < polygon.size(); ++i)
        nearest = std::min(nearest, distance_to_edge(polygon[i], polygon[(i + 1) % polygon.size()], p));
    return nearest;
}

double share(const Points& polygon, const Box& box) {
    const double whole = double(box.width) * double(box.height);
    if (!(whole > 0)) return holds(polygon, center(box)) ? 1 : 0;
    Points left = clipped(polygon, &Point::x, box.x, -1);
    left = clipped(left, &Point::x, double(box.x) + double(box.width), 1);
    left = clipped(left, &Point::y, box.y, -1);
    left = clipped(left, &Point::y, double(box.y) + double(box.height), 1);
    return std::min(1.0, area(left) / whole);
}

int crossing(const Point& a, const Point& b, const Point& from, const Point& to) {
    const bool before = turn(a, b, from) >= 0, after = turn(a, b, to) >= 0;
    if (before == after) return 0;
    // It passes between the ends of the line, the ends among them.
    const double at_a = turn(from, to, a), at_b = turn(from, to, b);
    if ((at_a > 0 && at_b > 0) || (at_a < 0 && at_b < 0)) return 0;
    return after ? 1 : -1;
}

Place::Place(const schema::Zone& zone, std::int32_t width, std::int32_t height)
    : inside_(zone.inside), overlap_(zone.overlap), points_(zone.points) {
    if (zone.relative)
        for (Point& p : points_) p = {p.x * width, p.y * height};
}

Place::Where Place::where(const Box& box) const {
    if (inside_ == "overlap") {
        const double part = share(points_, box);
        return {part >= overlap_, 0, part};
    }
    const Point p = inside_ == "center" ? center(box) : bottom_center(box);
    if (holds(points_, p)) return {true, 0, 0};
    return {false, distance(points_, p), 0};
}

}  // namespace sl::annotate
