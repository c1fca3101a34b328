// Every interleaving of submit, lease, result, expiry, failure, cancel, delivery and fail-over for small
// jobs: depth-first over all that may happen in a state, from the submit on, until no new state is found.
//
// The job table is the one of production, and so are the Lua scripts: transitions go through a redis-server
// as well (RedisMirror). States are told apart by what the store holds (World::digest); in each of them every
// old, foreign, early and repeated message is sent and must change nothing, a table loaded from the records
// must be the table, and some way of healthy steps must lead to the job's end.
#include <gtest/gtest.h>

#include <chrono>
#include <unordered_map>
#include <unordered_set>

#include "tests/model/redis_mirror.hpp"

namespace sl::model {
namespace {

class Explorer {
public:
    explicit Explorer(const Shape& shape) : shapes_{shape} {}

    void run() {
        if (test::RedisServer::installed()) redis_.emplace();
        visit(World(shapes_, 1), none, "start", false);
        while (!open_.empty()) {
            const auto [id, world] = std::move(open_.back());
            open_.pop_back();
            expand(id, world);
        }
        check_ends();
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
        std::printf("[          ] %zu states, %zu transitions, %zu messages that change nothing",
                    states_.size(), transitions_, probes_);
        if (redis_)
            std::printf("; through Redis %zu transitions, %zu take-overs", redis_->transitions(),
                        redis_->takeovers());
        std::printf("; %.1f s\n", seconds);
    }
    std::size_t states() const { return states_.size(); }
    bool redis() const { return redis_.has_value(); }

private:
    static constexpr std::uint32_t none = UINT32_MAX;
    struct State {
        std::uint32_t from = none;  // the first way that led here
        std::string by;
        bool end = false;
    };

    // Looks at a world; one that is new waits to be expanded.
    void visit(const World& seen, std::uint32_t from, const std::string& by, bool good) {
        const auto [it, fresh] = known_.emplace(seen.digest(), std::uint32_t(states_.size()));
        if (good) healthy_.emplace_back(from, it->second);
        if (!fresh) return;
        World world = seen;
        const Job* job = world.job(shapes_[0].job);
        const bool kept =
            job && job->state == broker::JobState::failed && job->sweep.state == broker::Unit::State::none;
        states_.push_back(
            {from, by, (!job || job->swept || kept) && world.table.outbox().undelivered() == 0});
        check_state(world);
        const std::string before = describe(world.table);
        probes_ += probe(world);
        require(describe(world.table) == before, "messages that are refused change nothing");
        open_.emplace_back(it->second, std::move(world));
    }

    void expand(std::uint32_t id, const World& world) {
        World taken_over = world;
        taken_over.fail_over(world.last_id.epoch + 1);
        visit(taken_over, id, "fail-over", false);
        for (const Action& action : enabled(world)) {
            try {
                Journal journal;
                const World next = after(world, action, journal);
                ++transitions_;
                if (redis_ && through_redis_.insert(digest(journal)).second)
                    redis_->transition(world.records, journal, next.records);
                if (action.outlives_broker) {
                    Journal other;
                    require(after(taken_over, action, other).canonical == next.canonical,
                            "a table that was loaded just before does the same");
                }
                visit(next, id, action.name, action.good);
            } catch (const Violation& v) {
                throw Violation(std::string(v.what()) + "\nafter:" + path(id) + ", " + action.name);
            }
        }
    }

    static World after(const World& world, const Action& action, Journal& journal) {
        World next = world;
        action.act(next, journal);
        next.commit(journal);
        check_transition(world, next, action.name);
        return next;
    }

    std::string path(std::uint32_t id) const {
        std::string text;
        for (; id != none; id = states_[id].from) text = ", " + states_[id].by + text;
        return text;
    }

    // From every state healthy steps alone lead to an end at which nothing is left to do.
    void check_ends() const {
        std::vector<std::vector<std::uint32_t>> before(states_.size());
        for (const auto& [a, b] : healthy_) before[b].push_back(a);
        std::vector<bool> ends(states_.size());
        std::vector<std::uint32_t> open;
        for (std::uint32_t i = 0; i < states_.size(); ++i)
            if (states_[i].end) ends[i] = true, open.push_back(i);
        require(!open.empty(), "some job ends");
        while (!open.empty()) {
            const auto at = open.back();
            open.pop_back();
            for (const auto i : before[at])
                if (!ends[i]) ends[i] = true, open.push_back(i);
        }
        for (std::uint32_t i = 0; i < states_.size(); ++i)
            require(ends[i], "something leads on to the job's end after:" + path(i));
    }

    const std::vector<Shape> shapes_;
    std::optional<RedisMirror> redis_;
    std::unordered_set<std::uint64_t> through_redis_;  // batches, by what they do
    std::unordered_map<std::uint64_t, std::uint32_t> known_;
    std::vector<State> states_;
    std::vector<std::pair<std::uint32_t, World>> open_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> healthy_;
    std::size_t transitions_ = 0, probes_ = 0;
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

void explore(const Shape& shape, std::size_t at_least) {
    Explorer explorer(shape);
    try {
        explorer.run();
    } catch (const Violation& v) {
        FAIL() << v.what();
    }
    EXPECT_GE(explorer.states(), at_least) << "the exploration became smaller";
    if (!explorer.redis()) SL_SKIP_OR_FAIL("redis-server is not installed: the scripts were not driven");
}

TEST(Interleavings, TwoChunksWithAlerts) {
    explore({.chunks = {2}, .alerts = true}, 5000);
}

TEST(Interleavings, TwoChunksRetriedAndForgotten) {
    explore({.chunks = {2}, .again = true, .bad_input = false, .cancel = false}, 2000);
}

TEST(Interleavings, AChunkFails) {
    explore({.chunks = {2}, .failing = "chunk 0/0", .bad_input = false, .keep_partial = false}, 3000);
}

TEST(Interleavings, AChunkKills) {
    explore({.chunks = {2}, .striking = "chunk 0/1", .bad_input = false, .keep_partial = false}, 3000);
}

TEST(Interleavings, AScanFails) {
    explore({.chunks = {1}, .failing = "scan", .bad_input = false, .cancel = false}, 100);
}

TEST(Interleavings, AScanKills) {
    explore({.chunks = {1}, .striking = "scan", .bad_input = false, .cancel = false}, 100);
}

TEST(Interleavings, AFinalFails) {
    explore({.chunks = {1}, .failing = "final", .bad_input = false}, 100);
}

TEST(Interleavings, TwoStreams) {
    explore({.chunks = {1, 1}, .keep_partial = false}, 2000);
}

}  // namespace
}  // namespace sl::model
