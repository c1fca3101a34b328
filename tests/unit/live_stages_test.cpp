// What becomes of one frame of a camera on its way: from its connection (a synthetic one) to boxes, with a
// bus that only notes what was asked of it.
#include <gtest/gtest.h>
#include <poll.h>

#include "common/ids.hpp"
#include "common/media/i420.hpp"
#include "tests/support/note_bus.hpp"
#include "workers/detect/live_detect.hpp"
#include "workers/ingest/live_ingest.hpp"
#include "workers/preprocess/live_preprocess.hpp"

namespace sl {
namespace {

using namespace std::chrono_literals;
using schema::Token;

class NoteEmit final : public worker::Emit {
public:
    std::vector<test::NoteBus::Passed> passed;
    std::set<std::string> gone;
    void to_any(const std::string& pool, bus::Envelope message) override {
        passed.push_back({pool, std::move(message)});
    }
    void to_home(const std::string& worker, bus::Envelope message) override {
        passed.push_back({worker, std::move(message)});
    }
    void to_bus(std::function<void()>) override {}
    bool stopped(const Token&) const override { return false; }
    bool reachable(const std::string& worker) const override { return !gone.contains(worker); }

protected:
    void request_(const Token&, Maker) override {}
};

// --- ingest ----------------------------------------------------------------------------------------------

class LiveIngestTest : public ::testing::Test {
protected:
    test::NoteBus bus;
    std::unique_ptr<ingest::LiveIngestStage> stage = std::make_unique<ingest::LiveIngestStage>("");
    Token token{"cam", "camera", -1, 0, 1, 3}, watch{"cam", "watch", -1, 1, 1, 4};

    void SetUp() override {
        bus.peers["home"] = {"home", "live/annotate", "live/annotate", "", "", {}};
        bus.peers["pre"] = {"pre", "live/preprocess", "live/preprocess", "", "", {}};
        bus.peers["det"] = {"det", "live/detect", "live/detect/m@1", "", "", {}};
    }
    schema::CameraTask task(std::int64_t revision = 1,
                            const std::string& query = "fps=50&width=64&height=48") {
        schema::CameraTask m;
        m.token = token;
        m.camera.camera = "cam";
        m.camera.url = "synthetic://?" + query;
        m.camera.fps = 50;
        m.camera.motion.on = false;
        m.camera.snapshots = true;
        m.spec.camera = "cam";
        m.spec.confidence = 0.4;
        m.spec.pools = {{"detect/m@1", 8, 8, "bgr", "stretch", 0, {"person"}}};
        m.home = "home";
        m.watch = watch;
        m.revision = revision;
        return m;
    }
    template <typename T>
    void tell(const T& m) {
        auto e = bus::Envelope::make(m);
        ASSERT_TRUE(stage->intercept(e, bus));
    }
    std::vector<schema::FrameMessage> frames() {
        std::vector<schema::FrameMessage> all;
        for (auto& p : bus.passed)
            if (p.message.type() == "frame") {
                EXPECT_EQ(p.to, "live/preprocess");
                all.push_back(*p.message.as<schema::FrameMessage>());
            }
        return all;
    }
    schema::CameraReport report() { return *bus.last("camera_report").message.as<schema::CameraReport>(); }
    // Lets the stage run as its loop would, until `done`.
    void until(const std::string& what, const std::function<bool()>& done) {
        for (const auto end = Clock::now() + 30s; !done();) {
            ASSERT_LT(Clock::now(), end) << "not within 30 s: " << what;
            pollfd p{stage->wake_fd(), POLLIN, 0};
            if (::poll(&p, 1, 20) == 1) stage->on_wake(bus);
            stage->on_tick(Clock::now(), bus);
        }
    }
    void seen(std::int64_t seq, const Token& by) {
        schema::SeenMessage m;
        m.token = by;
        m.camera = "cam";
        m.seq = seq;
        tell(m);
    }
};

TEST_F(LiveIngestTest, TwoFramesAreInFlightAndTheNextGoesWhenOneWasSeen) {
    tell(task());
    EXPECT_TRUE(bus.held.contains(token));
    until("two are sent", [&] { return frames().size() == 2; });
    until("others are dropped", [&] { return report().dropped.contains("drop_oldest"); });
    auto sent = frames();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].token, watch);
    EXPECT_EQ(sent[0].home, "home");
    EXPECT_EQ(sent[0].capture.seq, 1);
    EXPECT_EQ(sent[0].capture.ingest, "me");
    EXPECT_LE(sent[0].confidence, 0.1);  // the tracker wants weak boxes
    EXPECT_TRUE(sent[0].picture);
    EXPECT_EQ(bus.passed[0].message.part(0).size(), media::i420_bytes(64, 48));
    seen(1, {"cam", "watch", -1, 9, 9, 9});  // by another home than ours
    EXPECT_EQ(frames().size(), 2u);
    seen(1, watch);
    until("a third is sent", [&] { return frames().size() == 3; });
    const auto last = frames().back().capture;
    EXPECT_EQ(last.seq, 3 + last.dropped.at("drop_oldest"));  // no number is missing
    EXPECT_EQ(report().state, "streaming");
    EXPECT_EQ(report().width, 64);
}

