#include "workers/detect/yolo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace sl::detect {
namespace {
using testing::ElementsAre;
using testing::IsEmpty;

// 64 × 32: strides 8, 16, 32 have 8×4, 4×2 and 2×1 cells, 42 in all. Three classes.
model::Manifest tiny(const std::string& decoding) {
    model::Manifest m;
    m.name = "tiny";
    m.decoding = decoding;
    m.input.width = 64;
    m.input.height = 32;
    m.input.classes = {"a", "b", "c"};
    m.mean = {0, 0, 0};
    m.scale = {1, 1, 1};
    return m;
}
constexpr int cells = 32 + 8 + 2;

struct Cell {
    float x, y, w, h, object;
    std::vector<float> classes;
};

std::vector<float> yolox_output(const std::map<int, Cell>& at) {
    std::vector<float> out(cells * 8, 0);
    for (const auto& [index, c] : at) {
        float* cell = out.data() + index * 8;
        cell[0] = c.x, cell[1] = c.y, cell[2] = c.w, cell[3] = c.h, cell[4] = c.object;
        std::copy(c.classes.begin(), c.classes.end(), cell + 5);
    }
    return out;
}
std::vector<float> yolov8_output(const std::map<int, Cell>& at) {
    std::vector<float> out(cells * 7, 0);
    for (const auto& [index, c] : at) {
        const float values[] = {c.x, c.y, c.w, c.h, c.classes[0], c.classes[1], c.classes[2]};
        for (int row = 0; row < 7; ++row) out[std::size_t(row * cells + index)] = values[row];
    }
    return out;
}

TEST(Yolo, ShapesFollowInputAndClasses) {
    EXPECT_THAT(yolo_shape(tiny("yolox")), ElementsAre(1, cells, 8));
    EXPECT_THAT(yolo_shape(tiny("yolov8")), ElementsAre(1, 7, cells));
    EXPECT_THAT(yolo_shape(tiny("none")), IsEmpty());
    auto nano = tiny("yolox");
    nano.input.width = nano.input.height = 416;
    nano.input.classes.resize(80);
    EXPECT_THAT(yolo_shape(nano), ElementsAre(1, 3549, 85));
}

TEST(Yolo, AnOutputOfAnotherShapeIsRefusedWithBoth) {
    EXPECT_TRUE(check_yolo_shape(tiny("yolox"), std::vector<std::int64_t>{1, cells, 8}, "f.onnx"));
    const auto wrong = check_yolo_shape(tiny("yolox"), std::vector<std::int64_t>{1, 7, cells}, "f.onnx");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, testing::HasSubstr("1x7x42"));
    EXPECT_THAT(wrong.error().message, testing::HasSubstr("1x42x8"));
    EXPECT_FALSE(check_yolo_shape(tiny("none"), std::vector<std::int64_t>{1}, "f.onnx"));
}

TEST(Yolo, XCellsOfEveryStrideLandWhereTheyBelong) {
    const float ln2 = std::log(2.0f);
    const auto output = yolox_output({
        {8 + 3, {0.5f, 0.25f, 0, ln2, 0.8f, {0.1f, 0.5f, 0.2f}}},  // stride 8, row 1, column 3
        {32 + 4 + 2, {0, 0.5f, ln2, 0, 0.5f, {0.9f, 0, 0.1f}}},    // stride 16, row 1, column 2
        {32 + 8 + 1, {0.5f, 0.5f, -ln2, -ln2, 0.6f, {0, 0, 1}}},   // stride 32, row 0, column 1
    });
    // Centres (28, 10), (32, 24), (48, 16); sizes 8×16, 32×16, 16×16.
    EXPECT_THAT(yolo_boxes(tiny("yolox"), output, {}),
                ElementsAre(schema::Box{40, 8, 16, 16, 0.6f, 2, 0}, schema::Box{16, 16, 32, 16, 0.45f, 0, 0},
                            schema::Box{24, 2, 8, 16, 0.4f, 1, 0}));
}

TEST(Yolo, V8TakesPixelsAndTheStrongestClass) {
    const auto output = yolov8_output({
        {0, {20, 10, 8, 4, 0, {0.2f, 0.7f, 0.6f}}},
        {cells - 1, {50, 16, 10, 10, 0, {0.9f, 0, 0}}},
    });
    EXPECT_THAT(yolo_boxes(tiny("yolov8"), output, {}),
                ElementsAre(schema::Box{45, 11, 10, 10, 0.9f, 0, 0}, schema::Box{16, 8, 8, 4, 0.7f, 1, 0}));
}

TEST(Yolo, EqualClassesGiveTheLowestId) {
    const Cell even{20, 10, 8, 4, 1, {0.5f, 0.5f, 0.5f}};
    EXPECT_EQ(yolo_boxes(tiny("yolov8"), yolov8_output({{0, even}}), {}).at(0).class_id, 0);
    EXPECT_EQ(yolo_boxes(tiny("yolox"), yolox_output({{0, {0.5f, 0.5f, 0, 0, 1, even.classes}}}), {})
                  .at(0)
                  .class_id,
              0);
}

TEST(Yolo, ThresholdsSeeTheSettledScore) {
    // 0.2996 settles to 0.300 and counts at 0.3; 0.2994 does not.
    for (const auto& [score, count] : {std::pair{0.2996f, 1u}, std::pair{0.2994f, 0u}}) {
        EXPECT_EQ(
            yolo_boxes(tiny("yolov8"), yolov8_output({{0, {20, 10, 8, 4, 0, {score, 0, 0}}}}), {}).size(),
            count);
        EXPECT_EQ(
            yolo_boxes(tiny("yolox"), yolox_output({{0, {0.5f, 0.5f, 0, 0, score, {1, 0, 0}}}}), {}).size(),
            count);
    }
}

TEST(Yolo, OnlyTheClassesAskedFor) {
    const auto output =
        yolov8_output({{0, {20, 10, 8, 4, 0, {0.6f, 0.7f, 0}}}, {1, {50, 10, 8, 4, 0, {0.5f, 0, 0}}}});
    Thresholds only_a;
    only_a.classes = {true, false, false};
    // The first cell is a "b": it does not become an "a" because nobody asked for b.
    EXPECT_THAT(yolo_boxes(tiny("yolov8"), output, only_a),
                ElementsAre(schema::Box{46, 8, 8, 4, 0.5f, 0, 0}));
}

TEST(Yolo, HugeAndBrokenCellsDoNoHarm) {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const auto output = yolox_output({{0, {0, 0, 200, 200, 1, {1, 0, 0}}},
                                      {1, {nan, 0, 0, 0, 1, {1, 0, 0}}},
                                      {2, {0, 0, 0, 0, nan, {1, 0, 0}}},
                                      {3, {inf, 0, 0, 0, 1, {1, 0, 0}}}});
    for (const auto& box : yolo_boxes(tiny("yolox"), output, {})) {
        EXPECT_GE(box.x, 0);
        EXPECT_LE(box.x + box.width, 64);
        EXPECT_LE(box.y + box.height, 32);
        EXPECT_LE(box.score, 1);
    }
}

TEST(Yolo, InputIsScaledPerChannel) {
    auto m = tiny("yolox");
    m.mean = {1, 2, 3};
    m.scale = {1, 0.5f, 0.25f};
    const std::vector<std::uint8_t> tensor = {1, 255, 2, 255, 3, 255};
    std::vector<float> floats(6);
    yolo_input(m, tensor, floats);
    EXPECT_THAT(floats, ElementsAre(0, 254, 0, 126.5f, 0, 63));
}

}  // namespace
}  // namespace sl::detect
