// A home's life of one chunk, message by message, with a bus that only notes what was asked of it.
#include "workers/annotate/home.hpp"

#include <gtest/gtest.h>

#include "tests/support/note_bus.hpp"

namespace sl::annotate {
namespace {

using schema::Piece;
using schema::Token;

using test::NoteBus;

class HomeTest : public ::testing::Test {
protected:
    Home home;
    NoteBus bus;
    Token token{"job", "chunk", 0, 5, 1, 11};

    void expect_chunk(int batches = 2, bool recorded = false) {
        schema::Expect m;
        m.token = token;
        m.spec.job = "job";
        m.spec.pools = {{"detect/m@1", 8, 8, "bgr", "stretch", 0, {"person"}}};
        m.row.batches = batches;
        m.recorded = recorded;
        auto e = bus::Envelope::make(m);
        ASSERT_TRUE(home.intercept(e, bus));
    }
    void source(const Token& t) {
        schema::SourceMessage m;
        m.token = t;
        auto e = bus::Envelope::make(m).with(schema::Bytes{1, 2, 3});
        home.intercept(e, bus);
    }
    void batch(const Token& t, int n, float score = 0.5f) {
        schema::DetectionsMessage m;
        m.token = t;
        m.batch = n;
        m.detections.frames = {{n, n * 10, {{1, 2, 3, 4, score, 0, 0}}}};
        auto e = bus::Envelope::make(m);
        home.intercept(e, bus);
    }
    void answer(const std::string& type, const std::string& status, std::vector<schema::Bytes> payload = {}) {
        const auto& s = bus.last(type);
        schema::Answer a;
        a.req = s.req;
        a.status = status;
        auto e = bus::Envelope::make(a);
        for (auto& p : payload) e.payload.push_back(bus::to_frame(std::move(p)));
        home.on_answer(s.token, a, e, bus);
    }
    void join(const std::string& id, const std::string& stage) {
        bus.peers[id] = {id, stage, stage == "detect" ? "detect/m@1" : stage, "", "", {}};
    }
    void leave(const std::string& id, const std::string& stage) {
        join(id, stage);
        const schema::Peer gone = bus.peers[id];
        bus.peers.erase(id);
        home.on_gone({gone}, bus);
    }
    void told(const std::string& ingest) {  // the broker's answer to the open FETCH
        const auto& s = bus.last("fetch");
        schema::Answer a;
        a.req = s.req;
        a.status = "ok";
        a.from = ingest;
        auto e = bus::Envelope::make(a);
        home.on_answer(s.token, a, e, bus);
    }
    std::vector<Piece> take(const std::string& worker, std::vector<Piece> pieces,
                            std::optional<Token> of = std::nullopt) {
        schema::Take m;
        m.token = of.value_or(token);
        m.worker = worker;
        m.pieces = std::move(pieces);
        auto e = bus::Envelope::make(m);
        home.intercept(e, bus);
        const auto took = bus.last("took").message.as<schema::Took>();
        EXPECT_EQ(took->worker, worker);
        return took->pieces;
    }
    void turn() {
        const auto& gathered = bus.last("gathered");
        schema::Bytes d = schema::encode(schema::Detections{});
        if (!gathered.message.payload.empty())
            d.assign(gathered.message.part(0).begin(), gathered.message.part(0).end());
        answer("gathered", "turn", {schema::encode(schema::StreamState{}), d});
    }
};

TEST_F(HomeTest, AsksForEverythingThenGathersStepsRendersCommits) {
    expect_chunk();
    EXPECT_TRUE(bus.held.contains(token));
    const auto fetch = bus.last("fetch").message.as<schema::Fetch>();
    EXPECT_EQ(fetch->pieces, (std::vector<Piece>{{-1, 0}, {0, 0}, {0, 1}}));
    batch(token, 1);
    source(token);
    EXPECT_EQ(bus.count("gathered"), 0u);
    batch(token, 0);
    ASSERT_EQ(bus.count("gathered"), 1u);
    // Frames in order, whatever order the batches came in.
    const auto d = schema::decode<schema::Detections>(bus.last("gathered").message.part(0), "D");
    ASSERT_EQ(d->frames.size(), 2u);
    EXPECT_EQ(d->frames[0].frame, 0);
    answer("gathered", "wait");
    EXPECT_EQ(bus.count("step"), 0u);
    schema::Nudge nudge;
    nudge.token = token;
    auto e = bus::Envelope::make(nudge);
    home.intercept(e, bus);
    EXPECT_EQ(bus.count("gathered"), 2u);
    EXPECT_TRUE(bus.last("gathered").message.payload.empty());  // D is recorded already
    answer("gathered", "turn", {schema::encode(schema::StreamState{}), schema::encode(*d)});
    EXPECT_EQ(bus.count("step"), 1u);
    EXPECT_TRUE(bus.posted.empty());  // nothing is rendered before the step is durable
    answer("step", "ok");
    ASSERT_EQ(bus.posted.size(), 1u);
    const auto item = home.take_item(token);
    ASSERT_TRUE(item);
    EXPECT_EQ(item->packets.size(), 3u);
    EXPECT_EQ(item->stepped.tracked.frames.size(), 2u);
    home.rendered(token, std::pair{std::vector<schema::Part>{{"video", "p", 1, "f"}}, schema::Counters{}},
                  bus);
    EXPECT_EQ(bus.last("done").message.as<schema::Done>()->parts.size(), 1u);
    EXPECT_TRUE(bus.held.contains(token));  // until it is answered
    answer("done", "ok");
    EXPECT_TRUE(bus.held.empty());
    EXPECT_TRUE(home.idle());
}

TEST_F(HomeTest, TheFirstOfEachPieceWinsWhateverLeaseItTravelledUnder) {
    expect_chunk(1);
    Token older = token;
    older.attempt = 0;
    older.nonce = 1;
    batch(older, 0, 0.5f);
    batch(token, 0, 0.9f);
    source(token);
    const auto d = schema::decode<schema::Detections>(bus.last("gathered").message.part(0), "D");
    EXPECT_FLOAT_EQ(d->frames[0].boxes[0].score, 0.5f);
    EXPECT_EQ(bus.count("gathered"), 1u);
}

TEST_F(HomeTest, APieceIsWorkedOnByWhoTookIt) {
    join("i", "ingest");
    join("p", "preprocess");
    join("q", "preprocess");
    join("x", "detect");
    join("y", "detect");
    expect_chunk();
    told("i");
    const std::vector<Piece> all{{-1, 0}, {0, 0}, {0, 1}};
    EXPECT_EQ(take("p", all), all);
    EXPECT_EQ(take("q", all), std::vector<Piece>{});  // p has them
    EXPECT_EQ(take("p", all), all);                   // asked twice
    EXPECT_EQ(take("x", {{0, 0}}), (std::vector<Piece>{{0, 0}}));
    EXPECT_EQ(take("y", {{0, 0}}), std::vector<Piece>{});
    EXPECT_EQ(take("q", all), std::vector<Piece>{});  // further along, or p's
    batch(token, 0);
    EXPECT_EQ(take("x", {{0, 0}}), std::vector<Piece>{});  // it is here
    EXPECT_EQ(take("y", {{0, 1}}), (std::vector<Piece>{{0, 1}}));
    bus.peers.erase("y");
    EXPECT_EQ(take("x", {{0, 1}}), (std::vector<Piece>{{0, 1}}));  // who took it is gone
    EXPECT_EQ(take("x", {{0, 1}}, Token{"job", "chunk", 0, 6, 1, 5}), std::vector<Piece>{});  // not held here
}

TEST_F(HomeTest, WhenAWorkerIsGoneItAsksForWhatMayHaveDiedWithItOnly) {
    join("i", "ingest");
    join("p", "preprocess");
    join("x", "detect");
    join("y", "detect");
    expect_chunk(3);
    told("i");
    take("p", {{-1, 0}, {0, 0}, {0, 1}, {0, 2}});
    take("x", {{0, 0}});
    take("y", {{0, 1}});
    leave("a", "annotate");
    EXPECT_EQ(bus.count("fetch"), 1u);
    leave("i", "ingest");  // everything of it is further along
    EXPECT_EQ(bus.count("fetch"), 1u);
    leave("x", "detect");  // its own, and what may have lain in its queue: on the way from p to any
    ASSERT_EQ(bus.count("fetch"), 2u);
    EXPECT_EQ(bus.last("fetch").message.as<schema::Fetch>()->pieces, (std::vector<Piece>{{0, 0}, {0, 2}}));
    leave("p", "preprocess");  // the source was still there; the open request is answered first
    EXPECT_EQ(bus.count("fetch"), 2u);
    join("j", "ingest");
    told("j");
    ASSERT_EQ(bus.count("fetch"), 3u);
    EXPECT_EQ(bus.last("fetch").message.as<schema::Fetch>()->pieces, (std::vector<Piece>{{-1, 0}}));
}

TEST_F(HomeTest, TheBackstopAsksAgainAfterSilence) {
    join("i", "ingest");
    expect_chunk();
    told("i");
    home.on_tick(Clock::now() + std::chrono::seconds(4), bus);
    EXPECT_EQ(bus.count("fetch"), 1u);
    home.on_tick(Clock::now() + std::chrono::seconds(6), bus);
    EXPECT_EQ(bus.count("fetch"), 2u);
}

TEST_F(HomeTest, AWaitingHomeAsksAgainWithoutANudge) {
    expect_chunk(0);
    source(token);
    answer("gathered", "wait");
    home.on_tick(Clock::now(), bus);
    EXPECT_EQ(bus.count("gathered"), 1u);
    home.on_tick(Clock::now() + std::chrono::seconds(2), bus);
    EXPECT_EQ(bus.count("gathered"), 2u);
}

TEST_F(HomeTest, MoreDetectionsThanAChunkMayHaveFailItWithARemedy) {
    expect_chunk(1);
    source(token);
    schema::DetectionsMessage m;
    m.token = token;
    m.detections.frames = {{0, 0, std::vector<schema::Box>(200'000, {1, 2, 3, 4, 0.5f, 0, 0})}};
    auto e = bus::Envelope::make(m);
    home.intercept(e, bus);
    EXPECT_EQ(bus.count("gathered"), 0u);
    const auto fail = bus.last("fail").message.as<schema::Fail>();
    EXPECT_EQ(fail->code, "INVALID_PARAMS");
    EXPECT_NE(fail->message.find("max_boxes"), std::string::npos);
}

TEST_F(HomeTest, WeakDetectionsMakeRoomForTheOthers) {
    expect_chunk(1);
    source(token);
    schema::DetectionsMessage m;
    m.token = token;
    m.detections.frames = {{0, 0, std::vector<schema::Box>(200'000, {1, 2, 3, 4, 0.2f, 0, 0})}};
    m.detections.frames[0].boxes[7].score = 0.5f;
    auto e = bus::Envelope::make(m);
    home.intercept(e, bus);
    ASSERT_EQ(bus.count("gathered"), 1u);
    const auto d = schema::decode<schema::Detections>(bus.last("gathered").message.part(0), "detections");
    ASSERT_TRUE(d);
    ASSERT_EQ(d->frames[0].boxes.size(), 1u);
    EXPECT_EQ(d->frames[0].boxes[0].score, 0.5f);
}

TEST_F(HomeTest, RecordedDetectionsAreNotAskedForAgain) {
    expect_chunk(2, true);
    EXPECT_EQ(bus.last("fetch").message.as<schema::Fetch>()->pieces, (std::vector<Piece>{{-1, 0}}));
    source(token);
    EXPECT_TRUE(bus.last("gathered").message.payload.empty());
}

TEST_F(HomeTest, ANewerLeaseTakesOverAndAnOlderOneIsIgnored) {
    expect_chunk();
    const Token first = token;
    token.attempt = 2;
    token.nonce = 12;
    expect_chunk();
    EXPECT_FALSE(bus.held.contains(first));
    EXPECT_TRUE(bus.held.contains(token));
    const Token second = token;
    token = first;
    expect_chunk();
    EXPECT_EQ(bus.held, std::set{second});
}

TEST_F(HomeTest, ADroppedLeaseLeavesNothing) {
    expect_chunk(0);
    source(token);
    turn();
    answer("step", "ok");
    home.on_drop(token);
    EXPECT_FALSE(home.take_item(token));
    EXPECT_TRUE(home.idle());
    home.rendered(token, Error{Errc::canceled, "x", ""}, bus);  // the work thread noticed later
    EXPECT_EQ(bus.count("done"), 0u);
}

TEST_F(HomeTest, AFailedRenderOrDetectorIsReportedAndHeldUntilHeard) {
    expect_chunk(1);
    schema::DetectionsMessage m;
    m.token = token;
    m.error_code = "INTERNAL";
    m.error = "the model broke";
    auto e = bus::Envelope::make(m);
    home.intercept(e, bus);
    EXPECT_EQ(bus.last("fail").message.as<schema::Fail>()->message, "the model broke");
    EXPECT_TRUE(bus.held.contains(token));
    answer("fail", "ok");
    EXPECT_TRUE(home.idle());
}

TEST_F(HomeTest, DrainingHandsBackWhatIsNotSteppedAndTakesNothing) {
    expect_chunk(0);
    const Token kept = token;
    source(token);
    turn();
    answer("step", "ok");
    token.seq = 6;
    expect_chunk();
    bus.drain = true;
    home.on_tick(Clock::now(), bus);
    EXPECT_EQ(bus.held, std::set{kept});
    token.seq = 7;
    expect_chunk();
    EXPECT_FALSE(bus.held.contains(token));
}

}  // namespace
}  // namespace sl::annotate
