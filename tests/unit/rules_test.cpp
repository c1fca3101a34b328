#include "workers/annotate/rules.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "schema/codec.hpp"
#include "workers/annotate/step.hpp"

namespace sl::annotate {
namespace {

using schema::Alert;
using schema::Box;
using schema::Detections;
using schema::FrameBoxes;
using schema::StreamState;
using testing::ElementsAre;

Box box(std::int32_t class_id, float score, std::int32_t pool = 0, float x = 1) {
    return {x, 2, 3, 4, score, class_id, pool};
}

// 10 detected frames a second, of a stream of 90,000 ticks a second that begins at 1000.
FrameBoxes frame(std::int64_t n, std::vector<Box> boxes) {
    return {n, 1000 + n * 9000, std::move(boxes)};
}

class RulesTest : public testing::Test {
protected:
    RulesTest() {
        spec_.job = "01J";
        spec_.tracker.kind = "none";
        spec_.pools.resize(2);
        spec_.pools[0].classes = {"person", "dog"};
        spec_.pools[1].classes = {"dog", "car"};
        spec_.rules = {{"watch", {"person"}, 0.5, 3, 1.0}};
        info_.name = "cam/a.mp4";
        info_.time_base = {1, 90000};
        info_.start_pts = 1000;
    }
    // Frame i holds boxes[i].
    std::vector<std::int64_t> fired(const std::vector<std::vector<Box>>& boxes) {
        Detections d;
        for (std::size_t i = 0; i < boxes.size(); ++i) d.frames.push_back(frame(std::int64_t(i), boxes[i]));
        last_ = step(spec_, info_, {}, d);
        std::vector<std::int64_t> out;
        for (const Alert& alert : last_.alerts) out.push_back(alert.frame);
        return out;
    }

