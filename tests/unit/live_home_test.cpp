// A camera's home, frame by frame, with a bus that only notes what was asked of it.
#include "workers/annotate/live_home.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/ids.hpp"
#include "common/media/i420.hpp"
#include "tests/support/note_bus.hpp"

namespace sl::annotate {
namespace {

using Dropped = std::map<std::string, std::int64_t>;
using schema::Token;
using std::chrono::milliseconds;

class LiveHomeTest : public ::testing::Test {
protected:
    test::NoteBus bus;
    std::unique_ptr<LiveHome> home = std::make_unique<LiveHome>();
    Token token{"cam", "watch", -1, 1, 1, 7};
    std::int64_t start_ns = now_ns();

    schema::WatchTask task(std::int64_t revision = 1) {
        schema::WatchTask m;
        m.token = token;
        m.camera.camera = "cam";
        m.spec.camera = "cam";
        m.spec.pools = {{"detect/m@1", 8, 8, "bgr", "stretch", 0, {"person"}}};
        m.spec.tracker.confirm_frames = 1;
        schema::Rule rule;
        rule.name = "someone";
        rule.classes = {"person"};
        rule.min_frames = 2;
        m.spec.rules = {rule};
        m.revision = revision;
        return m;
    }
    template <typename T>
    void tell(T m, schema::Bytes payload = {}) {
        auto e = bus::Envelope::make(m);
        if (!payload.empty()) e.payload.push_back(bus::to_frame(std::move(payload)));
        ASSERT_TRUE(home->intercept(e, bus));
    }
    schema::Capture capture(std::int64_t seq, Dropped dropped = {}, const std::string& ingest = "in") {
        return {"cam", seq, start_ns + seq * 200'000'000, 64, 48, ingest, std::move(dropped), 0};
    }
    void boxes(const schema::Capture& c, std::vector<schema::Box> found, const std::string& dropped = "",
               std::int32_t pool = 0) {
        schema::FoundMessage m;
        m.token = token;
        m.capture = c;
        m.pool = pool;
        m.boxes = std::move(found);
        m.dropped = dropped;
        tell(m);
    }
    void boxes(std::int64_t seq, Dropped dropped = {}) {
        boxes(capture(seq, std::move(dropped)), {person()});
    }
    static schema::Box person() { return {10, 10, 20, 30, 0.9f, 0, 0, 0}; }
    void still(const schema::Capture& c) {
        schema::StillMessage m;
        m.token = token;
        m.capture = c;
        tell(m);
    }
    // After the patience of what waits.
    void later(milliseconds by) { home->on_tick(Clock::now() + by, bus); }
    schema::LiveStep step() { return *bus.last("live_step").message.as<schema::LiveStep>(); }
    LiveState state() { return *schema::decode<LiveState>(bus.last("live_step").message.part(0), "state"); }
    void answer(const std::string& status = "ok") {
        const auto& s = bus.last("live_step");
        schema::Answer a;
        a.req = s.req;
        a.status = status;
        auto e = bus::Envelope::make(a);
        home->on_answer(s.token, a, e, bus);
    }
    std::vector<std::int64_t> seen() {
        std::vector<std::int64_t> all;
        for (auto& p : bus.passed) {
            const auto m = p.message.as<schema::SeenMessage>();
            EXPECT_TRUE(m && m->token == token && m->camera == "cam");
            if (m) all.push_back(m->seq);
        }
        return all;
    }
    static bool balanced(const schema::Counters& c) {
        std::int64_t n = c.annotated;
        for (const auto& [reason, dropped] : c.dropped) n += dropped;
        return n == c.read;
    }
};

TEST_F(LiveHomeTest, DecidesInOrderAndSaysWhatItHasSeen) {
    tell(task());
    EXPECT_TRUE(bus.held.contains(token));
    boxes(1);
    boxes(3);
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1}));  // 2 is missing
    boxes(2);
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1, 2, 3}));
    for (const auto& p : bus.passed) EXPECT_EQ(p.to, "in");
}

