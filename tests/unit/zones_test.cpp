// Where a box lies, against a picture painted pixel by pixel.
#include "workers/annotate/zones.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

namespace sl::annotate {
namespace {

using schema::Box;
using schema::Point;

const Points square{{10, 10}, {20, 10}, {20, 20}, {10, 20}};
// Concave: a square with a notch from above down to y = 18.
const Points notched{{10, 10}, {14, 10}, {14, 18}, {16, 18}, {16, 10}, {20, 10}, {20, 20}, {10, 20}};

TEST(Zones, EdgesAndCornersAreInside) {
    for (const Point p : {Point{15, 15}, {10, 15}, {20, 15}, {15, 10}, {15, 20}, {10, 10}, {20, 20}})
        EXPECT_TRUE(holds(square, p)) << p.x << " " << p.y;
    for (const Point p :
         {Point{9.999, 15}, {20.001, 15}, {15, 9.999}, {15, 20.001}, {5, 10}, {25, 10}, {5, 20}})
        EXPECT_FALSE(holds(square, p)) << p.x << " " << p.y;
    EXPECT_FALSE(holds(notched, {15, 12}));
    EXPECT_TRUE(holds(notched, {15, 18}));
    EXPECT_TRUE(holds(notched, {15, 19}));
    EXPECT_TRUE(holds(notched, {12, 10})) << "on a level with other edges";
    EXPECT_FALSE(holds(notched, {15, 10}));
}

TEST(Zones, DistanceIsToTheNearestEdge) {
    EXPECT_DOUBLE_EQ(distance(square, {5, 15}), 5);
    EXPECT_DOUBLE_EQ(distance(square, {7, 6}), 5) << "a corner";
    EXPECT_DOUBLE_EQ(distance(square, {15, 12}), 2) << "from inside";
    EXPECT_DOUBLE_EQ(distance(notched, {15, 12}), 1);
}

TEST(Zones, ShareIsExact) {
    EXPECT_DOUBLE_EQ(share(square, {12, 12, 4, 4}), 1);
    EXPECT_DOUBLE_EQ(share(square, {0, 0, 40, 40}), 100.0 / 1600);
    EXPECT_DOUBLE_EQ(share(square, {15, 15, 10, 10}), 0.25);
    EXPECT_DOUBLE_EQ(share(square, {20, 10, 10, 10}), 0) << "beside it";
    EXPECT_DOUBLE_EQ(share(notched, {10, 10, 10, 10}), 1 - 16.0 / 100);
    EXPECT_DOUBLE_EQ(share(notched, {13, 11, 4, 4}), 0.5) << "two pieces of it";
    EXPECT_DOUBLE_EQ(share(square, {15, 15, 0, 0}), 1) << "a box without area counts by its centre";
    EXPECT_DOUBLE_EQ(share(square, {5, 15, 0, 4}), 0);
}

TEST(Zones, LinesHaveADirection) {
    const Point a{0, 10}, b{10, 10};  // looking along it, left is up
    EXPECT_EQ(crossing(a, b, {5, 5}, {5, 15}), 1);
    EXPECT_EQ(crossing(a, b, {5, 15}, {5, 5}), -1);
    EXPECT_EQ(crossing(b, a, {5, 5}, {5, 15}), -1);
    EXPECT_EQ(crossing(a, b, {5, 5}, {6, 9}), 0);
    EXPECT_EQ(crossing(a, b, {15, 5}, {15, 15}), 0) << "past its end";
    EXPECT_EQ(crossing(a, b, {10, 5}, {10, 15}), 1) << "over its end";
    EXPECT_EQ(crossing(a, b, {5, 5}, {5, 10}), 1) << "on the line is right of it";
    EXPECT_EQ(crossing(a, b, {5, 10}, {5, 15}), 0) << "so it was crossed already";
    EXPECT_EQ(crossing(a, b, {2, 10}, {8, 10}), 0) << "along it";
    EXPECT_EQ(crossing(a, b, {5, 10}, {5, 5}), -1);
}

TEST(Zones, RelativeOnesFitThePicture) {
    schema::Zone zone{"z", {{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}};
    const Place place(zone, 200, 100);
    EXPECT_EQ(place.points()[0], (Point{100, 0}));
    EXPECT_TRUE(place.where({90, 20, 20, 30}).inside);  // its feet are at 100, 50
    const auto out = place.where({70, 20, 20, 30});
    EXPECT_FALSE(out.inside);
    EXPECT_DOUBLE_EQ(out.outside_px, 20);
    zone.inside = "center";
    EXPECT_TRUE(Place(zone, 200, 100).where({140, 80, 20, 40}).inside);
    zone.inside = "bottom_center";
    EXPECT_FALSE(Place(zone, 200, 100).where({140, 80, 20, 40}).inside) << "its feet are below the picture";
    zone.inside = "overlap";
    zone.overlap = 0.25;
    EXPECT_TRUE(Place(zone, 200, 100).where({85, 20, 20, 20}).inside);
    EXPECT_DOUBLE_EQ(Place(zone, 200, 100).where({85, 20, 20, 20}).share, 0.25);
    zone.overlap = 0.26;
    EXPECT_FALSE(Place(zone, 200, 100).where({85, 20, 20, 20}).inside);
    zone = {"p", {{100, 0}, {200, 0}, {200, 100}}, false};
    EXPECT_EQ(Place(zone, 1, 1).points(), zone.points);
}

// Star-shaped around a middle, so simple, and concave more often than not.
Points star(std::mt19937& random) {
    std::uniform_real_distribution<double> unit(0, 1);
    Points out;
    const int n = 3 + int(unit(random) * 8);
    for (int i = 0; i < n; ++i) {
        const double angle = 2 * std::numbers::pi * (i + 0.9 * unit(random)) / n,
                     radius = 5 + 40 * unit(random);
        out.push_back({50 + radius * std::cos(angle), 50 + radius * std::sin(angle)});
    }
    return out;
}

// By the winding of the polygon around the point: another way than holds() goes.
bool wound(const Points& polygon, const Point& p) {
    double sum = 0;
    for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Point &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
        const double ax = a.x - p.x, ay = a.y - p.y, bx = b.x - p.x, by = b.y - p.y;
        sum += std::atan2(ax * by - ay * bx, ax * bx + ay * by);
    }
    return std::abs(sum) > 1;
}

TEST(Zones, AgreeWithAPaintedPicture) {
    std::mt19937 random(11);
    std::uniform_real_distribution<float> at(-10, 90), size(4, 40);
    int partly = 0;
    for (int round = 0; round < 200; ++round) {
        const Points polygon = star(random);
        const Box box{at(random), at(random), size(random), size(random)};
        constexpr int n = 60;
        int inside = 0;
        for (int i = 0; i < n * n; ++i) {
            const Point p{double(box.x) + (i % n + 0.5) * double(box.width) / n,
                          double(box.y) + (i / n + 0.5) * double(box.height) / n};
            const bool painted = wound(polygon, p);
            if (distance(polygon, p) > 1e-9) {
                ASSERT_EQ(holds(polygon, p), painted) << round;
            }
            inside += painted;
        }
        const double exact = share(polygon, box);
        // The border goes through at most a few cells of each row and column.
        EXPECT_NEAR(exact, double(inside) / (n * n), 0.05) << round;
        partly += exact > 0.01 && exact < 0.99;
    }
    EXPECT_GT(partly, 50) << "the boxes made are worth clipping";
}

}  // namespace
}  // namespace sl::annotate