TEST_F(LiveIngestTest, AFrameThatNobodySawIsLostAfterTwoSeconds) {
    tell(task());
    until("two are sent", [&] { return frames().size() == 2; });
    const auto sent = Clock::now();
    until("others are sent", [&] { return frames().size() >= 4; });
    EXPECT_GE(Clock::now() - sent, 1900ms);
    until("both are told", [&] { return report().dropped["lost"] >= 2; });
}

TEST_F(LiveIngestTest, NothingIsSentWhereNobodyCanTakeIt) {
    auto t = task();
    t.home = "";
    tell(t);
    until("there is no home",
          [&] { return bus.count("camera_report") > 0 && report().dropped["no_home"] > 2; });
    EXPECT_TRUE(bus.passed.empty());
    // A home, but nobody who detects; then no room.
    bus.peers.erase("det");
    tell(task(2));
    until("they wait", [&] { return report().dropped["drop_oldest"] > 0; });
    EXPECT_TRUE(bus.passed.empty());
    bus.peers["det"] = {"det", "live/detect", "live/detect/m@1", "", "", {}};
    bus.full = {"live/preprocess"};
    stage->on_tick(Clock::now(), bus);
    EXPECT_TRUE(bus.passed.empty());
    bus.full.clear();
    until("they are sent", [&] { return frames().size() == 2; });
}

TEST_F(LiveIngestTest, AChangedHomeGivesTheCreditBackAndKeepsTheConnection) {
    tell(task());
    until("two are sent", [&] { return frames().size() == 2; });
    auto t = task(2);
    t.watch.attempt = 2;
    tell(t);
    until("two more are sent", [&] { return frames().size() == 4; });
    EXPECT_EQ(frames().back().token.attempt, 2);
    until("it is told", [&] { return report().dropped["lost"] == 2; });
    EXPECT_EQ(report().connects, 1);
    // A new lease counts anew, on the same connection.
    token.attempt = 2;
    auto again = task(3);
    again.watch.attempt = 2;
    tell(again);
    EXPECT_EQ(bus.held, (std::set<Token>{token}));
    until("it counts anew", [&] { return frames().size() == 6; });
    EXPECT_LT(frames()[4].capture.seq, frames()[3].capture.seq);
    EXPECT_EQ(report().connects, 1);
}

TEST_F(LiveIngestTest, StillFramesGoToTheHomeAtOnce) {
    auto t = task(1, "fps=50&width=64&height=48&boxes=0");
    t.camera.motion.on = true;
    tell(t);
    const auto stills = [&] {
        return std::count_if(bus.passed.begin(), bus.passed.end(),
                             [](const auto& p) { return p.message.type() == "still" && p.to == "home"; });
    };
    until("still frames come", [&] { return stills() > 5; });
    EXPECT_LE(frames().size(), 2u);
    until("they are counted", [&] { return report().gated > 5; });
}

TEST_F(LiveIngestTest, LetsGoWhenTheLeaseIsOverOrNobodyCanTakeOver) {
    tell(task());
    stage->on_drop(token, bus);
    EXPECT_TRUE(stage->idle());
    tell(task());
    bus.drain = true;
    bus.peers["other"] = {"other", "live/ingest", "live/ingest", "", "", {}};
    stage->on_tick(Clock::now(), bus);
    EXPECT_FALSE(stage->idle());
    bus.peers.erase("other");
    stage->on_tick(Clock::now(), bus);
    EXPECT_TRUE(stage->idle());
    EXPECT_TRUE(bus.held.empty());
}

// --- preprocess, detect ----------------------------------------------------------------------------------

schema::FrameMessage frame(double deadline_s = 0, std::int64_t age_ms = 0) {
    schema::FrameMessage m;
    m.token = {"cam", "watch", -1, 1, 1, 4};
    m.home = "home";
    m.capture = {"cam", 7, now_ns() - age_ms * 1'000'000, 64, 48, "in", {}, deadline_s};
    m.pools = {{"detect/a@1", 32, 32, "bgr", "stretch", 0, {"person"}},
               {"detect/b@1", 16, 8, "rgb", "top_left", 114, {"car", "person"}}};
    m.confidence = 0.1;
    m.classes = {"person"};
    m.picture = true;
    return m;
}