TEST_F(LiveHomeTest, AlertsAreRecordedAtOnceAndTheNextStepWaitsForTheAnswer) {
    tell(task());
    boxes(1);
    EXPECT_EQ(bus.count("live_step"), 0u);  // nothing to say, and the second is not over
    boxes(2);
    ASSERT_EQ(bus.count("live_step"), 1u);
    auto m = step();
    EXPECT_EQ(m.token, token);
    EXPECT_EQ(m.step, 1);
    ASSERT_EQ(m.alerts.size(), 1u);
    EXPECT_EQ(m.alerts[0].rule, "someone");
    EXPECT_EQ(m.alerts[0].camera, "cam");
    EXPECT_EQ(m.alerts[0].capture_ns, capture(2).capture_ns);
    EXPECT_TRUE(m.alerts[0].alert.starts_with("cam-"));
    EXPECT_EQ(m.counters.read, 2);
    EXPECT_EQ(m.counters.annotated, 2);
    EXPECT_EQ(m.counters.alerts, 1);
    boxes(3);
    later(milliseconds(1500));
    EXPECT_EQ(bus.count("live_step"), 1u);
    answer();
    later(milliseconds(1500));
    ASSERT_EQ(bus.count("live_step"), 2u);
    EXPECT_EQ(step().step, 2);
    EXPECT_TRUE(step().alerts.empty());
    EXPECT_EQ(state().frames, 3);
    answer();
    later(milliseconds(5000));
    EXPECT_EQ(bus.count("live_step"), 2u);  // nothing was decided since
}

TEST_F(LiveHomeTest, AMissingFrameIsWaitedForThenLostAndLateOnesChangeNothing) {
    tell(task());
    boxes(1);
    boxes(3);
    later(milliseconds(100));
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1}));
    later(milliseconds(300));
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1, 3}));
    boxes(2);
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1, 3, 2}));  // its sender waits for it
    answer();
    later(milliseconds(2000));
    EXPECT_EQ(step().counters.read, 3);
    EXPECT_EQ(step().counters.annotated, 2);
    EXPECT_EQ(step().counters.dropped, (Dropped{{"annotate:lost", 1}}));
}

TEST_F(LiveHomeTest, ADroppedOneIsNotWaitedForAndCountedByItsReason) {
    tell(task());
    boxes(1);
    boxes(4, {{"drop_oldest", 2}});
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1, 4}));
    boxes(capture(5, {{"drop_oldest", 2}}), {}, "deadline", -1);
    boxes(capture(6, {{"drop_oldest", 2}}), {}, "deadline");
    EXPECT_EQ(seen().back(), 6);
    boxes(9, {{"drop_oldest", 3}, {"lost", 40}});  // what ingest calls lost was counted here
    EXPECT_EQ(seen().back(), 6);
    later(milliseconds(300));
    EXPECT_EQ(seen().back(), 9);
    answer();
    later(milliseconds(2000));
    const auto c = step().counters;
    EXPECT_EQ(c.read, 9);
    EXPECT_EQ(c.annotated, 3);
    EXPECT_EQ(c.dropped, (Dropped{{"annotate:lost", 1},
                                  {"detect:deadline", 1},
                                  {"ingest:drop_oldest", 3},
                                  {"preprocess:deadline", 1}}));
    EXPECT_TRUE(balanced(c));
}

TEST_F(LiveHomeTest, AStillFrameIsDecidedWithTheBoxesOfTheLastDetectedOne) {
    tell(task());
    boxes(1);
    still(capture(2));
    ASSERT_EQ(bus.count("live_step"), 1u);  // the second hit: an alert
    EXPECT_EQ(step().counters.detected, 1);
    EXPECT_EQ(step().counters.annotated, 2);
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1}));  // nobody waits for a still one
    // It overtakes what is being detected, and waits for it longer than others do.
    still(capture(4));
    later(milliseconds(1000));
    EXPECT_EQ(seen().size(), 1u);
    boxes(3);
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1, 3}));
    answer();
    later(milliseconds(1500));
    EXPECT_EQ(step().counters.read, 4);
}

TEST_F(LiveHomeTest, EveryPoolMustHaveSpoken) {
    auto t = task();
    t.spec.pools.push_back(t.spec.pools.front());
    t.spec.pools.back().name = "detect/n@1";
    tell(t);
    boxes(capture(1), {person()}, "", 1);
    EXPECT_TRUE(seen().empty());
    boxes(capture(1), {person()}, "", 0);
    EXPECT_EQ(seen(), (std::vector<std::int64_t>{1}));
}

