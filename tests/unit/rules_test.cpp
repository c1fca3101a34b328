// Which alerts a stream gives: every kind of rule, wherever the stream is cut; and why, and why not.
#include "workers/annotate/rules.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "schema/codec.hpp"

namespace sl::annotate {
namespace {

using schema::Alert;
using schema::Box;
using schema::Detections;
using schema::FrameBoxes;
using schema::StreamState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Box box(std::int32_t class_id, float score, std::int32_t pool = 0, float x = 1) {
    return {x, 2, 3, 4, score, class_id, pool};
}

schema::Rule rule(const std::string& name, const std::vector<std::string>& classes, double min_score,
                  std::int32_t min_frames, double cooldown_s) {
    schema::Rule out;
    out.name = name;
    out.classes = classes;
    out.min_score = min_score;
    out.min_frames = min_frames;
    out.cooldown_s = cooldown_s;
    return out;
}

// 10 detected frames a second, of a stream of 90,000 ticks a second that begins at 1000.
FrameBoxes frame(std::int64_t n, std::vector<Box> boxes) {
    return {n, 1000 + n * 9000, std::move(boxes)};
}

// Rules of one stream, whose state is saved and loaded after every frame, as if it was cut there.
class Stream {
public:
    Stream(schema::JobSpec spec, schema::StreamInfo info) : spec_(std::move(spec)), info_(std::move(info)) {}

    void add(const FrameBoxes& tracked, const FrameBoxes& raw) {
        Rules rules(spec_, info_);
        const auto state =
            schema::decode<StreamState>(schema::encode(state_), "state");  // as the store keeps it
        ASSERT_TRUE(state);
        const auto loaded = rules.load(*state);
        ASSERT_TRUE(loaded) << loaded.error().text();
        rules.apply(tracked, raw, alerts, traces);
        rules.save(state_);
    }
    void add(const FrameBoxes& frame) { add(frame, frame); }

    std::vector<Alert> alerts;
    std::vector<std::string> traces;
    schema::Bytes state() const { return state_.incidents; }

private:
    const schema::JobSpec spec_;
    const schema::StreamInfo info_;
    StreamState state_;
};

class RulesTest : public testing::Test {
protected:
    RulesTest() {
        spec_.job = "01J";
        spec_.preset = "people";
        spec_.preset_version = "2";
        spec_.tracker.keep_s = 1;
        spec_.pools.resize(2);
        spec_.pools[0].name = "detect/yolox_nano@1";
        spec_.pools[0].classes = {"person", "dog"};
        spec_.pools[1].classes = {"dog", "car"};
        spec_.rules = {rule("watch", {"person"}, 0.5, 3, 1.0)};
        info_.name = "cam/a.mp4";
        info_.time_base = {1, 90000};
        info_.start_pts = 1000;
        info_.width = 200;
        info_.height = 100;
    }
    // Frame i holds boxes[i].
    std::vector<std::int64_t> fired(const std::vector<std::vector<Box>>& boxes) {
        Stream stream(spec_, info_);
        for (std::size_t i = 0; i < boxes.size(); ++i) stream.add(frame(std::int64_t(i), boxes[i]));
        alerts_ = stream.alerts;
        state_ = stream.state();
        std::vector<std::int64_t> out;
        for (const Alert& alert : alerts_) out.push_back(alert.frame);
        return out;
    }

