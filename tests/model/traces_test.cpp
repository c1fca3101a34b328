// Long random traces: what befalls a handful of jobs is committed to the memory store and to Redis in step,
// and both must hold the same records and the same log. On the way redis-server is killed in the middle of
// commits and stopped past the client's patience, acknowledgements are lost, and brokers race for the lead.
//
// SIGHTLINE_TRACE_SEED and SIGHTLINE_TRACE_STEPS (batches) say another trace; the seed is printed.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "tests/model/world.hpp"
#include "tests/support/redis_server.hpp"

namespace sl::model {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::stoull(text) : otherwise;
}

// More jobs than a trace gets to, one after the other.
std::vector<Shape> shapes(std::size_t n) {
    const std::vector<Shape> kinds{{.chunks = {4, 2}, .alerts = true, .bad_input = false},
                                   {.chunks = {3}, .alerts = true},
                                   {.chunks = {1, 1, 1}, .failing = "scan"},
                                   {.chunks = {6}, .failing = "chunk 0/3", .bad_input = false}};
    std::vector<Shape> all;
    for (std::size_t i = 0; i < n; ++i) {
        all.push_back(kinds[i % kinds.size()]);
        all.back().job = "01JOB" + std::to_string(1000 + i);
    }
    return all;
}

// A broker's side of a store: its term, and the number of its next batch.
struct Term {
    std::unique_ptr<store::JobStore> own;  // Redis: each broker has a connection of its own
    store::JobStore* store = nullptr;
    std::string name;
    std::uint64_t epoch = 0, number = 0;

    store::Batch batch(const Journal& j) const { return {epoch, number + 1, j.writes, j.log}; }
};

class Trace {
public:
    Trace(std::uint64_t seed, std::size_t batches)
        : rng_(seed), batches_(batches), shapes_(shapes(10 + batches / 4)) {}

    void run() {
        memory_ = store::memory_store();
        now_ = elect();
        world_.emplace(shapes_, now_.redis.epoch);
        for (std::size_t i = 0; i < batches_; ++i) {
            before_.emplace(*world_);
            commit(act());
            check_state(*world_);
            if (i % 25 == 0) compare();
        }
        compare();
        std::printf(
            "[          ] %zu batches, %zu actions; redis-server killed %zu times (%zu batches were kept all "
            "the "
            "same), stopped %zu, acknowledgements lost %zu, take-overs %zu, late commits refused %zu\n",
            batches_, actions_, kills_, kept_, stops_, lost_acks_, take_overs_, late_);
    }

private:
    struct Terms {
        Term redis, memory;
    };
    std::size_t pick(std::size_t n) { return std::size_t(rng_() % n); }

    // One to five actions, more often good ones.
    Journal act() {
        Journal journal;
        for (std::size_t n = 1 + pick(5); n > 0; --n) {
            auto all = enabled(*world_);
            if (all.empty()) break;
            if (pick(10) < 8 && std::any_of(all.begin(), all.end(), [](const auto& a) { return a.good; }))
                std::erase_if(all, [](const auto& a) { return !a.good; });
            const Action& action = all[pick(all.size())];
            const World was = *world_;
            Journal more;
            action.act(*world_, more);
            world_->commit(more);
            check_transition(was, *world_, action.name);
            journal.writes.insert(journal.writes.end(), more.writes.begin(), more.writes.end());
            journal.log.insert(journal.log.end(), more.log.begin(), more.log.end());
            ++actions_;
        }
        return journal;
    }

    void commit(const Journal& journal) {
        const auto batch = now_.redis.batch(journal);
        switch (pick(24)) {
            case 0:
                return broker_dies(journal);
            case 1:
                return replaced(journal);
            case 2:  // killed while it commits; the broker sends it until it is answered
                in_the_middle(batch, [&] { server_.kill(); });
                server_.start();
                ++kills_;
                break;
            case 3: {  // stopped: whether it had it is not known, and it may have it later, twice
                if (pick(4) != 0) break;
                server_.freeze();
                const auto unknown = now_.redis.store->commit(batch);
                server_.thaw();
                require(!unknown && unknown.error().code == Errc::unavailable,
                        "a silent Redis is unavailable");
                ++stops_;
                break;
            }
            case 4:
                committed(now_.redis.store->commit(batch));
                ++lost_acks_;
                break;
            default:
                break;
        }
        again_until_answered(batch);
        ++now_.redis.number;
        committed(now_.memory.store->commit(now_.memory.batch(journal)));
        ++now_.memory.number;
    }

    // Redis is killed while it commits, and the broker with it: what is kept is all of the batch or nothing.
    void broker_dies(const Journal& journal) {
        in_the_middle(now_.redis.batch(journal), [&] { server_.kill(); });
        server_.start();
        ++kills_;
        auto next = elect();
        const auto records = next.redis.store->load();
        require(bool(records), "what was killed can be read again");
        const bool kept = *records == world_->records;
        require(kept || *records == before_->records, "a batch is kept as a whole or not at all");
        if (kept) {
            committed(now_.memory.store->commit(now_.memory.batch(journal)), "the former term's last batch");
            ++kept_;
        } else {
            world_.emplace(*before_);
        }
        take_over(std::move(next));
    }

    // Another broker took the lead meanwhile: the batch of the old one is refused, and is lost.
    void replaced(const Journal& journal) {
        auto next = elect();
        take_lead(next.memory);
        if (!journal.empty()) {
            for (const Term* old : {&now_.redis, &now_.memory}) {
                const auto late = old->store->commit(old->batch(journal));
                require(!late && late.error().code == Errc::stale, "a late commit is refused");
            }
            ++late_;
        }
        world_.emplace(*before_);
        take_over(std::move(next));
    }