TEST_F(LiveHomeTest, ANewHomeGoesOnWithTheRecordedStateAndTellsNothingTwice) {
    tell(task());
    boxes(1);
    boxes(2);
    const auto recorded = schema::encode(state());
    const auto told = step().alerts.front();
    home = std::make_unique<LiveHome>();
    token = {"cam", "watch", -1, 2, 2, 9};
    auto t = task(2);
    t.step = 1;
    t.state = recorded;
    tell(t);
    boxes(3);
    boxes(4);
    boxes(5);
    later(milliseconds(1500));
    ASSERT_EQ(bus.count("live_step"), 2u);
    EXPECT_EQ(step().step, 2);
    EXPECT_TRUE(step().alerts.empty());  // the incident goes on
    EXPECT_EQ(step().counters.read, 3);  // of this session
    EXPECT_EQ(state().frames, 5);
    // The same incident, told on, has the same id.
    answer();
    const auto gone = start_ns + 60'000'000'000;
    auto c = capture(6);
    c.capture_ns = gone;
    boxes(c, {});
    ASSERT_EQ(bus.count("live_step"), 3u);
    ASSERT_EQ(step().alerts.size(), 1u);
    EXPECT_EQ(step().alerts[0].kind, "end");
    EXPECT_EQ(step().alerts[0].alert, told.alert);
}

TEST_F(LiveHomeTest, AHigherRevisionChangesTheRulesAndKeepsTheRest) {
    tell(task());
    boxes(1);
    boxes(2);
    answer();
    auto t = task(2);
    t.spec.rules[0].name = "other";
    t.spec.rules[0].min_frames = 1;
    t.step = 77;  // what is held here is newer
    tell(t);
    EXPECT_EQ(bus.held.size(), 1u);
    boxes(3);
    const auto told = step().alerts;
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back().rule, "other");
    EXPECT_EQ(step().step, 2);
    EXPECT_EQ(state().frames, 3);
    answer();
    tell(task(1));  // older: nothing
    boxes(4);
    later(milliseconds(1500));
    for (const auto& a : step().alerts) EXPECT_NE(a.kind, "new");
}

TEST_F(LiveHomeTest, AnotherConnectionCountsAnewAndTheFormerIsNotHeard) {
    tell(task());
    boxes(1);
    boxes(2);
    boxes(4);  // 3 is missing when the camera moves
    auto c = capture(1, {}, "other");
    c.capture_ns = capture(5).capture_ns;
    boxes(c, {person()});
    boxes(capture(6), {person()});
    boxes(capture(7), {person()});
    auto d = capture(2, {}, "other");
    d.capture_ns = capture(8).capture_ns;
    boxes(d, {person()});
    // The same worker may be given the camera anew.
    auto e = capture(1, {}, "other");
    e.capture_ns = capture(9).capture_ns;
    boxes(e, {person()});
    answer();
    later(milliseconds(1500));
    const auto counters = step().counters;
    EXPECT_EQ(counters.read, 7);
    EXPECT_EQ(counters.annotated, 5);
    EXPECT_EQ(counters.dropped, (Dropped{{"annotate:lost", 2}}));
}

TEST_F(LiveHomeTest, WhileNobodyRecordsItDecidesNothingThatWouldHaveToBe) {
    auto t = task();
    t.spec.tracker.kind = "none";
    t.spec.rules[0].min_frames = 1;
    t.spec.rules[0].cooldown_s = 0;
    t.spec.rules[0].debounce_s = 0;
    tell(t);
    for (int seq = 1; seq <= 2000; ++seq)
        boxes(capture(seq), seq % 2 ? std::vector{person()} : std::vector<schema::Box>{});
    EXPECT_EQ(bus.count("live_step"), 1u);
    EXPECT_EQ(seen().size(), 2000u);
    answer();
    EXPECT_LE(step().alerts.size(), 300u);
    const auto c = step().counters;
    EXPECT_EQ(c.read, 2000);
    EXPECT_GT(c.dropped.at("annotate:unrecorded"), 1000);
    EXPECT_TRUE(balanced(c));
}

