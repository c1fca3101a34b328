#include "common/media/motion.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>

#include "common/media/libav.hpp"

namespace sl::media {
namespace {

constexpr std::int64_t ms = 1'000'000;

// A textured scene with noise of the sensor, and things in it.
class Scene {
public:
    explicit Scene(int width = 640, int height = 360, int noise = 6)
        : width_(width), height_(height), noise_(noise) {}

    FramePtr frame(int x = -1, int y = 0, int w = 0, int h = 0, int luma = 0, int brighter = 0) {
        auto f = new_frame();
        f->format = AV_PIX_FMT_YUV420P;
        f->width = width_;
        f->height = height_;
        if (av_frame_get_buffer(f.get(), 0) < 0) throw std::bad_alloc();
        for (int py = 0; py < height_; ++py)
            for (int px = 0; px < width_; ++px) {
                const bool inside = x >= 0 && px >= x && px < x + w && py >= y && py < y + h;
                const int scene = inside ? luma : 80 + (px * 7 + py * 3) % 60 + brighter;
                const int noise = noise_ ? int(random_() % std::uint32_t(2 * noise_ + 1)) - noise_ : 0;
                f->data[0][py * f->linesize[0] + px] = std::uint8_t(std::clamp(scene + noise, 0, 255));
            }
        return f;
    }

private:
    const int width_, height_, noise_;
    std::mt19937 random_{7};
};

schema::MotionSpec spec() {
    return {true, 0.004, 1000};
}

TEST(MotionGate, NoiseIsStill) {
    for (const int noise : {0, 4, 12}) {
        Scene scene(640, 360, noise);
        MotionGate gate(spec());
        EXPECT_FALSE(gate.still(*scene.frame(), 0));  // nothing to compare with
        for (int i = 1; i < 50; ++i)
            EXPECT_TRUE(gate.still(*scene.frame(), i * 200 * ms)) << noise << " " << i;
        EXPECT_THAT(gate.moving(), ::testing::IsEmpty());
    }
}

TEST(MotionGate, SomethingThatWalksIsSeenOnEveryFrameAndWhereItIs) {
    Scene scene;
    MotionGate gate(spec());
    for (int i = 0; i < 10; ++i) gate.still(*scene.frame(), i * 200 * ms);
    for (int i = 0; i < 20; ++i) {
        const int x = 40 + 16 * i;
        ASSERT_FALSE(gate.still(*scene.frame(x, 120, 40, 96, 200), (10 + i) * 200 * ms)) << i;
        const auto boxes = gate.moving();
        ASSERT_FALSE(boxes.empty());
        // What it left behind may be in the box, too; where it is must be.
        EXPECT_LE(boxes[0].x, float(x + 8));
        EXPECT_GE(boxes[0].x + boxes[0].width, float(x + 32));
        EXPECT_NEAR(boxes[0].y, 120, 8);
        EXPECT_NEAR(boxes[0].height, 96, 16);
    }
    EXPECT_GT(gate.share(), 0.004);
}

TEST(MotionGate, WhatStopsBecomesPartOfTheScene) {
    Scene scene;
    MotionGate gate(spec());
    for (int i = 0; i < 10; ++i) gate.still(*scene.frame(), i * 200 * ms);
    int seen = 0;
    for (int i = 10; i < 100; ++i) seen += !gate.still(*scene.frame(200, 100, 60, 120, 220), i * 200 * ms);
    EXPECT_GT(seen, 5);   // a second
    EXPECT_LT(seen, 60);  // twelve seconds
    // And is seen when it leaves.
    EXPECT_FALSE(gate.still(*scene.frame(), 100 * 200 * ms));
}

TEST(MotionGate, IsDetectedInFullNowAndThen) {
    Scene scene;
    auto s = spec();
    s.full_every_s = 2;
    MotionGate gate(s);
    for (int i = 0; i < 41; ++i) EXPECT_EQ(gate.still(*scene.frame(), i * 200 * ms), i % 10 != 0) << i;
}

TEST(MotionGate, AnotherSizeATimeThatGoesBackAndOffAreNotStill) {
    Scene scene, small(320, 240);
    MotionGate gate(spec());
    gate.still(*scene.frame(), 0);
    EXPECT_TRUE(gate.still(*scene.frame(), 200 * ms));
    EXPECT_FALSE(gate.still(*small.frame(), 400 * ms));
    EXPECT_TRUE(gate.still(*small.frame(), 600 * ms));
    EXPECT_FALSE(gate.still(*small.frame(), 100 * ms));
    auto s = spec();
    s.on = false;
    MotionGate off(s);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(off.still(*scene.frame(), i * 200 * ms));
}

TEST(MotionGate, LightThatChangesIsMotionOnceAndThenTheScene) {
    Scene scene;
    MotionGate gate(spec());
    for (int i = 0; i < 10; ++i) gate.still(*scene.frame(), i * 200 * ms);
    EXPECT_FALSE(gate.still(*scene.frame(-1, 0, 0, 0, 0, 40), 10 * 200 * ms));
    int seen = 0;
    for (int i = 11; i < 100; ++i) seen += !gate.still(*scene.frame(-1, 0, 0, 0, 0, 40), i * 200 * ms);
    EXPECT_LT(seen, 60);
}

TEST(MotionGate, WhatAlwaysFlickersIsStillInTheEnd) {
    Scene scene;
    MotionGate gate(spec());
    int seen = 0;
    for (int i = 0; i < 200; ++i) {
        const bool on = i % 2;
        const bool still = gate.still(
            *(on ? scene.frame(300, 40, 80, 60, 120) : scene.frame(300, 40, 80, 60, 100)), i * 200 * ms);
        if (i >= 100) seen += !still;
    }
    EXPECT_EQ(seen, 0);
}

TEST(MotionGate, TheSameFramesGiveTheSameAnswers) {
    std::vector<std::vector<schema::Box>> runs[2];
    for (auto& run : runs) {
        Scene scene;
        MotionGate gate(spec());
        for (int i = 0; i < 30; ++i) {
            gate.still(*scene.frame(10 * i, 50, 50, 80, 30), i * 200 * ms);
            run.push_back(gate.moving());
        }
    }
    EXPECT_EQ(runs[0], runs[1]);
}

TEST(MotionGate, TinyPictures) {
    for (const int side : {1, 7, 8, 9, 16}) {
        Scene scene(side, side);
        MotionGate gate(spec());
        for (int i = 0; i < 5; ++i) gate.still(*scene.frame(), i * 200 * ms);
        EXPECT_THAT(gate.moving(), ::testing::IsEmpty());
    }
}

TEST(Motion, TwoThingsAreTwoRegionsTheLargestFirst) {
    Scene scene(640, 360, 0);
    auto now = scene.frame(48, 48, 32, 64, 220);
    for (int y = 200; y < 296; ++y)
        for (int x = 400; x < 496; ++x) now->data[0][y * now->linesize[0] + x] = 10;
    const auto before = cells_of(*scene.frame()), after = cells_of(*now);
    const auto boxes = regions(after, changed(before, after));
    ASSERT_EQ(boxes.size(), 2u);
    EXPECT_EQ(boxes[0], (schema::Box{400, 200, 96, 96, 1, 0, 0, 0}));
    EXPECT_EQ(boxes[1], (schema::Box{48, 48, 32, 64, 1, 0, 0, 0}));
    EXPECT_THAT(changed(Cells{}, after), ::testing::Each(0));
}

}  // namespace
}  // namespace sl::media
