// Where a box lies: zones in the pixels of a stream. Pure; the same digits on every machine.
//
// Points on an edge or a corner are inside. A line is crossed by a way that begins on one side and ends on
// the other; a point on the line itself counts to its right side, so that who walks along it crosses nothing
// twice.
#pragma once

#include <string>
#include <vector>

#include "schema/types.hpp"

namespace sl::annotate {

using Points = std::vector<schema::Point>;

schema::Point bottom_center(const schema::Box& box);

// The polygon is simple and closed by itself.
bool holds(const Points& polygon, const schema::Point& point);
// To the nearest edge, in pixels; also from inside.
double distance(const Points& polygon, const schema::Point& point);
// How much of the box lies in it, 0 to 1: exact clipping. A box without area counts by its centre.
double share(const Points& polygon, const schema::Box& box);
// From `from` to `to` over the line a → b: 1 forward (from its left to its right), -1 backward, 0 not at all.
int crossing(const schema::Point& a, const schema::Point& b, const schema::Point& from,
             const schema::Point& to);

// A zone of a stream whose picture is width × height.
class Place {
public:
    Place(const schema::Zone& zone, std::int32_t width, std::int32_t height);

    struct Where {
        bool inside = false;
        double outside_px = 0;  // of the point that is tested; 0: inside, or tested by overlap
        double share = 0;       // tested by overlap only
    };
    Where where(const schema::Box& box) const;
    const std::string& inside() const { return inside_; }  // how it is tested
    double overlap() const { return overlap_; }
    const Points& points() const { return points_; }  // pixels
    bool line() const { return points_.size() == 2; }

private:
    std::string inside_;
    double overlap_;
    Points points_;
};

}  // namespace sl::annotate