TEST_F(LiveHomeTest, LetsGoOfAStaleLeaseAndOfAllWhenItDrainsAlone) {
    tell(task());
    bus.drain = true;
    bus.peers["next"] = {"next", "live/annotate", "live/annotate", "", "", {}};
    later(milliseconds(0));
    EXPECT_FALSE(home->idle());  // it serves until the other took over
    bus.peers.clear();
    later(milliseconds(0));
    EXPECT_TRUE(home->idle());
    EXPECT_TRUE(bus.held.empty());
    tell(task(5));
    EXPECT_TRUE(home->idle());
    bus.drain = false;
    tell(task(5));
    home->on_drop(token, bus);
    EXPECT_TRUE(home->idle());
    boxes(1);  // of nobody's lease
    EXPECT_TRUE(bus.passed.empty());
}

class NoEmit final : public worker::Emit {
public:
    void to_any(const std::string&, bus::Envelope) override {}
    void to_home(const std::string&, bus::Envelope) override {}
    void to_bus(std::function<void()>) override {}
    bool stopped(const Token&) const override { return false; }
    bool reachable(const std::string&) const override { return true; }

protected:
    void request_(const Token&, Maker) override {}
};

TEST_F(LiveHomeTest, ThePictureOfAnAlertIsWrittenByTheWorkThread) {
    const auto dir = std::filesystem::temp_directory_path() / ("sl-snapshots-" + make_ulid());
    home = std::make_unique<LiveHome>(Snapshots({"out", "snap", dir.string(), 512, 72}));
    auto t = task();
    t.camera.snapshots = true;
    tell(t);
    boxes(1);
    schema::PictureMessage m;
    m.token = token;
    m.capture = capture(2);
    tell(m, schema::Bytes(media::i420_bytes(64, 48), 100));
    boxes(2);
    const auto alert = step().alerts.front();
    EXPECT_EQ(alert.snapshot, "out:snap/" + alert.alert + ".jpg");
    ASSERT_EQ(bus.posted.size(), 1u);
    NoEmit emit;
    home->work(bus.posted.front(), emit);
    const auto file = dir / (alert.alert + ".jpg");
    ASSERT_TRUE(std::filesystem::exists(file));
    EXPECT_GT(std::filesystem::file_size(file), 300u);
    std::filesystem::remove_all(dir);
}

TEST(SnapshotsTest, TheFolderNeverOutgrowsItsBounds) {
    namespace fs = std::filesystem;
    const auto dir = fs::temp_directory_path() / ("sl-snapshots-" + make_ulid());
    Snapshots snapshots({"out", "", dir.string(), 1, 1});
    EXPECT_FALSE(fs::exists(dir));  // without a picture
    EXPECT_EQ(snapshots.reference("a"), "out:a.jpg");
    // Noise is large: 60 to 90 KB a picture.
    schema::Bytes noise(media::i420_bytes(320, 240));
    for (auto& b : noise) b = std::uint8_t(random_u64());
    const auto picture = media::view_i420(noise, 320, 240);
    fs::create_directories(dir);
    std::ofstream(dir / "other.txt") << "not a snapshot";
    std::ofstream(dir / "old.jpg") << "old";
    fs::last_write_time(dir / "old.jpg", fs::file_time_type::clock::now() - std::chrono::hours(2));
    std::int64_t total = 0;
    for (int i = 0; i < 60; ++i) {
        ASSERT_TRUE(snapshots.write("s" + std::to_string(i), **picture));
        total = 0;
        for (const auto& f : fs::directory_iterator(dir)) total += std::int64_t(f.file_size());
        ASSERT_LT(total, (1 << 20) + (1 << 20) / 16 + 100'000);
    }
    EXPECT_GT(total, 500'000);
    EXPECT_TRUE(fs::exists(dir / "s59.jpg"));
    EXPECT_FALSE(fs::exists(dir / "s0.jpg"));
    EXPECT_FALSE(fs::exists(dir / "old.jpg"));
    EXPECT_TRUE(fs::exists(dir / "other.txt"));
    fs::remove_all(dir);
}

}  // namespace
}  // namespace sl::annotate
