// Where things are: random boxes through every chain of turn, mirror, fit, crop and letterbox, and back.
#include "workers/preprocess/geometry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "workers/preprocess/operation.hpp"

namespace sl::preprocess {
namespace {

schema::StreamInfo stream_of(int width, int height, int rotation = 0, bool flip = false) {
    schema::StreamInfo out;
    out.width = width;
    out.height = height;
    out.rotation = rotation;
    out.flip = flip;
    return out;
}
schema::PoolSpec pool_of(int width, int height, const std::string& letterbox) {
    schema::PoolSpec out;
    out.width = width;
    out.height = height;
    out.letterbox = letterbox;
    return out;
}
Rect whole(const schema::StreamInfo& s) {
    return {0, 0, double(s.width), double(s.height)};
}
schema::Operation crop(double x, double y, double width, double height) {
    return {"crop", {{"x", x}, {"y", y}, {"width", width}, {"height", height}}};
}
void expect_near(const Rect& a, const Rect& b, double tolerance) {
    EXPECT_NEAR(a.x, b.x, tolerance);
    EXPECT_NEAR(a.y, b.y, tolerance);
    EXPECT_NEAR(a.right(), b.right(), tolerance);
    EXPECT_NEAR(a.bottom(), b.bottom(), tolerance);
}

TEST(Geometry, TurnsByHand) {
    // A decoded frame of 40 × 30; its corner pixel (0, 0) is, once upright,
    const Rect corner{0, 0, 1, 1};
    expect_near(to_canvas(stream_of(40, 30, 0), 40, 30)(corner), {0, 0, 1, 1}, 1e-9);
    expect_near(to_canvas(stream_of(30, 40, 90), 40, 30)(corner), {29, 0, 1, 1}, 1e-9);
    expect_near(to_canvas(stream_of(40, 30, 180), 40, 30)(corner), {39, 29, 1, 1}, 1e-9);
    expect_near(to_canvas(stream_of(30, 40, 270), 40, 30)(corner), {0, 39, 1, 1}, 1e-9);
    expect_near(to_canvas(stream_of(30, 40, 90, true), 40, 30)(corner), {0, 0, 1, 1}, 1e-9);
    expect_near(to_canvas(stream_of(40, 30, 0, true), 40, 30)(corner), {39, 0, 1, 1}, 1e-9);
}

TEST(Geometry, FramesOfAnotherSizeFollowTheFit) {
    auto stream = stream_of(100, 60);
    expect_near(to_canvas(stream, 50, 60)({0, 0, 50, 60}), {0, 0, 100, 60}, 1e-9);
    stream.fit = "pad";
    expect_near(to_canvas(stream, 50, 30)({0, 0, 50, 30}), {0, 0, 50, 30}, 1e-9);
    expect_near(to_canvas(stream, 200, 30)({0, 0, 200, 30}), {0, 0, 100, 30}, 1e-9);
}

TEST(Geometry, LetterboxByHand) {
    const auto stream = stream_of(768, 576);
    const auto top = place(stream, pool_of(416, 416, "top_left"), whole(stream), 768, 576, 2, 2);
    EXPECT_EQ(top.width, 416);
    EXPECT_EQ(top.height, 312);
    EXPECT_EQ(top.y, 0);
    const auto center = place(stream, pool_of(416, 416, "center"), whole(stream), 768, 576, 2, 2);
    EXPECT_EQ(center.y, 52);
    EXPECT_EQ(*schema::to_canvas(center.mapping, {0, 52, 416, 312, 0, 0, 0}),
              (schema::Box{0, 0, 768, 576, 0, 0, 0}));
    const auto stretch = place(stream, pool_of(416, 416, "stretch"), whole(stream), 768, 576, 2, 2);
    EXPECT_EQ(stretch.height, 416);
    EXPECT_EQ(*schema::to_canvas(stretch.mapping, {208, 208, 208, 208, 0, 0, 0}),
              (schema::Box{384, 288, 384, 288, 0, 0, 0}));
}

TEST(Geometry, NarrowPixelsAreShownAtTheirAspect) {
    auto stream = stream_of(720, 576);
    stream.sar = {64, 45};  // 16:9
    const auto at = place(stream, pool_of(640, 640, "center"), whole(stream), 720, 576, 2, 2);
    EXPECT_EQ(at.width, 640);
    EXPECT_EQ(at.height, 360);
}

TEST(Geometry, BoxesInThePaddingAreNoBoxes) {
    const auto stream = stream_of(768, 576);
    const auto at = place(stream, pool_of(416, 416, "top_left"), whole(stream), 768, 576, 2, 2);
    EXPECT_FALSE(schema::to_canvas(at.mapping, {10, 320, 50, 50, 0.9f, 0, 0}));
    const auto partly = schema::to_canvas(at.mapping, {10, 300, 52, 52, 0.9f, 7, 1});
    ASSERT_TRUE(partly);
    EXPECT_FLOAT_EQ(partly->y + partly->height, 576);
    EXPECT_EQ(partly->class_id, 7);
    EXPECT_EQ(partly->pool, 1);
    EXPECT_EQ(partly->score, 0.9f);
}

TEST(Geometry, ACropOutsideOfASmallPictureSeesNothing) {
    auto stream = stream_of(1000, 1000);
    stream.fit = "pad";
    const auto at = place(stream, pool_of(416, 416, "center"), {600, 600, 100, 100}, 500, 500, 2, 2);
    EXPECT_EQ(at.src_width, 0);
    EXPECT_FALSE(schema::to_canvas(at.mapping, {0, 0, 416, 416, 1, 0, 0}));
}

TEST(Geometry, EveryChainLeadsBackToTheSamePixel) {
    std::mt19937 random(7);
    const auto number = [&](double low, double high) {
        return std::uniform_real_distribution(low, high)(random);
    };
    const auto whole_number = [&](int low, int high) {
        return std::uniform_int_distribution(low, high)(random);
    };
    int seen_boxes = 0;
    for (int round = 0; round < 20000; ++round) {
        auto stream = stream_of(whole_number(16, 4100), whole_number(16, 2300), 90 * whole_number(0, 3),
                                whole_number(0, 1) == 1);
        stream.fit = whole_number(0, 1) ? "pad" : "scale";
        stream.sar = {whole_number(1, 3), whole_number(1, 3)};
        const bool same = whole_number(0, 3) > 0, sideways = stream.rotation % 180 != 0;
        const int width = same ? (sideways ? stream.height : stream.width) : whole_number(16, 4100);
        const int height = same ? (sideways ? stream.width : stream.height) : whole_number(16, 2300);
        const char* modes[] = {"top_left", "center", "stretch"};
        const auto pool = pool_of(whole_number(32, 700), whole_number(32, 700), modes[whole_number(0, 2)]);
        std::vector<schema::Operation> chain;
        for (int n = whole_number(0, 2); n > 0; --n) {
            const double x = number(0, 0.6), y = number(0, 0.6);
            chain.push_back(crop(x, y, number(0.05, 1 - x), number(0.05, 1 - y)));
        }
        ASSERT_TRUE(check_operations(chain));
        const Rect seen = seen_part(chain, whole(stream));
        const int align = whole_number(1, 2);
        const auto at = place(stream, pool, seen, width, height, align, align);
        if (at.src_width == 0) continue;  // nothing is seen of it
        ++seen_boxes;

        // What is read lies in the frame, on chroma samples, and covers what should be seen.
        ASSERT_GE(at.src_x, 0);
        ASSERT_GE(at.src_y, 0);
        ASSERT_LE(at.src_x + at.src_width, width);
        ASSERT_LE(at.src_y + at.src_height, height);
        ASSERT_EQ(at.src_x % align, 0);
        ASSERT_EQ(at.src_y % align, 0);
        ASSERT_LE(at.x + at.width, pool.width);
        ASSERT_LE(at.y + at.height, pool.height);
        const Affine up = to_canvas(stream, width, height);
        const Rect source{double(at.src_x), double(at.src_y), double(at.src_width), double(at.src_height)};
        const Rect should = intersect(seen, up({0, 0, double(width), double(height)}));
        const Rect is = up(source);
        ASSERT_LE(is.x, should.x + 1e-3);
        ASSERT_LE(is.y, should.y + 1e-3);
        ASSERT_GE(is.right(), should.right() - 1e-3);
        ASSERT_GE(is.bottom(), should.bottom() - 1e-3);

        // A box of the seen part, on the model, by the mapping, and by way of the decoded frame: the same.
        const auto& m = at.mapping;
        const Affine back = Affine{m.xx, m.xy, m.x0, m.yx, m.yy, m.y0}.inverse();
        const Rect room = back(should);
        const double x = number(room.x, room.right()), y = number(room.y, room.bottom());
        const schema::Box box{float(x),
                              float(y),
                              float(number(0.1, 1) * (room.right() - x)),
                              float(number(0.1, 1) * (room.bottom() - y)),
                              0.5f,
                              3,
                              0};
        const auto mapped = schema::to_canvas(m, box);
        ASSERT_TRUE(mapped);
        const Rect on_canvas{mapped->x, mapped->y, mapped->width, mapped->height};
        const Rect in_frame = up.inverse()(on_canvas);
        expect_near(up(in_frame), on_canvas, 1e-3);
        ASSERT_GE(in_frame.x, at.src_x - 1e-2);
        ASSERT_LE(in_frame.bottom(), at.src_y + at.src_height + 1e-2);
        // Canvas coordinates travel as floats: 1e-3 canvas pixels, in model pixels.
        const double tolerance = 1e-3 * std::max({1.0, 1 / m.xx, 1 / m.yy});
        expect_near(back(on_canvas), {box.x, box.y, box.width, box.height}, tolerance);
        if (testing::Test::HasFailure()) FAIL() << "round " << round;
    }
    EXPECT_GT(seen_boxes, 15000);
}

TEST(Geometry, MappingsTravel) {
    const schema::Mapping mapping{1.5, 0, 2, 0, 0.5, 3, 4, 5, 6, 7};
    msgpack::sbuffer bytes;
    msgpack::pack(bytes, mapping);
    EXPECT_EQ(msgpack::unpack(bytes.data(), bytes.size()).get().as<schema::Mapping>(), mapping);
}

TEST(Operations, CropArgumentsAreChecked) {
    const auto refused = [](const schema::Operation& operation, const std::string& why) {
        const auto fine = check_operations(std::span(&operation, 1));
        EXPECT_FALSE(fine) << why;
        if (fine) return;
        EXPECT_EQ(fine.error().code, Errc::invalid_argument);
        EXPECT_THAT(fine.error().message, testing::HasSubstr(why));
        EXPECT_NE(fine.error().hint, "");
    };
    refused({"blur", {}}, "no operation 'blur'");
    refused({"crop", {{"x", 0}, {"y", 0}, {"width", 1}}}, "lacks 'height'");
    refused({"crop", {{"x", 0}, {"y", 0}, {"width", 1}, {"height", 1}, {"w", 1}}}, "no argument 'w'");
    refused(crop(-0.1, 0, 1, 1), "x=-0.1");
    refused(crop(0, 0, 1, 20), "height=20");
    refused(crop(0, std::nan(""), 1, 1), "y=nan");
    refused(crop(0, 0, 0, 1), "leaves nothing");
    refused(crop(0.5, 0, 0.6, 1), "x + width is over 1");
    refused(crop(0, 0.5, 1, 0.6), "y + height is over 1");
    EXPECT_TRUE(check_operations(std::vector{crop(0.1, 0.2, 0.9, 0.8)}));
    EXPECT_TRUE(check_operations({}));
}

TEST(Operations, CropsAreFractionsOfTheWholeFrame) {
    const Rect canvas{0, 0, 200, 100};
    expect_near(seen_part(std::vector{crop(0.25, 0.5, 0.5, 0.5)}, canvas), {50, 50, 100, 50}, 1e-9);
    expect_near(seen_part(std::vector{crop(0, 0, 0.5, 1), crop(0.25, 0, 0.75, 1)}, canvas), {50, 0, 50, 100},
                1e-9);
    EXPECT_TRUE(seen_part(std::vector{crop(0, 0, 0.5, 1), crop(0.5, 0, 0.5, 1)}, canvas).empty());
}

}  // namespace
}  // namespace sl::preprocess
