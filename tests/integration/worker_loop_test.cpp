// The loop of every worker against a scripted broker on real sockets:
//
//   stage under test ── DEALER ──▶ ROUTER (this test)      PUSH (this test) ──▶ PULL of the worker
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "common/log.hpp"
#include "common/worker/worker.hpp"

namespace sl::worker {
namespace {

using namespace std::chrono_literals;

class SlowStage final : public Stage {
public:
    std::atomic<bool> go{false};
    std::atomic<int> items{0};
    std::atomic<bool> reached{false};
    std::vector<schema::Piece> pieces() const {  // of the last chunk that was worked on
        const std::lock_guard lock(mutex_);
        return pieces_;
    }
    std::optional<Claim> claim(const bus::Envelope& item) const override {
        const auto chunk = item.as<schema::ChunkMessage>();
        return chunk ? std::optional(Claim{chunk->token, chunk->home, chunk->pieces}) : std::nullopt;
    }
    void narrow(bus::Envelope& item, const std::vector<schema::Piece>& wanted) override {
        auto chunk = item.as<schema::ChunkMessage>();
        chunk->pieces = wanted;
        item = bus::Envelope::make(*chunk);
    }
    void work(bus::Envelope& item, Emit& emit) override {
        if (item.type() == "chunk") {
            const std::lock_guard lock(mutex_);
            pieces_ = item.as<schema::ChunkMessage>()->pieces;
            ++items;
            return;
        }
        const auto task = item.as<schema::Task>();
        if (!task) return;
        while (!go && !emit.stopped(task->token)) std::this_thread::sleep_for(1ms);
        reached = emit.reachable(task->home);
        ++items;
        if (emit.stopped(task->token)) return;
        if (task->state == "throw") throw std::runtime_error("thrown by the stage");
        schema::UnitDone done;
        done.token = task->token;
        emit.request(done);
    }

private:
    mutable std::mutex mutex_;
    std::vector<schema::Piece> pieces_;
};

class Loop : public ::testing::Test {
protected:
    void SetUp() override {
        dir_ = std::filesystem::temp_directory_path() / ("sl-loop-" + make_ulid());
        std::filesystem::create_directories(dir_);
        options_.brokers = {"ipc://" + (dir_ / "broker").string()};
        if (standby_) options_.brokers.push_back("ipc://" + (dir_ / "standby").string());
        options_.check_reload = [this] {
            return config_ok_ ? Result<void>{} : Error{Errc::invalid_argument, "line 7", ""};
        };
        options_.stage = "ingest";
        options_.run_dir = dir_.string();
        options_.round_ms = standby_ ? 400 : 40;  // two rounds of silence, and it moves to the next broker
        ASSERT_TRUE(bus::bind(router_, options_.brokers[0] + ".workers"));
        thread_ = std::thread([this] { result_ = run_worker(context_, stage_, options_, stop_, 1); });
    }
    void TearDown() override {
        stage_.go = true;
        stop();
        if (thread_.joinable()) thread_.join();
        ::close(stop_);
        std::filesystem::remove_all(dir_);
    }
    void stop() {
        const std::uint64_t one = 1;
        ASSERT_EQ(::write(stop_, &one, sizeof one), ssize_t(sizeof one));
    }
    // The next message of this type from the worker; others are passed over.
    bus::Envelope expect(const std::string& type) {
        const auto until = Clock::now() + 10s;
        while (Clock::now() < until) {
            zmq::pollitem_t p{router_.handle(), 0, ZMQ_POLLIN, 0};
            zmq::poll(&p, 1, 50ms);
            auto frames = bus::receive(router_);
            if (!frames) continue;
            worker_ = frames->front().to_string();
            frames->erase(frames->begin());
            auto e = bus::Envelope::parse(std::move(*frames));
            EXPECT_TRUE(e) << e.error().message;
            if (e && e->type() == type) return std::move(*e);
        }
        ADD_FAILURE() << "no " << type << " within 10 s";
        return {};
    }
    template <typename T>
    void tell(const T& m) {
        std::vector<zmq::message_t> frames;
        frames.emplace_back(worker_.data(), worker_.size());
        bus::Envelope::make(m).append_to(frames);
        bus::send(router_, frames);
    }
    void tell_raw(std::initializer_list<std::string> parts) {
        std::vector<zmq::message_t> frames;
        frames.emplace_back(worker_.data(), worker_.size());
        for (const auto& p : parts) frames.emplace_back(p.data(), p.size());
        bus::send(router_, frames);
    }
    schema::Hello join(std::uint64_t epoch = 5) {
        auto hello = expect("hello").as<schema::Hello>();
        EXPECT_TRUE(hello);
        schema::Welcome w;
        w.epoch = epoch_ = epoch;
        tell(w);
        return *hello;
    }
    schema::Token give(const std::string& unit = "scan", const std::string& state = "",
                       const std::string& home = "") {
        schema::Task t;
        t.epoch = epoch_;
        t.token = {"job", unit, -1, 0, ++attempt_, 1};
        t.state = state;
        t.home = home;
        tell(t);
        return t.token;
    }

