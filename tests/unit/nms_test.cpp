#include "workers/detect/nms.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace sl::detect {
namespace {
using schema::Box;
using testing::ElementsAre;

Box box(float x, float y, float w, float h, float score, int class_id = 0) {
    return {x, y, w, h, score, class_id, 0};
}

TEST(Nms, IouIsSharedAreaOverAll) {
    EXPECT_DOUBLE_EQ(iou(box(0, 0, 10, 10, 1), box(0, 0, 10, 10, 1)), 1);
    EXPECT_DOUBLE_EQ(iou(box(0, 0, 10, 10, 1), box(5, 0, 10, 10, 1)), 50.0 / 150);
    EXPECT_DOUBLE_EQ(iou(box(0, 0, 10, 10, 1), box(10, 0, 10, 10, 1)), 0) << "they touch";
    EXPECT_DOUBLE_EQ(iou(box(0, 0, 10, 10, 1), box(2, 2, 5, 4, 1)), 0.2);
    EXPECT_DOUBLE_EQ(iou(box(0, 0, 0, 0, 1), box(0, 0, 0, 0, 1)), 0);
}

TEST(Nms, TheStrongestOfAClassHidesWhatOverlapsIt) {
    const auto a = box(0, 0, 10, 10, 0.9f), b = box(1, 0, 10, 10, 0.8f), c = box(20, 0, 10, 10, 0.7f);
    EXPECT_THAT(suppress({c, b, a}, 0.5, 100), ElementsAre(a, c));
}

TEST(Nms, WhatIsHiddenHidesNothing) {
    // b overlaps both, a and c do not meet: b goes for a, so c stays.
    const auto a = box(0, 0, 10, 10, 0.9f), b = box(3, 0, 10, 10, 0.8f), c = box(7, 0, 10, 10, 0.7f);
    ASSERT_GT(iou(a, b), 0.4);
    ASSERT_GT(iou(b, c), 0.4);
    ASSERT_LT(iou(a, c), 0.4);
    EXPECT_THAT(suppress({a, b, c}, 0.4, 100), ElementsAre(a, c));
}

TEST(Nms, ClassesDoNotHideEachOther) {
    const auto person = box(0, 0, 10, 10, 0.9f, 0), bicycle = box(0, 0, 10, 10, 0.8f, 1);
    EXPECT_THAT(suppress({person, bicycle}, 0.5, 100), ElementsAre(person, bicycle));
}

TEST(Nms, AnOverlapOfJustTheLimitStays) {
    const auto a = box(0, 0, 10, 10, 0.9f), b = box(0, 5, 10, 5, 0.8f);
    ASSERT_DOUBLE_EQ(iou(a, b), 0.5);
    EXPECT_THAT(suppress({a, b}, 0.5, 100), ElementsAre(a, b));
    EXPECT_THAT(suppress({a, b}, 0.499, 100), ElementsAre(a));
}

TEST(Nms, TiesAreDecidedByClassThenPlaceThenSize) {
    std::vector<Box> order = {box(50, 50, 9, 9, 0.9f, 3), box(90, 0, 5, 5, 0.5f, 1),
                              box(0, 40, 5, 5, 0.5f, 2),  box(0, 60, 5, 5, 0.5f, 2),
                              box(30, 0, 5, 5, 0.5f, 2),  box(30, 20, 4, 5, 0.5f, 2),
                              box(30, 20, 8, 5, 0.5f, 2), box(30, 20, 8, 20, 0.5f, 2)};
    const auto want = order;
    std::sort(order.begin(), order.end(),
              [](const Box& a, const Box& b) { return a.height + a.x < b.height + b.x; });
    do {
        ASSERT_EQ(suppress(order, 1.0, 100), want);
    } while (std::next_permutation(order.begin(), order.begin() + 5, stronger));
}

TEST(Nms, KeepsAtMostSoMany) {
    EXPECT_THAT(suppress({box(0, 0, 1, 1, 0.5f), box(5, 0, 1, 1, 0.9f), box(9, 0, 1, 1, 0.7f)}, 0.5, 2),
                ElementsAre(box(5, 0, 1, 1, 0.9f), box(9, 0, 1, 1, 0.7f)));
    EXPECT_TRUE(suppress({box(0, 0, 1, 1, 0.5f)}, 0.5, 0).empty());
}

TEST(Nms, SettledValuesLieOnTheirGrid) {
    auto b = box(10.001f, 20.0085f, 5, 6, 0.12345f);
    ASSERT_TRUE(settle(b, 100, 100));
    EXPECT_EQ(b, box(10, 20.015625f, 5, 6, 0.123f));
    // Values that differ by less than CPU classes do become one.
    auto near = box(10.0012f, 20.0083f, 5.0001f, 5.9999f, 0.12339f);
    ASSERT_TRUE(settle(near, 100, 100));
    EXPECT_EQ(near, b);
}

TEST(Nms, SettledBoxesAreInside) {
    auto b = box(-5, 90, 20, 20, 1.7f);
    ASSERT_TRUE(settle(b, 100, 100));
    EXPECT_EQ(b, box(0, 90, 15, 10, 1));
    auto outside = box(120, 10, 20, 20, 0.5f);
    EXPECT_FALSE(settle(outside, 100, 100));
    auto no_number = box(std::numeric_limits<float>::quiet_NaN(), 10, 20, 20, 0.5f);
    EXPECT_FALSE(settle(no_number, 100, 100));
}

}  // namespace
}  // namespace sl::detect
