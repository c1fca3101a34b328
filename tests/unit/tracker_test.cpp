// Who is who from frame to frame: objects that cross, hide, grow faint; and that nothing depends on where a
// stream is cut.
#include "workers/annotate/tracker.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace sl::annotate {
namespace {
using schema::Box;
using schema::FrameBoxes;
using testing::Each;
using testing::ElementsAre;

// 10 detected frames a second, of a stream of milliseconds.
FrameBoxes frame(std::int64_t n, std::vector<Box> boxes) {
    return {n, n * 100, std::move(boxes)};
}
Box person(double x, float score = 0.9f, double y = 100) {
    return {float(x), float(y), 40, 100, score, 0, 0};
}

class TrackerTest : public testing::Test {
protected:
    // The tracks of the boxes of each frame.
    std::vector<std::vector<std::int64_t>> follow(const std::vector<std::vector<Box>>& boxes, int every = 1) {
        Tracker tracker(spec_, {1, 1000});
        std::vector<std::vector<std::int64_t>> out;
        for (std::size_t i = 0; i < boxes.size(); i += std::size_t(every)) {
            out.emplace_back();
            for (const Box& b : tracker.update(frame(std::int64_t(i), boxes[i])))
                out.back().push_back(b.track);
        }
        return out;
    }
    schema::TrackerSpec spec_;
};

TEST_F(TrackerTest, CountsFromTheSecondFrameInARow) {
    EXPECT_THAT(follow({{person(0)}, {person(4)}, {person(8)}}),
                ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(1)));
    spec_.confirm_frames = 1;
    EXPECT_THAT(follow({{person(0)}}), ElementsAre(ElementsAre(1)));
    spec_.confirm_frames = 3;
    EXPECT_THAT(follow({{person(0)}, {person(0)}, {}, {person(0)}, {person(0)}, {person(0)}}).back(),
                ElementsAre(1))
        << "the run that was broken counts for nothing, and takes no number";
}

TEST_F(TrackerTest, WhoCrossesKeepsTheNumber) {
    // One walks to the right, one to the left, a little below; they meet at frame 20.
    std::vector<std::vector<Box>> boxes;
    for (int i = 0; i < 40; ++i) boxes.push_back({person(100 + 8 * i), person(420 - 8 * i, 0.8f, 110)});
    for (const int every : {1, 2}) {
        const auto tracks = follow(boxes, every);
        for (std::size_t i = 1; i < tracks.size(); ++i) EXPECT_THAT(tracks[i], ElementsAre(1, 2)) << every;
    }
}

TEST_F(TrackerTest, WhoIsHiddenForAWhileIsKnownAgain) {
    const auto scene = [](int hidden) {
        std::vector<std::vector<Box>> boxes;
        for (int i = 0; i < 60; ++i)
            boxes.push_back(i >= 20 && i < 20 + hidden ? std::vector<Box>{} : std::vector{person(5 * i)});
        return boxes;
    };
    EXPECT_THAT(follow(scene(15)).back(), ElementsAre(1));
    EXPECT_THAT(follow(scene(30)).back(), ElementsAre(2)) << "longer than keep_s";
    spec_.kind = "sort";
    EXPECT_THAT(follow(scene(15)).back(), ElementsAre(2));
}

TEST_F(TrackerTest, WeakBoxesKeepATrackAndBeginNone) {
    std::vector<std::vector<Box>> boxes;
    for (int i = 0; i < 30; ++i) boxes.push_back({person(5 * i, i >= 10 && i < 20 ? 0.2f : 0.9f)});
    auto tracks = follow(boxes);
    tracks.erase(tracks.begin());
    EXPECT_THAT(tracks, Each(ElementsAre(1)));
    spec_.kind = "sort";
    EXPECT_THAT(follow(boxes)[15], ElementsAre(0));
    EXPECT_THAT(follow(boxes).back(), ElementsAre(2));

    spec_.kind = "bytetrack";
    EXPECT_THAT(follow(std::vector<std::vector<Box>>(5, {person(0, 0.4f)})), Each(ElementsAre(0)));
    EXPECT_THAT(follow({{person(0)}, {person(0)}, {person(0, 0.05f)}}).back(), ElementsAre(0)) << "below low";
}

TEST_F(TrackerTest, StrongBoxesChooseFirst) {
    // The weak box fits better where the object is thought to be, the strong one is taken.
    EXPECT_THAT(follow({{person(0)}, {person(0)}, {person(6), person(0, 0.3f)}}).back(), ElementsAre(1, 0));
}

TEST_F(TrackerTest, ClassesAndPoolsAreFollowedApart) {
    Box dog = person(0), other = person(0);
    dog.class_id = 1;
    other.pool = 1;
    EXPECT_THAT(follow({{person(0)}, {person(0)}, {dog}, {dog}}).back(), ElementsAre(2));
    EXPECT_THAT(follow({{person(0), other}, {person(0), other}, {other, person(0)}}).back(),
                ElementsAre(2, 1));
}

TEST_F(TrackerTest, NothingIsTrackedByNone) {
    spec_.kind = "none";
    Box numbered = person(0);
    numbered.track = 7;
    EXPECT_THAT(follow(std::vector<std::vector<Box>>(4, {numbered})), Each(ElementsAre(0)));
}