    void take_over(Terms next) {
        if (next.memory.epoch == 0) take_lead(next.memory);
        now_ = std::move(next);
        compare();
        world_->fail_over(now_.redis.epoch);
        // What a broker really does: records and log from the store.
        JobTable loaded(now_.redis.epoch, world_->last_id);
        require(bool(loaded.load(*now_.redis.store->load())), "the records can be loaded");
        loaded.load_undelivered(*now_.redis.store->read_log({}, 1'000'000));
        world_->open_targets(loaded);
        require(describe(loaded) == describe(world_->table), "the table from Redis is the table");
        ++take_overs_;
    }

    // The leader's time is over. Two brokers ask for the lead of Redis at once: one gets it. (The memory
    // store's is taken by the caller.)
    Terms elect() {
        if (now_.redis.store) require(bool(resign()), "a leader may resign");
        std::array<Term, 2> rivals;
        std::array<Result<store::Lead>, 2> leads{store::Lead{}, store::Lead{}};
        {
            std::vector<std::jthread> race;
            for (std::size_t i = 0; i < 2; ++i) {
                rivals[i].name = "broker-" + std::to_string(++brokers_);
                rivals[i].own = std::move(*store::redis_store({server_.url(), "trace", timeout_ms}));
                rivals[i].store = rivals[i].own.get();
                race.emplace_back([&, i] {
                    (void)test::eventually([&] {
                        leads[i] = rivals[i].store->lead(rivals[i].name, 3'600'000);
                        return bool(leads[i]);
                    });
                });
            }
        }
        require(leads[0] && leads[1], "both are answered");
        require(leads[0]->leads != leads[1]->leads, "one of two leads");
        const std::size_t winner = leads[0]->leads ? 0 : 1;
        require(leads[1 - winner]->epoch == leads[winner]->epoch, "the other learns of its epoch");
        require(leads[winner]->epoch > now_.redis.epoch, "epochs rise");
        Terms next;
        next.redis = std::move(rivals[winner]);
        next.redis.epoch = leads[winner]->epoch;
        next.memory.store = memory_.get();
        next.memory.name = next.redis.name;
        if (!now_.memory.store) take_lead(next.memory);
        return next;
    }
    void take_lead(Term& term) {
        if (now_.memory.store) require(bool(memory_->resign(now_.memory.name)), "a leader may resign");
        const auto lead = memory_->lead(term.name, 3'600'000);
        require(lead && lead->leads && lead->epoch > now_.memory.epoch,
                "a free lead is taken, with a new epoch");
        term.epoch = lead->epoch;
    }
    Result<void> resign() {
        Result<void> done;
        require(test::eventually([&] { return bool(done = now_.redis.store->resign(now_.redis.name)); }),
                "Redis answers again");
        return done;
    }

    template <typename F>
    void in_the_middle(const store::Batch& batch, F f) {
        std::jthread sender([&] { (void)now_.redis.store->commit(batch); });
        std::this_thread::sleep_for(std::chrono::microseconds(pick(1500)));  // any moment is a good one
        f();
    }
    void again_until_answered(const store::Batch& batch) {
        Result<void> done;
        require(test::eventually([&] {
                    done = now_.redis.store->commit(batch);
                    return done ||
                           (done.error().code != Errc::unavailable && done.error().code != Errc::timeout);
                }),
                "Redis answers again");
        committed(done);
    }
    static void committed(const Result<void>& done, const std::string& what = "a batch of the leader") {
        require(bool(done), what + " is committed" + (done ? "" : ": " + done.error().text()));
    }

    // Record for record, entry for entry.
    void compare() {
        const auto redis = now_.redis.store->load(), memory = memory_->load();
        require(redis && memory, "both stores can be read");
        require(*redis == *memory, "the stores hold the same records");
        require(*redis == world_->records, "the stores hold what the table wrote");
        const auto a = now_.redis.store->read_log({}, 1'000'000), b = memory_->read_log({}, 1'000'000);
        require(a && b && a->size() == b->size(), "the logs are of one length");
        for (std::size_t i = 0; i < a->size(); ++i) {
            const auto &x = (*a)[i], &y = (*b)[i];
            require(x.id == y.id && x.topic == y.topic && x.kind == y.kind && x.job == y.job &&
                        x.time_ns == y.time_ns && x.body == y.body && x.audit == y.audit,
                    "the logs hold the same at " + x.id.text());
        }
    }

    static constexpr std::int64_t timeout_ms = 1000;

    std::mt19937_64 rng_;
    const std::size_t batches_;
    const std::vector<Shape> shapes_;
    test::RedisServer server_;  // appendfsync always
    std::unique_ptr<store::JobStore> memory_;
    Terms now_;
    std::optional<World> world_, before_;
    std::size_t brokers_ = 0, actions_ = 0, kills_ = 0, kept_ = 0, stops_ = 0, lost_acks_ = 0,
                take_overs_ = 0, late_ = 0;
};

TEST(Traces, MemoryAndRedisAgree) {
    if (!test::RedisServer::installed()) SL_SKIP_OR_FAIL("redis-server is not installed");
    const auto seed = from_environment("SIGHTLINE_TRACE_SEED", std::random_device()());
    const auto steps = from_environment("SIGHTLINE_TRACE_STEPS", 600);
    std::printf("[          ] SIGHTLINE_TRACE_SEED=%llu SIGHTLINE_TRACE_STEPS=%llu\n",
                (unsigned long long)seed, (unsigned long long)steps);
    try {
        Trace(seed, steps).run();
    } catch (const Violation& v) {
        FAIL() << v.what();
    }
}

}  // namespace
}  // namespace sl::model