    // A chunk from a peer with these pieces, once the worker knows peers at all.
    void chunk(const schema::Hello& hello, std::vector<schema::Piece> pieces) {
        schema::Peers peers;
        peers.epoch = 5;
        peers.n = 1;
        peers.workers = {{"home", "annotate", "annotate", "h", "p", {"tcp://127.0.0.1:1"}}};
        tell(peers);
        schema::ChunkMessage m;
        m.token = {"job", "chunk", 0, 3, 1, 1};
        m.home = "home";
        m.pieces = std::move(pieces);
        std::vector<zmq::message_t> frames;
        bus::Envelope::make(m).append_to(frames);
        if (!push_) {
            push_.emplace(bus::make_socket(context_, bus::Kind::push_home));
            ASSERT_TRUE(bus::connect(*push_, hello.endpoints.front()));
        }
        bus::send(*push_, frames);
    }

    zmq::context_t context_;
    std::optional<zmq::socket_t> push_;
    zmq::socket_t router_ = bus::make_socket(context_, bus::Kind::workers_router);
    std::filesystem::path dir_;
    Options options_;
    SlowStage stage_;
    int stop_ = eventfd(0, EFD_CLOEXEC);
    Result<Ended> result_ = Ended::left;
    bool standby_ = false;
    std::atomic<bool> config_ok_{true};
    std::thread thread_;
    std::string worker_;
    int attempt_ = 0;
    std::uint64_t epoch_ = 5;  // of the last welcome
};

TEST_F(Loop, BeatsWhileItWorksAndListsWhatItHolds) {
    const auto hello = join();
    EXPECT_EQ(hello.stage, "ingest");
    ASSERT_FALSE(hello.endpoints.empty());
    const auto token = give();
    for (int i = 0; i < 3;) {  // several rounds, while the work thread is stuck
        const auto beat = expect("beat").as<schema::Beat>();
        ASSERT_TRUE(beat);
        EXPECT_EQ(beat->epoch, 5u);
        if (beat->held == std::vector{token} && beat->busy_ms > 0) ++i;
    }
    stage_.go = true;
    const auto done = expect("unit_done").as<schema::UnitDone>();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->token, token);
}

TEST_F(Loop, RepeatsARequestUntilItIsAnsweredAndHoldsTheUnitSoLong) {
    join();
    stage_.go = true;
    const auto token = give();
    const auto first = expect("unit_done").as<schema::UnitDone>();
    const auto again = expect("unit_done").as<schema::UnitDone>();
    ASSERT_TRUE(first && again);
    EXPECT_EQ(first->req, again->req);
    while (expect("beat").as<schema::Beat>()->held != std::vector{token}) {
    }
    schema::Answer a;
    a.req = first->req;
    a.status = "ok";
    tell(a);
    while (!expect("beat").as<schema::Beat>()->held.empty()) {
    }
}

TEST_F(Loop, SaysHelloAgainWhenTheBrokerDoesNotKnowItAndRepeatsWhatIsOpen) {
    join();
    stage_.go = true;
    give();
    const auto first = expect("unit_done").as<schema::UnitDone>();
    schema::BeatAnswer who;
    who.epoch = 6;
    who.who = true;
    tell(who);
    join(6);
    EXPECT_EQ(expect("unit_done").as<schema::UnitDone>()->req, first->req);
    EXPECT_EQ(expect("beat").as<schema::Beat>()->epoch, 6u);
}

TEST_F(Loop, TakesThePeersOfANewLeaderThoughTheyAreNumberedAnew) {
    join(5);
    const auto peers = [&](std::uint64_t epoch, std::uint64_t n, const std::string& worker) {
        schema::Peers m;
        m.epoch = epoch;
        m.n = n;
        m.workers = {{worker, "annotate", "annotate", "h", "p", {"tcp://127.0.0.1:1"}}};
        tell(m);
    };
    stage_.go = true;
    peers(5, 40, "old");
    give("scan", "", "old");
    expect("unit_done");
    EXPECT_TRUE(stage_.reached);
    schema::BeatAnswer who;
    who.epoch = 6;
    who.who = true;
    tell(who);
    join(6);
    peers(6, 1, "new");
    give("scan", "", "new");
    while (stage_.items < 2) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(stage_.reached);
}

TEST_F(Loop, GivesUpADroppedUnit) {
    join();
    const auto token = give();
    while (expect("beat").as<schema::Beat>()->busy_ms == 0) {
    }
    schema::BeatAnswer drop;
    drop.epoch = 5;
    drop.drop = {token};
    tell(drop);
    while (!expect("beat").as<schema::Beat>()->held.empty()) {
    }
    while (stage_.items == 0) std::this_thread::sleep_for(1ms);  // stopped() let it go, though go is false
}

TEST_F(Loop, AnExceptionOfTheStageFailsTheUnitNotTheWorker) {
    join();
    stage_.go = true;
    const auto token = give("scan", "throw");
    const auto fail = expect("fail").as<schema::Fail>();
    ASSERT_TRUE(fail);
    EXPECT_EQ(fail->token, token);
    EXPECT_EQ(fail->code, "INTERNAL");
    EXPECT_NE(fail->message.find("thrown by the stage"), std::string::npos);
    give();
    expect("unit_done");
}

TEST_F(Loop, BadMessagesFromAnybodyAreCountedAndSurvived) {
    const auto hello = join();
    tell_raw({"SL1"});
    tell_raw({"SL9", "\x80"});
    tell_raw({"SL1", "garbage"});
    tell_raw({"SL1", "\x81\xa4type\xa4task"});
    tell_raw({"SL1", "\x81\xa4type\xa7nothing"});
    auto push = bus::make_socket(context_, bus::Kind::push_home);
    ASSERT_TRUE(bus::connect(push, hello.endpoints.front()));
    for (const std::string& bytes :
         {std::string("x"), std::string(100'000, '\x91'), std::string("\xdd\x1f\xff\xff\xff")}) {
        std::vector<zmq::message_t> frames;
        frames.emplace_back("SL1", 3);
        frames.emplace_back(bytes.data(), bytes.size());
        bus::send(push, frames);
    }
    stage_.go = true;
    give();
    expect("unit_done");
}

TEST_F(Loop, DrainFinishesWhatItHoldsThenSaysBye) {
    join();
    const auto token = give();
    while (expect("beat").as<schema::Beat>()->busy_ms == 0) {
    }
    stop();
    while (!expect("beat").as<schema::Beat>()->draining) {
    }
    stage_.go = true;
    const auto done = expect("unit_done").as<schema::UnitDone>();
    EXPECT_EQ(done->token, token);
    schema::Answer a;
    a.req = done->req;
    a.status = "ok";
    tell(a);
    expect("bye");
    thread_.join();
    ASSERT_TRUE(result_);
    EXPECT_EQ(*result_, Ended::left);
}

TEST_F(Loop, WorksOnWhatTheHomeNamesAndOnNothingElse) {
    const auto hello = join();
    chunk(hello, {{-1, 0}, {0, 0}, {0, 1}});
    auto take = expect("take").as<schema::Take>();
    EXPECT_EQ(take->home, "home");
    EXPECT_EQ(take->pieces.size(), 3u);
    tell(schema::Took{"took", take->req, "", {{0, 1}}});
    while (stage_.items == 0) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(stage_.pieces(), (std::vector<schema::Piece>{{0, 1}}));
    chunk(hello, {{0, 2}});
    take = expect("take").as<schema::Take>();
    tell(schema::Took{"took", take->req, "", {}});
    chunk(hello, {{0, 3}});  // read only when the one before it was dropped
    take = expect("take").as<schema::Take>();
    EXPECT_EQ(take->pieces, (std::vector<schema::Piece>{{0, 3}}));
    while (stage_.items < 2) std::this_thread::sleep_for(1ms);  // no answer: it works on it
    EXPECT_EQ(stage_.pieces(), (std::vector<schema::Piece>{{0, 3}}));
}

TEST_F(Loop, AReloadThatCannotBeIsRefusedAndOneThatCanEndsTheWorkerForIt) {
    join();
    config_ok_ = false;
    tell(schema::Reload{"reload", 1000});
    const auto refused = expect("reload_refused").as<schema::ReloadRefused>();
    EXPECT_EQ(refused->code, "INVALID_PARAMS");
    EXPECT_EQ(refused->message, "line 7");
    config_ok_ = true;
    tell(schema::Reload{"reload", 1000});
    expect("bye");
    thread_.join();
    ASSERT_TRUE(result_);
    EXPECT_EQ(*result_, Ended::reload);
}

class LoopWithStandby : public Loop {
protected:
    LoopWithStandby() { standby_ = true; }
};

TEST_F(LoopWithStandby, MovesToTheNextBrokerWhenThisOneIsSilentAndTakesWhatIsOpenAlong) {
    join();
    stage_.go = true;
    give();
    const auto first = expect("unit_done").as<schema::UnitDone>();
    router_ = bus::make_socket(context_, bus::Kind::workers_router);  // the other broker takes over
    ASSERT_TRUE(bus::bind(router_, options_.brokers[1] + ".workers"));
    join(6);
    EXPECT_EQ(expect("unit_done").as<schema::UnitDone>()->req, first->req);
}

TEST_F(Loop, AnItemThatShowsSignsOfLifeIsBusyNotStill) {
    join();
    give();
    schema::Beat beat;
    while (beat.busy_ms < 300) beat = *expect("beat").as<schema::Beat>();
    EXPECT_LT(beat.still_ms, 200);  // the stage asks every millisecond
}

// A process of its own: it ends.
TEST(LoopProcess, AnOrderToDieEndsTheProcess) {
    const auto dir = std::filesystem::temp_directory_path() / ("sl-loop-" + make_ulid());
    std::filesystem::create_directories(dir);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            Options options;
            options.brokers = {"ipc://" + (dir / "broker").string()};
            options.stage = "ingest";
            options.run_dir = dir.string();
            zmq::context_t context;
            auto router = bus::make_socket(context, bus::Kind::workers_router);
            if (!bus::bind(router, options.brokers[0] + ".workers")) std::_Exit(1);
            std::thread broker([&] {
                std::optional<std::vector<zmq::message_t>> hello;
                while (!(hello = bus::receive(router))) std::this_thread::sleep_for(1ms);
                std::vector<zmq::message_t> frames;
                frames.push_back(std::move(hello->front()));
                bus::Envelope::make(schema::Die{"die", "over the limit"}).append_to(frames);
                bus::send(router, frames);
            });
            broker.detach();  // the process ends without it
            SlowStage stage;
            (void)run_worker(context, stage, options, eventfd(0, 0), 1);
        },
        ::testing::ExitedWithCode(exit_crashed), "");
    std::filesystem::remove_all(dir);
}

TEST_F(Loop, ARefusedWorkerEndsWithTheReason) {
    expect("hello");
    schema::Refused r;
    r.code = "CONFLICT";
    r.message = "another engine";
    tell(r);
    thread_.join();
    ASSERT_FALSE(result_);
    EXPECT_EQ(result_.error().code, Errc::conflict);
    EXPECT_EQ(result_.error().message, "another engine");
}

}  // namespace
}  // namespace sl::worker
