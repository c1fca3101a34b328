// The measure itself, on cases whose value can be worked out by hand.
#include "tests/support/coco_eval.hpp"

#include <gtest/gtest.h>

namespace sl::test {
namespace {

schema::Box box(float x, float width, float score = 0, int class_id = 0) {
    return {x, 0, width, 10, score, class_id, 0};
}

TEST(CocoEval, PerfectIsOneAndNothingFoundIsZero) {
    EXPECT_DOUBLE_EQ(coco_score({{{box(0, 10)}, {box(0, 10, 0.9f)}}}).map, 1);
    EXPECT_DOUBLE_EQ(coco_score({{{box(0, 10)}, {}}}).map, 0);
    EXPECT_DOUBLE_EQ(coco_score({}).map, 0);
}

TEST(CocoEval, EachOverlapCountsForTheThresholdsItReaches) {
    // Found 0..10, true 0..8: IoU 0.8, which reaches 0.50 … 0.80: 7 of 10.
    const auto score = coco_score({{{box(0, 8)}, {box(0, 10, 0.9f)}}});
    EXPECT_NEAR(score.map, 0.7, 1e-12);
    EXPECT_DOUBLE_EQ(score.map50, 1);
}

TEST(CocoEval, RecallPointsAreInterpolated) {
    // Two true, found in this order: right, wrong, right. Recall 0.5 at precision 1, recall 1 at 2/3:
    // 51 points (0 … 0.50) of 1 and 50 of 2/3.
    const std::vector<Evaluated> images = {
        {{box(0, 10), box(100, 10)}, {box(0, 10, 0.9f), box(50, 10, 0.8f), box(100, 10, 0.7f)}}};
    EXPECT_NEAR(average_precision(images, 0, 0.5), (51 + 50 * 2.0 / 3) / 101, 1e-12);
}

TEST(CocoEval, AMissCostsTheRecallPointsBehindIt) {
    // One of two found: points 0 … 0.50 count, 51 of 101.
    const std::vector<Evaluated> images = {{{box(0, 10), box(100, 10)}, {box(0, 10, 0.9f)}}};
    EXPECT_NEAR(average_precision(images, 0, 0.5), 51.0 / 101, 1e-12);
}

TEST(CocoEval, OneTruthIsFoundOnce) {
    // The second hit on the same truth is wrong, but comes after full recall: no harm. Before it, it does.
    EXPECT_DOUBLE_EQ(average_precision({{{box(0, 10)}, {box(0, 10, 0.9f), box(0, 10, 0.8f)}}}, 0, 0.5), 1);
    EXPECT_DOUBLE_EQ(average_precision({{{box(0, 10)}, {box(50, 10, 0.9f), box(0, 10, 0.8f)}}}, 0, 0.5), 0.5);
}

TEST(CocoEval, ScoresAreRankedOverAllImages) {
    // A strong wrong box in another picture comes first: precision 1/2 at full recall.
    const std::vector<Evaluated> images = {{{box(0, 10)}, {box(0, 10, 0.5f)}}, {{}, {box(0, 10, 0.9f)}}};
    EXPECT_DOUBLE_EQ(average_precision(images, 0, 0.5), 0.5);
}

TEST(CocoEval, ClassesAreAveragedAndStrangersIgnored) {
    // Class 0 perfect, class 1 missed; found boxes of class 2, of which there is none, do not count.
    const std::vector<Evaluated> images = {
        {{box(0, 10, 0, 0), box(50, 10, 0, 1)}, {box(0, 10, 0.9f, 0), box(50, 10, 0.9f, 2)}}};
    const auto score = coco_score(images);
    EXPECT_EQ(score.classes, 2);
    EXPECT_DOUBLE_EQ(score.map, 0.5);
    EXPECT_DOUBLE_EQ(average_precision(images, 2, 0.5), -1);
}

TEST(CocoEval, OnlyAHundredAnImageCount) {
    Evaluated image{{box(0, 10)}, {}};
    for (int i = 0; i < 100; ++i) image.found.push_back(box(500, 10, 0.9f));
    image.found.push_back(box(0, 10, 0.1f));
    EXPECT_DOUBLE_EQ(average_precision({image}, 0, 0.5), 0);
    image.found.erase(image.found.begin());
    EXPECT_DOUBLE_EQ(average_precision({image}, 0, 0.5), 0.01);
}

TEST(CocoEval, ATruthGoesToTheBetterOverlap) {
    // The stronger box overlaps both truths and takes the nearer one; the weaker finds the other.
    const std::vector<Evaluated> images = {{{box(0, 10), box(4, 10)}, {box(3, 10, 0.9f), box(0, 10, 0.8f)}}};
    EXPECT_DOUBLE_EQ(average_precision(images, 0, 0.5), 1);
}

}  // namespace
}  // namespace sl::test