TEST(LivePreprocess, MakesATensorForEachPoolAndHandsThePictureOn) {
    preprocess::LivePreprocessStage stage;
    NoteEmit emit;
    auto item = bus::Envelope::make(frame()).with(schema::Bytes(media::i420_bytes(64, 48), 128));
    stage.work(item, emit);
    ASSERT_EQ(emit.passed.size(), 3u);
    EXPECT_EQ(emit.passed[0].to, "home");
    EXPECT_EQ(emit.passed[0].message.type(), "picture");
    EXPECT_EQ(emit.passed[0].message.part(0).size(), media::i420_bytes(64, 48));
    EXPECT_EQ(emit.passed[1].to, "live/detect/a@1");
    EXPECT_EQ(emit.passed[2].to, "live/detect/b@1");
    const auto tensor = emit.passed[2].message.as<schema::TensorMessage>();
    ASSERT_TRUE(tensor);
    EXPECT_EQ(tensor->pool, 1);
    EXPECT_EQ(tensor->capture.seq, 7);
    EXPECT_EQ(emit.passed[2].message.part(0).size(), 3u * 16 * 8);
    EXPECT_EQ(tensor->mapping.right, 64);
}

TEST(LivePreprocess, GivesUpWhatIsTooOldOrNoPictureAndDropsWhatHasNoHome) {
    preprocess::LivePreprocessStage stage;
    NoteEmit emit;
    auto old = bus::Envelope::make(frame(0.5, 800)).with(schema::Bytes(media::i420_bytes(64, 48)));
    stage.work(old, emit);
    auto broken = bus::Envelope::make(frame()).with(schema::Bytes(100));
    stage.work(broken, emit);
    ASSERT_EQ(emit.passed.size(), 2u);
    const char* reasons[] = {"deadline", "bad_frame"};
    for (std::size_t i = 0; i < 2; ++i) {
        const auto m = emit.passed[i].message.as<schema::FoundMessage>();
        ASSERT_TRUE(m);
        EXPECT_EQ(emit.passed[i].to, "home");
        EXPECT_EQ(m->pool, -1);
        EXPECT_EQ(m->dropped, reasons[i]);
        EXPECT_EQ(m->capture.seq, 7);
    }
    emit.gone = {"home"};
    auto homeless = bus::Envelope::make(frame()).with(schema::Bytes(media::i420_bytes(64, 48)));
    stage.work(homeless, emit);
    EXPECT_EQ(emit.passed.size(), 2u);
}

class OneBox final : public detect::Backend {
public:
    explicit OneBox(int& calls) : calls_(calls) {}
    Result<std::vector<schema::Box>> detect(std::span<const std::uint8_t> tensor,
                                            const detect::Thresholds& t) override {
        ++calls_;
        if (tensor.size() != 3u * 16 * 8) return Error{Errc::bad_message, "wrong size", ""};
        EXPECT_EQ(t.classes, (std::vector<bool>{false, true}));
        return std::vector<schema::Box>{{4, 2, 8, 4, 0.7f, 1, 0, 0}};
    }

private:
    int& calls_;
};

TEST(LiveDetect, SaysBoxesInPixelsOfTheFrameOrWhyNot) {
    int calls = 0;
    detect::LiveDetectStage stage(std::make_unique<OneBox>(calls));
    NoteEmit emit;
    schema::TensorMessage m;
    m.token = frame().token;
    m.home = "home";
    m.capture = frame(0.5).capture;
    m.pool = 1;
    m.spec = frame().pools[1];
    m.classes = {"person"};
    m.mapping = {4, 0, 0, 0, 6, 0, 0, 0, 64, 48};
    auto item = bus::Envelope::make(m).with(schema::Bytes(3 * 16 * 8));
    stage.work(item, emit);
    ASSERT_EQ(emit.passed.size(), 1u);
    const auto found = emit.passed[0].message.as<schema::FoundMessage>();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->pool, 1);
    EXPECT_EQ(found->boxes, (std::vector<schema::Box>{{16, 12, 32, 24, 0.7f, 1, 1, 0}}));
    EXPECT_EQ(found->dropped, "");

    auto wrong = bus::Envelope::make(m).with(schema::Bytes(10));
    stage.work(wrong, emit);
    EXPECT_EQ(emit.passed[1].message.as<schema::FoundMessage>()->dropped, "failed");
    m.capture.capture_ns -= 800'000'000;
    auto old = bus::Envelope::make(m).with(schema::Bytes(3 * 16 * 8));
    stage.work(old, emit);
    EXPECT_EQ(emit.passed[2].message.as<schema::FoundMessage>()->dropped, "deadline");
    EXPECT_EQ(calls, 2);  // what is too old is not looked at
}

}  // namespace
}  // namespace sl