    schema::JobSpec spec_;
    schema::StreamInfo info_;
    std::vector<Alert> alerts_;
    schema::Bytes state_;
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
    spec_.rules[0] = rule("any", {}, 0.5, 2, 100);
    EXPECT_THAT(fired({person, dog, person, dog}), ElementsAre());
    EXPECT_THAT(fired({{box(0, 1), box(1, 1)}, {box(0, 1), box(0, 0.8f, 1)}}), ElementsAre(1, 1))
        << "the dog of the second pool is the dog of the first";
    EXPECT_EQ(alerts_[0].class_name, "dog");
    EXPECT_EQ(alerts_[1].class_name, "person");
    EXPECT_THAT(fired({{box(7, 1)}, {box(7, 1, 5)}}), ElementsAre(1));
    EXPECT_EQ(alerts_[0].class_name, "class_7");
}

TEST_F(RulesTest, AlertSaysWhatWhereAndWhen) {
    fired({person, person, {box(0, 0.6f, 0, 9), box(0, 0.8f, 0, 7), box(0, 0.8f, 0, 5), box(1, 0.99f)}});
    ASSERT_EQ(alerts_.size(), 1u);
    const Alert& alert = alerts_[0];
    EXPECT_EQ(alert.job, "01J");
    EXPECT_EQ(alert.stream, "cam/a.mp4");
    EXPECT_EQ(alert.rule, "watch");
    EXPECT_EQ(alert.class_name, "person");
    EXPECT_EQ(alert.frame, 2);
    EXPECT_DOUBLE_EQ(alert.time_s, 0.2);
    EXPECT_EQ(alert.box, box(0, 0.8f, 0, 5)) << "the strongest; of equals, the left one";
    // printf 'cam/a.mp4\0watch\0person\0002' | sha256sum
    EXPECT_EQ(alert.alert, "01J-f5378f880a3bcf49");
    EXPECT_EQ(alert.kind, "new");
    EXPECT_EQ(alert.model, "yolox_nano@1");
    EXPECT_EQ(alert.preset, "people@2");
    EXPECT_EQ(alert.capture_ns, 0);
    EXPECT_THAT(alert.trace, ElementsAre("person seen at 0.80, min_score 0.50", "on 3 frames in a row"));
}

TEST_F(RulesTest, StateHoldsOnlyWhatIsGoingOn) {
    fired({none});
    const auto nothing = state_;
    fired({person, none});
    EXPECT_EQ(state_, nothing);
    fired({person});
    EXPECT_NE(state_, nothing);
    fired({person, person, person, none});
    EXPECT_NE(state_, nothing) << "it rests";
    std::vector<std::vector<Box>> long_after(20, none);
    std::fill_n(long_after.begin(), 3, person);
    fired(long_after);
    EXPECT_EQ(state_, nothing);
}

TEST_F(RulesTest, StatesOfOthersAreRefused) {
    Rules rules(spec_, info_);
    StreamState state;
    state.incidents = {0xc1};
    EXPECT_EQ(rules.load(state).error().code, Errc::bad_message);
}

TEST_F(RulesTest, PlainRulesTellNewAloneAndSeeBoxesWithoutTracks) {
    Box tracked = person[0];
    tracked.track = 7;
    EXPECT_THAT(fired({person, person, {tracked}, {tracked}, none, none}), ElementsAre(2));
    EXPECT_EQ(alerts_[0].box.track, 7);
}

TEST_F(RulesTest, ExceptIsAnyOther) {
    spec_.rules[0] = rule("others", {}, 0.5, 1, 100);
    spec_.rules[0].except = {"person"};
    EXPECT_THAT(fired({person, dog}), ElementsAre(1));
}

// --- rules about places. The picture is 200 × 100; the zone its right half, the line its middle.

// A person of track `track` whose feet are at x, y.
Box at(float x, float y, std::int64_t track, float score = 0.9f) {
    return {x - 5, y - 20, 10, 20, score, 0, 0, track};
}

class PlaceTest : public RulesTest {
protected:
    PlaceTest() {
        spec_.zones = {{.name = "right", .points = {{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}},
                       {.name = "middle", .points = {{0.5, 1}, {0.5, 0}}}};  // forward: from left to right
        rule_ = rule("r", {"person"}, 0.5, 2, 0);
        rule_.zone = "right";
        rule_.debounce_s = 0.3;
    }
    // "frame kind" of each alert.
    std::vector<std::string> told(const std::vector<std::vector<Box>>& boxes) {
        spec_.rules = {rule_};
        fired(boxes);
        std::vector<std::string> out;
        for (const Alert& a : alerts_) {
            out.push_back(std::to_string(a.frame) + " " + a.kind);
            if (a.box.track != 0) out.back() += " " + std::to_string(a.box.track);
        }
        return out;
    }
    // One track, whose feet are at these x, at a height of 50; 0: not seen.
    std::vector<std::string> walked(const std::vector<float>& xs) {
        std::vector<std::vector<Box>> boxes;
        for (const float x : xs) boxes.push_back(x > 0 ? std::vector<Box>{at(x, 50, 4)} : std::vector<Box>{});
        return told(boxes);
    }
    schema::Rule rule_;
};

TEST_F(PlaceTest, PresentLastsWhileItIsInTheZone) {
    EXPECT_THAT(walked({90, 110, 110, 110, 110, 90, 90, 90, 90}), ElementsAre("2 new 4", "7 end 4"))
        << "absent since 4, over at 7";
    EXPECT_TRUE(alerts_[0].roi_hit);
    EXPECT_EQ(alerts_[0].zone, "right");
    EXPECT_EQ(alerts_[0].alert, alerts_[1].alert);
    EXPECT_EQ(alerts_[1].key(), alerts_[0].alert + ":end");
    EXPECT_THAT(alerts_[0].trace, ElementsAre("person 4 seen at 0.90, min_score 0.50",
                                              "zone right (bottom_center): on 2 frames in a row"));
    EXPECT_THAT(walked({110, 110, 90, 110, 0, 110, 110}), ElementsAre("1 new 4")) << "absences are too short";
    EXPECT_THAT(walked({110, 110, 0, 0, 0, 0}), ElementsAre("1 new 4", "4 end 4")) << "the track was lost";
    EXPECT_THAT(walked({110, 110, 110}), ElementsAre("1 new 4")) << "open at the end of the stream";
    EXPECT_THAT(walked({110, 90, 110, 90, 110}), IsEmpty());
    rule_.debounce_s = 0;
    EXPECT_THAT(walked({110, 110, 90, 110, 110, 0}), ElementsAre("1 new 4", "2 end 4", "4 new 4", "5 end 4"));
}

TEST_F(PlaceTest, TracksAreToldApart) {
    EXPECT_THAT(told({{at(110, 50, 4), at(120, 50, 5)}, {at(110, 50, 4), at(120, 50, 5)}, {at(110, 50, 4)}}),
                ElementsAre("1 new 4", "1 new 5"));
    EXPECT_NE(alerts_[0].alert, alerts_[1].alert);
    EXPECT_THAT(told({{at(110, 50, 4)}, {at(120, 50, 5)}, {at(110, 50, 4)}}), IsEmpty())
        << "no track was there on two frames in a row";
    EXPECT_THAT(told({{at(110, 50, 0)}, {at(110, 50, 0)}, {at(110, 50, 0)}}), IsEmpty())
        << "not confirmed as a track";
    spec_.tracker.kind = "none";
    EXPECT_THAT(told({{at(110, 50, 0)}, {at(120, 50, 0)}, {}, {}, {}}), ElementsAre("1 new", "4 end"))
        << "without a tracker, by class";
    spec_.tracker.kind = "bytetrack";
    info_.source = "images";
    EXPECT_THAT(told({{at(110, 50, 0)}, {at(120, 50, 0)}}), ElementsAre("1 new"))
        << "pictures have no tracks";
}

TEST_F(PlaceTest, WeakBoxesDoNotCount) {
    EXPECT_THAT(told({{at(110, 50, 4)}, {at(110, 50, 4, 0.4f)}, {at(110, 50, 4)}, {at(110, 50, 4)}}),
                ElementsAre("3 new 4"));
}

TEST_F(PlaceTest, UpdatesComeWhileItLasts) {
    rule_.update_s = 0.2;
    EXPECT_THAT(walked({110, 110, 110, 110, 110, 110, 0, 0, 0}),
                ElementsAre("1 new 4", "3 update 4", "5 update 4", "8 end 4"));
    EXPECT_EQ(alerts_[2].update, 2);
    EXPECT_EQ(alerts_[2].key(), alerts_[0].alert + ":update2");
    EXPECT_THAT(alerts_[2].trace, ElementsAre("lasts for 0.4 s"));
    walked({110, 110, 120, 130, 140, 0, 0, 0});
    ASSERT_EQ(alerts_.size(), 3u);
    EXPECT_EQ(alerts_[1].box, at(130, 50, 4)) << "where it is now";
    EXPECT_EQ(alerts_[2].box, at(140, 50, 4)) << "where it was seen last";
}

TEST_F(PlaceTest, CooldownIsOfTheRuleAndClass) {
    rule_.cooldown_s = 0.5;
    EXPECT_THAT(told({{at(110, 50, 4)},
                      {at(110, 50, 4)},
                      {at(110, 50, 4), at(120, 50, 5)},
                      {at(110, 50, 4), at(120, 50, 5)},
                      {at(110, 50, 4), at(120, 50, 5)},
                      {at(110, 50, 4), at(120, 50, 5)},
                      {at(110, 50, 4), at(120, 50, 5)},
                      {at(110, 50, 4), at(120, 50, 5)}}),
                ElementsAre("1 new 4", "6 new 5"))
        << "5 is told when the rest ends";
}

TEST_F(PlaceTest, NoMoreThanSoManyAMinute) {
    rule_.max_per_minute = 2;
    rule_.min_frames = 1;
    std::vector<std::vector<Box>> boxes;
    for (std::int64_t i = 0; i < 700; ++i)
        boxes.push_back(i % 10 == 0 ? std::vector<Box>{at(110, 50, 1 + i / 10)} : std::vector<Box>{});
    told(boxes);
    std::vector<std::int64_t> news;
    for (const Alert& a : alerts_)
        if (a.kind == "new") news.push_back(a.frame);
    EXPECT_THAT(news, ElementsAre(0, 10, 600, 610));
    rule_.max_per_minute = 0.9;
    told(boxes);
    news.clear();
    for (const Alert& a : alerts_)
        if (a.kind == "new") news.push_back(a.frame);
    EXPECT_THAT(news, ElementsAre(0, 670)) << "one in 66.7 s";
}

TEST_F(PlaceTest, EnterNeedsToHaveBeenOutside) {
    rule_.kind = "enter";
    EXPECT_THAT(walked({110, 110, 110, 110}), IsEmpty()) << "began inside";
    EXPECT_THAT(walked({90, 110, 110, 110}), ElementsAre("2 new 4"));
    EXPECT_THAT(walked({90, 110, 90, 110, 110}), ElementsAre("4 new 4")) << "two frames in a row";
    EXPECT_THAT(walked({90, 110, 110, 90, 110, 110, 90, 90, 90, 110, 110}),
                ElementsAre("2 new 4", "8 end 4", "10 new 4"))
        << "out for less than debounce_s is not out";
    EXPECT_NE(alerts_[0].alert, alerts_[2].alert);
    EXPECT_THAT(told({{at(90, 50, 4, 0.4f)}, {at(110, 50, 4)}, {at(110, 50, 4)}}), ElementsAre("2 new 4"))
        << "it may have been weak outside";
    rule_.zone = "";
    EXPECT_THAT(walked({0, 110, 110, 0}), ElementsAre("2 new 4")) << "the picture is entered by who begins";
    rule_.zone = "right";
    spec_.tracker.kind = "none";
    EXPECT_THAT(told({{at(110, 50, 0)}, {at(110, 50, 0)}}), IsEmpty());
    EXPECT_THAT(told({{}, {at(110, 50, 0)}, {at(110, 50, 0)}}), ElementsAre("2 new"));
}

TEST_F(PlaceTest, ExitIsSeenOutside) {
    rule_.kind = "exit";
    EXPECT_THAT(walked({110, 110, 90, 90, 90, 90, 90}), ElementsAre("3 new 4", "6 end 4"));
    EXPECT_FALSE(alerts_[0].roi_hit);
    EXPECT_THAT(walked({110, 110, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), IsEmpty()) << "lost in the zone";
    EXPECT_THAT(walked({110, 90, 90, 90}), IsEmpty()) << "was not in on two frames";
    EXPECT_THAT(walked({110, 110, 90, 0, 90, 110}), ElementsAre("4 new 4"));
    EXPECT_THAT(walked({110, 110, 90, 90, 110, 110, 90, 90, 90, 90, 90}),
                ElementsAre("3 new 4", "6 end 4", "7 new 4", "10 end 4"));
    EXPECT_THAT(walked({90, 90, 90, 90}), IsEmpty());
    spec_.tracker.kind = "none";
    EXPECT_THAT(told({{at(110, 50, 0)}, {at(110, 50, 0)}, {}, {}}), ElementsAre("3 new"));
    spec_.tracker.kind = "bytetrack";
    rule_.zone = "";
    std::vector<float> gone(16, 0);
    gone[0] = gone[1] = 110;
    EXPECT_THAT(walked(gone), ElementsAre("12 new 4", "15 end 4")) << "the track ends after a second";
}

TEST_F(PlaceTest, DwellCountsOverShortAbsences) {
    rule_.kind = "dwell";
    rule_.dwell_s = 0.5;
    EXPECT_THAT(walked({90, 110, 110, 110, 110, 110, 110, 110}), ElementsAre("6 new 4"));
    EXPECT_THAT(alerts_[0].trace, ElementsAre("person 4 seen at 0.90, min_score 0.50",
                                              "zone right (bottom_center): stayed 0.5 s"));
    EXPECT_THAT(walked({110, 110, 110, 90, 110, 110}), ElementsAre("5 new 4"));
    EXPECT_THAT(walked({110, 110, 110, 90, 90, 90, 110, 110, 110, 110, 110, 110}), ElementsAre("11 new 4"))
        << "an absence of more than debounce_s begins anew";
}

TEST_F(PlaceTest, LinesAreCrossedOnAWay) {
    rule_.kind = "line";
    rule_.zone = "middle";
    EXPECT_THAT(walked({80, 95, 105, 120}), ElementsAre("2 new 4"));
    EXPECT_THAT(alerts_[0].trace.back(), "line middle: crossed forward");
    EXPECT_THAT(walked({80, 95, 0, 0, 120}), ElementsAre("4 new 4")) << "unseen in between";
    EXPECT_THAT(walked({95, 105}), ElementsAre("1 new 4"));
    rule_.min_frames = 3;
    EXPECT_THAT(walked({95, 105, 110}), IsEmpty()) << "seen on two frames only by then";
    rule_.min_frames = 1;
    EXPECT_THAT(walked({95, 105, 95, 105, 120, 120, 120, 120}), ElementsAre("1 new 4", "6 end 4"))
        << "to and fro is one";
    EXPECT_THAT(walked({95, 105, 120, 120, 120, 120, 95}), ElementsAre("1 new 4", "4 end 4", "6 new 4"));
    EXPECT_EQ(alerts_[2].trace.back(), "line middle: crossed backward");
    rule_.direction = "forward";
    EXPECT_THAT(walked({105, 95, 90, 90, 90, 105}), ElementsAre("5 new 4"));
    rule_.direction = "backward";
    EXPECT_THAT(walked({95, 105, 105, 105, 95}), ElementsAre("4 new 4"));
    spec_.zones[1].points = {{0.5, 1}, {0.5, 0.6}};
    rule_.direction = "both";
    EXPECT_THAT(walked({95, 105, 95}), IsEmpty()) << "beside the line";
}

TEST_F(PlaceTest, CountIsOfAllTogether) {
    rule_.kind = "count";
    rule_.limit = 1;
    const std::vector<Box> one{at(110, 50, 4)}, two{at(110, 50, 4), at(120, 50, 5, 0.8f)},
        apart{at(110, 50, 4), at(80, 50, 5)};
    EXPECT_THAT(told({two, one, two, apart, two, two, two, one, one, one}),
                ElementsAre("5 new 4", "9 end 4"));
    EXPECT_THAT(alerts_[0].trace.back(), HasSubstr("2 at once, more than 1"));
    rule_.limit = 0;
    EXPECT_THAT(told({{}, one, one}), ElementsAre("2 new 4"));
}

TEST_F(PlaceTest, RemovedRulesEndTheirIncidents) {
    spec_.rules = {rule_};
    Rules before(spec_, info_);
    std::vector<Alert> alerts;
    std::vector<std::string> traces;
    for (int i = 0; i < 2; ++i) before.apply(frame(i, {at(110, 50, 4)}), {}, alerts, traces);
    StreamState state;
    before.save(state);
    spec_.rules.clear();
    Rules after(spec_, info_);
    ASSERT_TRUE(after.load(state));
    after.apply(frame(2, {at(110, 50, 4)}), {}, alerts, traces);
    after.apply(frame(3, {at(110, 50, 4)}), {}, alerts, traces);
    ASSERT_EQ(alerts.size(), 2u);
    EXPECT_EQ(alerts[1].key(), alerts[0].alert + ":end");
    EXPECT_THAT(alerts[1].trace, ElementsAre("the rule was removed"));
}

// --- cameras: the clock on the wall

constexpr std::int64_t second = 1'000'000'000;

class CameraTest : public PlaceTest {
protected:
    CameraTest() {
        spec_.camera = "gate";
        spec_.job = "";
        info_.name = "gate";
        info_.time_base = {1, 1'000'000'000};
        info_.start_pts = 0;
        rule_.min_frames = 1;
        rule_.debounce_s = 0;
    }
    // Whether somebody in the zone is told about at this time.
    bool alerts_at(std::int64_t utc_s) {
        spec_.rules = {rule_};
        Stream stream(spec_, info_);
        stream.add({1, utc_s * second, {at(110, 50, 4)}});
        alerts_ = stream.alerts;
        return !alerts_.empty();
    }
};

TEST_F(CameraTest, AlertsNameTheCameraAndTheTimeOfCapture) {
    ASSERT_TRUE(alerts_at(1774746000));
    EXPECT_EQ(alerts_[0].camera, "gate");
    EXPECT_EQ(alerts_[0].job, "");
    EXPECT_EQ(alerts_[0].capture_ns, 1774746000 * second);
    EXPECT_TRUE(alerts_[0].alert.starts_with("gate-")) << alerts_[0].alert;
    const std::string first = alerts_[0].alert;
    ASSERT_TRUE(alerts_at(1774746001));
    EXPECT_NE(alerts_[0].alert, first) << "frames are numbered anew with each connection";
}

TEST_F(CameraTest, IncidentsLastAndAreNotToldAgain) {
    rule_.zone = "";
    rule_.cooldown_s = 1;
    spec_.rules = {rule_};
    Stream stream(spec_, info_);
    for (int i = 0; i < 50; ++i) stream.add({i, (1774746000 + i) * second, {at(110, 50, 4)}});
    stream.add({50, (1774746000 + 50) * second, {}});
    ASSERT_EQ(stream.alerts.size(), 2u);
    EXPECT_EQ(stream.alerts[1].kind, "end");
}

TEST_F(CameraTest, ClockThatGoesBackHoldsNothingUp) {
    rule_.cooldown_s = 100;
    spec_.rules = {rule_};
    Stream stream(spec_, info_);
    stream.add({0, 1774746000 * second, {at(110, 50, 4)}});
    stream.add({1, 1774740000 * second, {at(80, 50, 4)}});
    stream.add({2, 1774740001 * second, {at(110, 50, 4)}});
    EXPECT_EQ(std::ranges::count(stream.alerts, "new", &Alert::kind), 2);
}

TEST_F(CameraTest, ScheduleOverMidnight) {
    rule_.schedule = {{{"fri"}, "22:00", "06:00"}};
    const std::int64_t friday = 1795737600;  // 2026-11-27 00:00 UTC
    const auto hour = [&](double h) { return friday + std::int64_t(h * 3600); };
    EXPECT_FALSE(alerts_at(hour(5))) << "that is Thursday's night";
    EXPECT_FALSE(alerts_at(hour(21.99)));
    EXPECT_TRUE(alerts_at(hour(22)));
    EXPECT_TRUE(alerts_at(hour(24)));
    EXPECT_TRUE(alerts_at(hour(29.99)));
    EXPECT_FALSE(alerts_at(hour(30)));
    EXPECT_FALSE(alerts_at(hour(46.5))) << "Saturday's night";
    rule_.schedule.push_back({{}, "05:00", "24:00"});
    EXPECT_TRUE(alerts_at(hour(5)));
    EXPECT_TRUE(alerts_at(hour(47.99)));
    EXPECT_FALSE(alerts_at(hour(48)));
}

TEST_F(CameraTest, ScheduleFollowsTheWallClockOverDaylightSaving) {
    rule_.timezone = "Europe/Berlin";
    rule_.schedule = {{{}, "02:00", "03:00"}};
    // 2026-03-29: 01:59:59 is followed by 03:00:00, so the hour does not exist.
    EXPECT_FALSE(alerts_at(1774745999));
    EXPECT_FALSE(alerts_at(1774746000));
    // 2026-10-25: it comes twice.
    for (const std::int64_t inside : {1792886400, 1792889999, 1792890000, 1792893599})
        EXPECT_TRUE(alerts_at(inside)) << inside;
    EXPECT_FALSE(alerts_at(1792886399));
    EXPECT_FALSE(alerts_at(1792893600));
}

TEST_F(CameraTest, WhatStaysIsToldWhenTheScheduleBegins) {
    rule_.schedule = {{{}, "12:00", "13:00"}};
    spec_.rules = {rule_};
    Stream stream(spec_, info_);
    for (int i = 0; i < 4; ++i) stream.add({i, (12 * 3600 - 2 + i) * second, {at(110, 50, 4)}});
    ASSERT_EQ(stream.alerts.size(), 1u);
    EXPECT_EQ(stream.alerts[0].frame, 2);
}

TEST_F(CameraTest, JobsHaveNoSchedule) {
    rule_.schedule = {{{"mon"}, "12:00", "13:00"}};
    spec_.camera = "";
    EXPECT_TRUE(alerts_at(0));
}

TEST_F(CameraTest, UnknownTimeZonesAreTold) {
    rule_.schedule = {{}};
    rule_.timezone = "Nowhere/Land";
    spec_.rules = {rule_};
    EXPECT_EQ(Rules(spec_, info_).load({}).error().code, Errc::invalid_argument);
}

// --- why and why not

class TraceTest : public PlaceTest {
protected:
    // Decisions about track 4 when it ended.
    std::vector<std::string> why(const std::vector<std::vector<Box>>& boxes, std::int64_t track = 4) {
        spec_.rules = {rule_};
        Stream stream(spec_, info_);
        std::int64_t n = 0;
        for (const auto& b : boxes) {
            FrameBoxes shown = frame(n, b);
            std::erase_if(shown.boxes, [&](const Box& x) { return double(x.score) < spec_.confidence; });
            stream.add(shown, frame(n++, b));
        }
        for (int i = 0; i < 12; ++i) stream.add(frame(n++, {}));
        traces_ = stream.traces;
        std::vector<std::string> out;
        for (const auto& text : traces_) {
            const auto trace = nlohmann::json::parse(text);
            if (trace["track"] == track && trace["ended"] == true)
                for (const auto& line : trace["decisions"]) out.push_back(line);
        }
        return out;
    }
    std::vector<std::string> traces_;
};

TEST_F(TraceTest, SaysWhatWasLacking) {
    EXPECT_THAT(
        why({{at(86, 50, 4)}, {at(80, 50, 4)}}),
        ElementsAre("seen on 2 frames, 0.90 at best", "rule r: 14 px outside zone right at its nearest"));
    EXPECT_THAT(why({{at(110, 50, 4)}}),
                ElementsAre("seen on 1 frames, 0.90 at best", "rule r: only on 1 of 2 frames in a row"));
    EXPECT_THAT(
        why({{at(110, 50, 4, 0.42f)}, {at(110, 50, 4, 0.28f)}}),
        ElementsAre("seen on 1 frames, 0.42 at best, and on 1 frames below confidence 0.30, 0.28 at best",
                    "rule r: 0.42 at best, below min_score 0.50"));
    rule_.classes = {"dog", "car"};
    EXPECT_THAT(why({{at(110, 50, 4)}}).back(), "rule r: its class is not among dog, car");
    rule_.classes = {};
    rule_.except = {"person"};
    EXPECT_THAT(why({{at(110, 50, 4)}}).back(), "rule r: its class is excepted");
    rule_.except = {};
    rule_.kind = "dwell";
    rule_.dwell_s = 5;
    EXPECT_THAT(why({{at(110, 50, 4)}, {at(110, 50, 4)}}).back(), "rule r: stayed 0.1 s, below dwell_s 5.0");
    rule_.kind = "enter";
    EXPECT_THAT(why({{at(110, 50, 4)}, {at(110, 50, 4)}}).back(), HasSubstr("did not come in"));
    rule_.kind = "exit";
    EXPECT_THAT(why({{at(110, 50, 4)}, {at(110, 50, 4)}}).back(), "rule r: did not leave");
    rule_.kind = "count";
    rule_.limit = 3;
    EXPECT_THAT(why({{at(110, 50, 4), at(120, 50, 5)}}).back(), "rule r: 2 at once at most, not more than 3");
    rule_.kind = "line";
    rule_.zone = "middle";
    rule_.direction = "backward";
    EXPECT_THAT(why({{at(110, 50, 4)}, {at(120, 50, 4)}}).back(), "rule r: did not cross line middle");
    EXPECT_THAT(why({{at(90, 50, 4)}, {at(120, 50, 4)}}).back(), "rule r: crossed line middle only forward");
    rule_.kind = "present";
    rule_.zone = "right";
    spec_.zones[0].inside = "overlap";
    EXPECT_THAT(why({{at(101, 50, 4)}, {at(99, 50, 4)}}).back(), HasSubstr("only on 1 of 2"));
    EXPECT_THAT(why({{at(99, 50, 4)}}).back(),
                "rule r: 0.40 of it in zone right at most, below overlap 0.50");
}

TEST_F(TraceTest, SaysWhatWasDone) {
    rule_.cooldown_s = 1;
    const std::vector<Box> both{at(110, 50, 4), at(120, 50, 5)};
    const auto first = why({both, both, both});
    ASSERT_EQ(first.size(), 2u);
    EXPECT_THAT(first[1], testing::MatchesRegex("rule r: alert 01J-[0-9a-f]{16} at 0.1 s"));
    const std::string alert = first[1].substr(8, 26);
    EXPECT_THAT(why({both, both, both}, 5).back(), "rule r: cooled down by " + alert + " at 0.1 s");
    const auto told = nlohmann::json::parse(traces_.at(0));
    EXPECT_EQ(told["ended"], false) << "a track that alerts is told at once";
    EXPECT_EQ(told["track"], 4);
    EXPECT_EQ(told["class_name"], "person");
    EXPECT_EQ(told["to_s"], 0.1);
    rule_.cooldown_s = 0;
    EXPECT_THAT(why({both, both, {}, both, both}).back(), HasSubstr("debounced by " + alert + " at 0.3 s"));
    rule_.max_per_minute = 1;
    EXPECT_THAT(why({both, both, both}, 5).back(), "rule r: over 1 alerts a minute at 0.1 s");
}

TEST_F(TraceTest, WhatNoTrackTookIsToldByClass) {
    EXPECT_THAT(why({{at(110, 50, 0, 0.28f)}, {at(110, 50, 0, 0.2f), at(140, 50, 0, 0.1f)}}, 0),
                ElementsAre("seen on 2 frames below confidence 0.30, 0.28 at best: no track"));
    rule_.classes = {"dog"};
    EXPECT_THAT(why({{at(110, 50, 0, 0.28f)}}, 0), IsEmpty()) << "no rule is about it";
}

TEST_F(TraceTest, CamerasHaveTheTimeOfDay) {
    spec_.camera = "gate";
    info_.time_base = {1, 1'000'000'000};
    info_.start_pts = 0;
    spec_.rules = {rule_};
    Rules rules(spec_, info_);
    std::vector<Alert> alerts;
    std::vector<std::string> traces;
    for (int i = 0; i < 2; ++i)
        rules.apply({i, 1774746000 * second + i * second / 4, {at(110, 50, 4)}}, {}, alerts, traces);
    traces.clear();
    rules.finish(traces);
    ASSERT_EQ(traces.size(), 1u);
    const auto trace = nlohmann::json::parse(traces[0]);
    EXPECT_EQ(trace["from_ns"], 1774746000 * second);
    EXPECT_EQ(trace["to_ns"], 1774746000 * second + second / 4);
    EXPECT_THAT(std::string(trace["decisions"][1]), HasSubstr("at 2026-03-29T01:00:00.2Z"));
}

// --- the promise on which chunks rest: wherever a stream is cut, the same alerts, traces and state come out

TEST_F(PlaceTest, CutsChangeNothing) {
    std::mt19937 random(7);
    const auto below = [&](unsigned n) { return unsigned(random() % n); };
    std::map<std::string, std::size_t> total;
    for (int round = 0; round < 300; ++round) {
        spec_.tracker.kind = below(4) ? "bytetrack" : "none";
        spec_.camera = below(3) ? "" : "gate";
        spec_.rules.clear();
        for (unsigned r = 1 + below(4); r-- > 0;) {
            schema::Rule one =
                rule("r" + std::to_string(r),
                     below(2) ? std::vector<std::string>{"dog", "car"} : std::vector<std::string>{},
                     0.1 * below(8), std::int32_t(1 + below(4)), 0.1 * below(30));
            static const std::vector<std::string> kinds{"present", "enter", "exit", "dwell", "line", "count"};
            one.kind = kinds[below(6)];
            one.zone = one.kind == "line" ? "middle" : below(3) ? "right" : "";
            one.dwell_s = 0.1 * below(8);
            one.limit = std::int32_t(below(3));
            one.debounce_s = 0.1 * below(6);
            one.max_per_minute = below(3) ? 0 : 1 + below(20);
            one.update_s = below(2) ? 0 : 0.2;
            if (below(3) == 0) one.schedule = {{{}, "00:00", "24:00"}};
            spec_.rules.push_back(one);
        }
        std::vector<FrameBoxes> all;
        std::int64_t n = 0;
        for (unsigned i = 1 + below(80); i-- > 0;) {
            std::vector<Box> boxes;
            for (unsigned b = below(5); b-- > 0;) {
                Box one = at(float(70 + below(60)), float(30 + below(60)), std::int64_t(below(6)),
                             0.125f * float(below(9)));
                one.class_id = std::int32_t(below(3));
                one.pool = std::int32_t(below(2));
                // A track is on a frame once.
                if (std::ranges::none_of(boxes,
                                         [&](const Box& o) { return o.track == one.track && o.track != 0; }))
                    boxes.push_back(one);
            }
            all.push_back(frame(n += 1 + below(below(9) ? 3 : 20), std::move(boxes)));
        }
        Rules whole(spec_, info_);
        std::vector<Alert> alerts;
        std::vector<std::string> traces;
        Stream cut(spec_, info_);
        for (FrameBoxes& one : all) {
            FrameBoxes shown = one;
            std::erase_if(shown.boxes, [&](const Box& b) { return double(b.score) < spec_.confidence; });
            whole.apply(shown, one, alerts, traces);
            std::ranges::shuffle(shown.boxes, random);
            std::ranges::shuffle(one.boxes, random);
            cut.add(shown, one);
        }
        StreamState state;
        whole.save(state);
        EXPECT_EQ(cut.state(), state.incidents) << "round " << round;
        EXPECT_EQ(cut.traces, traces);
        ASSERT_EQ(cut.alerts.size(), alerts.size());
        std::set<std::string> keys;
        for (std::size_t i = 0; i < alerts.size(); ++i) {
            ASSERT_EQ(schema::encode(cut.alerts[i]), schema::encode(alerts[i])) << "round " << round;
            total[alerts[i].kind] += 1;
            EXPECT_TRUE(keys.insert(alerts[i].key()).second) << "twice: " << alerts[i].key();
            EXPECT_TRUE(keys.contains(alerts[i].alert + ":new")) << "never begun";
        }
    }
    for (const char* kind : {"new", "update", "end"})
        EXPECT_GT(total[kind], 100u) << kind << ": the streams made are worth cutting";
}

// A camera goes on for ever: what is remembered does not grow.
TEST_F(PlaceTest, MemoryIsBounded) {
    spec_.camera = "gate";
    rule_.kind = "enter";
    spec_.rules = {rule_, rule("any", {}, 0.1, 1, 1000)};
    Rules rules(spec_, info_);
    std::size_t most = 0;
    for (std::int64_t i = 0; i < 100; ++i) {
        std::vector<Alert> alerts;
        std::vector<std::string> traces;
        std::vector<Box> boxes;
        for (int k = 0; k < 300; ++k) boxes.push_back(at(float(k % 200), 50, i * 300 + k + 1));
        rules.apply(frame(i, std::move(boxes)), {}, alerts, traces);
        if (i % 10 != 9) continue;
        StreamState state;
        rules.save(state);
        most = std::max(most, state.incidents.size());
    }
    EXPECT_LT(most, 600'000u);
}

}  // namespace
}  // namespace sl::annotate