TEST_F(TrackerTest, AfterAMinuteNobodyIsKnown) {
    Tracker tracker(spec_, {1, 1000});
    for (const std::int64_t ms : {0, 100, 200, 70'000}) (void)tracker.update({ms, ms, {person(0)}});
    EXPECT_EQ(tracker.update({1, 70'100, {person(0)}})[0].track, 2);
}

// A crowd that walks, hides and flickers; the same for the same seed.
std::vector<FrameBoxes> crowd(unsigned seed, int frames, int people) {
    std::mt19937 random(seed);
    const auto below = [&](int n) { return int(random() % unsigned(n)); };
    struct Walker {
        double x, y, dx, dy;
    };
    std::vector<Walker> walkers;
    for (int i = 0; i < people; ++i)
        walkers.push_back({double(below(700)), double(below(400)), below(17) - 8.0, below(9) - 4.0});
    std::vector<FrameBoxes> out;
    for (int f = 0; f < frames; ++f) {
        std::vector<Box> boxes;
        for (auto& w : walkers) {
            w.x += w.dx;
            w.y += w.dy;
            if (below(10) == 0) continue;
            boxes.push_back({float(w.x + below(5) - 2), float(w.y + below(5) - 2), float(38 + below(5)),
                             float(95 + below(11)), float(10 + below(90)) / 100, below(12) == 0 ? 1 : 0, 0});
        }
        std::ranges::sort(boxes, std::greater{}, &Box::score);
        out.push_back(frame(f, std::move(boxes)));
    }
    return out;
}

TEST_F(TrackerTest, CutsChangeNothing) {
    for (const unsigned seed : {1u, 2u, 3u}) {
        const auto frames = crowd(seed, 120, 25);
        Tracker whole(spec_, {1, 1000});
        schema::Bytes state;
        std::int64_t most = 0;
        for (const FrameBoxes& f : frames) {
            Tracker cut(spec_, {1, 1000});
            ASSERT_TRUE(cut.load(state));
            const auto expected = whole.update(f), boxes = cut.update(f);
            ASSERT_EQ(boxes, expected) << seed << " frame " << f.frame;
            state = cut.save();
            ASSERT_EQ(state, whole.save()) << seed << " frame " << f.frame;
            for (const Box& b : boxes) most = std::max(most, b.track);
        }
        EXPECT_GT(most, 10) << "nothing was followed";
    }
}

TEST_F(TrackerTest, EachTrackIsOnOneBoxAFrame) {
    Tracker tracker(spec_, {1, 1000});
    for (const FrameBoxes& f : crowd(4, 100, 60)) {
        std::map<std::int64_t, int> count;
        for (const Box& b : tracker.update(f)) ++count[b.track];
        for (const auto& [track, boxes] : count) EXPECT_TRUE(track == 0 || boxes == 1) << track;
    }
}

TEST_F(TrackerTest, BoxesComeBackInTheirOrderAndOnlyNumbered) {
    Tracker tracker(spec_, {1, 1000});
    for (FrameBoxes f : crowd(5, 30, 20)) {
        auto boxes = tracker.update(f);
        for (Box& b : boxes) b.track = 0;
        EXPECT_EQ(boxes, f.boxes);
    }
}

TEST_F(TrackerTest, NonsenseIsNotFollowed) {
    Tracker tracker(spec_, {1, 1000});
    const Box nan{NAN, 0, 10, 10, 0.9f, 0, 0}, flat{0, 0, 10, 0, 0.9f, 0, 0},
        far{0, INFINITY, 10, 10, 0.9f, 0, 0};
    for (int i = 0; i < 5; ++i)
        for (const Box& b : tracker.update(frame(i, {nan, flat, far}))) EXPECT_EQ(b.track, 0);
    (void)tracker.update(frame(3, {person(0)}));  // time goes back
    EXPECT_TRUE(Tracker(spec_, {1, 1000}).load(tracker.save()));
}

TEST_F(TrackerTest, TheStateIsBoundedHoweverManyBoxesCome) {
    Tracker tracker(spec_, {1, 1000});
    for (int f = 0; f < 8; ++f) {
        std::vector<Box> boxes;
        for (int i = 0; i < 2000; ++i)
            boxes.push_back({float(i % 50 * 50), float(i / 50 * 120), 40, 100, 0.9f, f / 2, 0});
        EXPECT_EQ(tracker.update(frame(f, boxes)).size(), 2000u);
    }
    EXPECT_LT(tracker.save().size(), 150'000u);
}

TEST_F(TrackerTest, AStateThatIsNoneIsRefusedAndChangesNothing) {
    Tracker tracker(spec_, {1, 1000});
    for (int i = 0; i < 3; ++i) (void)tracker.update(frame(i, {person(0)}));
    const schema::Bytes before = tracker.save();
    schema::Bytes cut(before.begin(), before.end() - 3);
    for (const schema::Bytes& bad :
         {cut, schema::Bytes{0xc1}, schema::Bytes{0x81, 0xa6, 't', 'r', 'a', 'c', 'k', 's', 0x91, 0x80}}) {
        const auto loaded = tracker.load(bad);
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code, Errc::bad_message);
        EXPECT_EQ(tracker.save(), before);
    }
    ASSERT_TRUE(tracker.load({}));
    EXPECT_EQ(tracker.save(), Tracker(spec_, {1, 1000}).save());
}

TEST_F(TrackerTest, MovesABoxAsFastAsItsTrackWas) {
    Tracker tracker(spec_, {1, 1000});
    Box last;
    for (int i = 0; i < 30; ++i) last = tracker.update(frame(i, {person(100 + 6 * i)}))[0];
    const Box moved = tracker.moved(last, 2900, 3200);
    EXPECT_NEAR(moved.x, last.x + 18, 2);
    EXPECT_NEAR(moved.y, last.y, 1);
    EXPECT_EQ(moved.width, last.width);
    EXPECT_EQ(tracker.moved(last, 2900, 3900), tracker.moved(last, 2900, 9900)) << "for a second at most";
    last.track = 0;
    EXPECT_EQ(tracker.moved(last, 2900, 3200), last);
}

}  // namespace
}  // namespace sl::annotate
