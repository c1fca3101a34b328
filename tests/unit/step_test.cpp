// The ordered step: tracks, then rules; and what the frames of a chunk show, sampled or between two samples.
#include "workers/annotate/step.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/tracking.hpp"
#include "schema/codec.hpp"
#include "workers/annotate/shown.hpp"

namespace sl::annotate {
namespace {
using schema::Box;
using schema::Detections;
using schema::FrameBoxes;
using schema::StreamState;
using testing::ElementsAre;

// 30 frames a second of 1000 ticks each; every third is detected.
constexpr int every = 3;

class StepTest : public testing::Test {
protected:
    StepTest() {
        spec_.job = "01J";
        spec_.confidence = 0.3;
        spec_.pools.resize(1);
        spec_.pools[0].name = "detect/test@1";
        spec_.pools[0].classes = {"person"};
        stream_.name = "a.mp4";
        stream_.source = "file";
        stream_.time_base = {1, 30'000};
        stream_.width = 800;
        stream_.height = 600;
    }
    static Box person(double x, float score = 0.9f) { return {float(x), 100, 40, 100, score, 0, 0}; }
    // Walks six pixels a sample.
    static FrameBoxes sample(int n, float score = 0.9f) {
        return {n * every, n * every * 1000, {person(6 * n, score)}};
    }
    static Detections walk(int from, int to) {
        Detections d;
        for (int n = from; n < to; ++n) d.frames.push_back(sample(n));
        return d;
    }
    Stepped step(const StreamState& before, const Detections& d) const {
        return annotate::step(spec_, stream_, before, d);
    }
    // What frames [from, to) show, by the x of their box; NAN: none.
    std::vector<double> shown(const StreamState& before, const Stepped& stepped, int from, int to) const {
        const schema::Row row;
        Shown shown({spec_, stream_, row}, before.last, stepped);
        std::vector<double> out;
        for (int f = from; f < to; ++f) {
            EXPECT_EQ(shown.advance(f, f * 1000), stepped.tracked.frames.size() > 0 && f % every == 0) << f;
            out.push_back(shown.boxes().empty() ? NAN : double(shown.boxes()[0].x));
        }
        return out;
    }
    schema::JobSpec spec_;
    schema::StreamInfo stream_;
};

TEST_F(StepTest, WhatIsShownIsOfTheConfidenceAndNumbered) {
    Detections d = walk(0, 3);
    d.frames.push_back(sample(3, 0.2f));  // keeps the track, and is not shown
    d.frames.push_back(sample(4));
    d.frames[4].boxes.push_back(person(500, 0.4f));  // too weak to begin a track, but shown
    d.dropped = 2;
    const Stepped out = step({}, d);
    ASSERT_EQ(out.tracked.frames.size(), 5u);
    EXPECT_EQ(out.tracked.dropped, 2);
    EXPECT_EQ(out.tracked.frames[0].boxes[0].track, 0) << "seen once";
    EXPECT_EQ(out.tracked.frames[1].boxes[0].track, 1);
    EXPECT_TRUE(out.tracked.frames[3].boxes.empty());
    ASSERT_EQ(out.tracked.frames[4].boxes.size(), 2u);
    EXPECT_EQ(out.tracked.frames[4].boxes[0].track, 1);
    EXPECT_EQ(out.tracked.frames[4].boxes[1].track, 0);
    EXPECT_EQ(out.next.detected, 5);
    EXPECT_EQ(out.next.last.frame, 12);
    EXPECT_EQ(out.next.last.boxes, out.tracked.frames[4].boxes);
}

TEST_F(StepTest, CutsChangeNothing) {
    const Detections d = walk(0, 40);
    const Stepped whole = step({}, d);
    for (const std::size_t length : {1, 2, 7, 39}) {
        StreamState state;
        Detections tracked;
        for (std::size_t at = 0; at < d.frames.size(); at += length) {
            Detections part;
            for (std::size_t i = at; i < std::min(at + length, d.frames.size()); ++i)
                part.frames.push_back(d.frames[i]);
            const Stepped one = step(state, part);
            state = one.next;
            tracked.frames.insert(tracked.frames.end(), one.tracked.frames.begin(), one.tracked.frames.end());
        }
        EXPECT_EQ(schema::encode(state), schema::encode(whole.next)) << length;
        EXPECT_EQ(schema::encode(tracked), schema::encode(whole.tracked)) << length;
    }
}

TEST_F(StepTest, NothingDetectedChangesNothing) {
    const Stepped before = step({}, walk(0, 5));
    EXPECT_EQ(schema::encode(step(before.next, {}).next), schema::encode(before.next));
}

TEST_F(StepTest, PicturesOfAFolderAreNotTracked) {
    stream_.source = "images";
    const Stepped out = step({}, walk(0, 4));
    for (const FrameBoxes& f : out.tracked.frames) EXPECT_EQ(f.boxes[0].track, 0);
    EXPECT_TRUE(out.next.tracker.empty());
    const auto pictures = shown({}, out, 0, 4);
    EXPECT_EQ(pictures[0], 0);
    EXPECT_TRUE(std::isnan(pictures[1])) << "a picture that was not looked at shows nothing";
    EXPECT_EQ(pictures[3], 6);
}

TEST_F(StepTest, AStateOfNobodyBeginsAnew) {
    StreamState bad;
    bad.tracker = {1, 2, 3};
    EXPECT_EQ(schema::encode(step(bad, walk(0, 4)).tracked), schema::encode(step({}, walk(0, 4)).tracked));
}

TEST_F(StepTest, DetectEmitsWhatTheTrackerWants) {
    EXPECT_EQ(detect_confidence(spec_), 0.1);
    EXPECT_EQ(detect_confidence(spec_, "images"), 0.3);
    spec_.confidence = 0.05;
    EXPECT_EQ(detect_confidence(spec_), 0.05);
    spec_.confidence = 0.6;
    spec_.tracker.kind = "sort";
    EXPECT_EQ(detect_confidence(spec_), 0.5);
    spec_.tracker.kind = "none";
    EXPECT_EQ(detect_confidence(spec_), 0.6);
}

TEST_F(StepTest, BetweenTwoSamplesBoxesAreOnTheirWay) {
    const Stepped out = step({}, walk(0, 4));
    // The first sample's box has no number yet: it is held. Behind the last one the track goes on.
    const auto x = shown({}, out, 0, 12);
    for (const int f : {0, 1, 2}) EXPECT_EQ(x[std::size_t(f)], 0) << f;
    for (int f = 3; f <= 9; ++f) EXPECT_NEAR(x[std::size_t(f)], 2 * f, 1e-4) << f;
    EXPECT_GT(x[10], 18);
    EXPECT_GT(x[11], x[10]);
    EXPECT_LT(x[11], 24);
}

TEST_F(StepTest, TheWayGoesOnAcrossChunks) {
    const Stepped first = step({}, walk(0, 3));
    const Stepped second = step(first.next, walk(3, 5));
    // The chunk begins at frame 7, one after the sample 6 of the chunk before.
    const auto x = shown(first.next, second, 7, 13);
    for (int i = 0; i < 6; ++i) EXPECT_NEAR(x[std::size_t(i)], 2 * (7 + i), 1e-4) << i;
}

TEST_F(StepTest, AChunkWithoutSamplesGoesOnAsItWas) {
    const Stepped first = step({}, walk(0, 20));
    const Stepped second = step(first.next, {});
    const auto x = shown(first.next, second, 58, 64);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(x[i], 2 * double(58 + i), 1.5) << i;
}

TEST_F(StepTest, WhoIsNotOnTheNextSampleIsHeldUntilThen) {
    Detections d = walk(0, 3);
    d.frames.push_back({9, 9000, {}});
    const auto x = shown({}, step({}, d), 0, 12);
    EXPECT_EQ(x[7], 12);
    EXPECT_EQ(x[8], 12);
    for (const std::size_t f : {9u, 10u, 11u}) EXPECT_TRUE(std::isnan(x[f])) << f;
}

TEST_F(StepTest, WithoutATrackerBoxesAreHeld) {
    spec_.tracker.kind = "none";
    EXPECT_THAT(shown({}, step({}, walk(0, 3)), 0, 8), ElementsAre(0, 0, 0, 6, 6, 6, 12, 12));
}

}  // namespace
}  // namespace sl::annotate