    schema::JobSpec spec_;
    schema::StreamInfo info_;
    Stepped last_;
};

const std::vector<Box> none, person{box(0, 0.9f)}, weak{box(0, 0.4f)}, dog{box(1, 0.9f)};

TEST_F(RulesTest, FiresAfterEnoughFramesInARow) {
    EXPECT_THAT(fired({person, person}), ElementsAre());
    EXPECT_THAT(fired({person, person, person}), ElementsAre(2));
    EXPECT_THAT(fired({person, person, none, person, person, weak, person, person, dog}), ElementsAre());
    spec_.rules[0].min_frames = 0;
    EXPECT_THAT(fired({none, person}), ElementsAre(1)) << "less than one frame is one";
}

TEST_F(RulesTest, ScoreAtTheThresholdCounts) {
    spec_.rules[0].min_frames = 1;
    EXPECT_THAT(fired({{box(0, 0.5f)}, {box(0, 0.4999f)}}), ElementsAre(0));
}

TEST_F(RulesTest, RestsForTheCooldownInMediaTime) {
    // Fires at frame 2 and rests for ten frames of 100 ms; who stayed all the time is reported right after.
    EXPECT_THAT(fired(std::vector<std::vector<Box>>(30, person)), ElementsAre(2, 12, 22));
    spec_.rules[0].cooldown_s = 0;
    EXPECT_THAT(fired(std::vector<std::vector<Box>>(5, person)), ElementsAre(2, 3, 4));
    spec_.rules[0].cooldown_s = 1e300;
    EXPECT_THAT(fired(std::vector<std::vector<Box>>(30, person)), ElementsAre(2));
    spec_.rules[0].cooldown_s = -1;
    EXPECT_THAT(fired(std::vector<std::vector<Box>>(4, person)), ElementsAre(2, 3));
}

TEST_F(RulesTest, RestOutlastsAnAbsence) {
    std::vector<std::vector<Box>> boxes(30, none);
    for (const int i : {0, 1, 2, 5, 6, 7, 14, 15, 16}) boxes[std::size_t(i)] = person;
    EXPECT_THAT(fired(boxes), ElementsAre(2, 16)) << "5 to 7 lie within the rest";
}

TEST_F(RulesTest, ClassesCountApartAndByName) {
    spec_.rules[0] = {"any", {}, 0.5, 2, 100};
    EXPECT_THAT(fired({person, dog, person, dog}), ElementsAre());
    EXPECT_THAT(fired({{box(0, 1), box(1, 1)}, {box(0, 1), box(0, 0.8f, 1)}}), ElementsAre(1, 1))
        << "the dog of the second pool is the dog of the first";
    EXPECT_EQ(last_.alerts[0].class_name, "dog");
    EXPECT_EQ(last_.alerts[1].class_name, "person");
    EXPECT_THAT(fired({{box(7, 1)}, {box(7, 1, 5)}}), ElementsAre(1));
    EXPECT_EQ(last_.alerts[0].class_name, "class_7");
}

TEST_F(RulesTest, AlertSaysWhatWhereAndWhen) {
    fired({person, person, {box(0, 0.6f, 0, 9), box(0, 0.8f, 0, 7), box(0, 0.8f, 0, 5), box(1, 0.99f)}});
    ASSERT_EQ(last_.alerts.size(), 1u);
    const Alert& alert = last_.alerts[0];
    EXPECT_EQ(alert.job, "01J");
    EXPECT_EQ(alert.stream, "cam/a.mp4");
    EXPECT_EQ(alert.rule, "watch");
    EXPECT_EQ(alert.class_name, "person");
    EXPECT_EQ(alert.frame, 2);
    EXPECT_DOUBLE_EQ(alert.time_s, 0.2);
    EXPECT_EQ(alert.box, box(0, 0.8f, 0, 5)) << "the strongest; of equals, the left one";
    // printf 'cam/a.mp4\0watch\0person\0002' | sha256sum
    EXPECT_EQ(alert.alert, "01J-f5378f880a3bcf49");
}

TEST_F(RulesTest, StateHoldsOnlyWhatIsGoingOn) {
    fired({person});
    EXPECT_EQ(last_.next.rules.at("watch/person").seen, 1);
    fired({person, none});
    EXPECT_TRUE(last_.next.rules.empty());
    fired({person, person, person, none});
    EXPECT_EQ(last_.next.rules.size(), 1u) << "it rests";
    EXPECT_EQ(last_.next.rules.at("watch/person").seen, 0);
    EXPECT_EQ(last_.next.rules.at("watch/person").rest_until, 1000 + 12 * 9000);
    std::vector<std::vector<Box>> long_after(20, none);
    std::fill_n(long_after.begin(), 3, person);
    fired(long_after);
    EXPECT_TRUE(last_.next.rules.empty());
    EXPECT_EQ(last_.next.detected, 20);
    EXPECT_EQ(last_.next.last.frame, 19);
}

TEST_F(RulesTest, NothingDetectedChangesNothing) {
    fired({person, person});
    const auto again = step(spec_, info_, last_.next, {});
    EXPECT_EQ(schema::encode(again.next), schema::encode(last_.next));
    EXPECT_TRUE(again.alerts.empty());
}

// The promise on which chunks rest: wherever a stream is cut, the same alerts and the same state come out.
TEST_F(RulesTest, CutsChangeNothing) {
    std::mt19937 random(7);
    const auto below = [&](unsigned n) { return unsigned(random() % n); };
    std::size_t total = 0;
    for (int round = 0; round < 300; ++round) {
        spec_.rules.clear();
        for (unsigned r = below(4); r-- > 0;)
            spec_.rules.push_back(
                {"r" + std::to_string(r),
                 below(2) ? std::vector<std::string>{"dog", "car"} : std::vector<std::string>{},
                 0.1 * below(10), std::int32_t(below(5)), 0.1 * below(30)});
        Detections all;
        std::int64_t n = 0;
        for (unsigned i = below(80); i-- > 0;) {
            std::vector<Box> boxes;
            for (unsigned b = below(4); b-- > 0;)
                boxes.push_back(box(std::int32_t(below(3)), 0.125f * float(below(9)), std::int32_t(below(2)),
                                    float(below(3))));
            all.frames.push_back(frame(n += 1 + below(3), std::move(boxes)));
        }
        const Stepped whole = step(spec_, info_, {}, all);

        Stepped cut;
        std::vector<Alert> alerts;
        for (std::size_t at = 0; at < all.frames.size();) {
            const auto end = std::min(all.frames.size(), at + below(12));
            Detections part;
            part.frames.assign(all.frames.begin() + std::ptrdiff_t(at),
                               all.frames.begin() + std::ptrdiff_t(end));
            for (FrameBoxes& one : part.frames) std::ranges::shuffle(one.boxes, random);
            const auto state =
                schema::decode<StreamState>(schema::encode(cut.next), "state");  // as the store keeps it
            ASSERT_TRUE(state);
            cut = step(spec_, info_, *state, part);
            alerts.insert(alerts.end(), cut.alerts.begin(), cut.alerts.end());
            at = end;
        }
        EXPECT_EQ(schema::encode(cut.next.rules), schema::encode(whole.next.rules));
        EXPECT_EQ(cut.next.detected, whole.next.detected);
        EXPECT_EQ(cut.next.last.frame, whole.next.last.frame);
        total += alerts.size();
        ASSERT_EQ(alerts.size(), whole.alerts.size());
        for (std::size_t i = 0; i < alerts.size(); ++i)
            ASSERT_EQ(schema::encode(alerts[i]), schema::encode(whole.alerts[i])) << "round " << round;
    }
    EXPECT_GT(total, 1000u) << "the streams made are worth cutting";
}

}  // namespace
}  // namespace sl::annotate
