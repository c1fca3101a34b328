// The state machine, edge by edge as PROTOCOL.md section 7 draws it, the edges that must not exist, and the
// table that is rebuilt from what the store was given.
#include "broker/job_table.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sl::broker {
namespace {

using schema::Token;
using State = Unit::State;

// A table, and beside it the store that its journals went to.
class Kit {
public:
    JobTable table{1, {}};
    store::Records records;
    std::vector<store::LogEntry> log;

    template <typename F>
    auto operator()(F f) {
        Journal j;
        if constexpr (std::is_void_v<decltype(f(j))>) {
            f(j);
            keep(j);
        } else {
            auto r = f(j);
            keep(j);
            return r;
        }
    }
    void keep(const Journal& j) {
        for (const auto& w : j.writes) {
            if (w.kind == store::Write::Kind::set) records[w.record][w.field] = w.value;
            if (w.kind == store::Write::Kind::erase_field) records[w.record].erase(w.field);
            if (w.kind == store::Write::Kind::erase_record) records.erase(w.record);
        }
        log.insert(log.end(), j.log.begin(), j.log.end());
    }
    JobTable reloaded() const {
        JobTable other(2, {});
        EXPECT_TRUE(other.load(records));
        other.load_undelivered(log);
        return other;
    }

    std::string submit(const std::string& id, const std::string& key = "") {
        schema::JobSpec spec;
        spec.job = id;
        spec.inputs = {{"media", "a.mp4"}};
        return *(*this)([&](Journal& j) { return table.submit(spec, key, j); });
    }
    // A job whose streams have so many chunks each.
    Job& running(const std::string& id, std::vector<int> chunks) {
        submit(id);
        Job& job = *table.find(id);
        const Token t = (*this)([&](Journal& j) { return table.lease_scan(job, "ingest", j); });
        std::vector<std::string> names;
        for (std::size_t i = 0; i < chunks.size(); ++i) names.push_back("s" + std::to_string(i));
        EXPECT_TRUE((*this)([&](Journal& j) { return table.found(t, names, j); }));
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            schema::Scanned m;
            m.token = t;
            m.stream = std::int32_t(i);
            for (int k = 0; k < chunks[i]; ++k) {
                schema::Row row;
                row.seq = k;
                row.frames = 10;
                m.rows.push_back(row);
            }
            m.info.frames = 10 * chunks[i];
            EXPECT_TRUE((*this)([&](Journal& j) { return table.scanned(m, j); }));
        }
        return job;
    }
    Token lease(Job& job, int stream, int seq, const std::string& home = "home") {
        return (*this)([&](Journal& j) { return table.lease_chunk(job, stream, seq, home, j); });
    }
    Result<JobTable::Turn> gathered(const Token& t) {
        return (*this)(
            [&](Journal& j) { return table.gathered(t, schema::encode(schema::Detections{}), j); });
    }
    Result<std::optional<Token>> step(const Token& t, int detected = 1,
                                      std::vector<schema::Alert> alerts = {}) {
        schema::StreamState s;
        s.detected = detected;
        return (*this)([&](Journal& j) { return table.step(t, schema::encode(s), alerts, j); });
    }
    Result<void> done(const Token& t) {
        schema::Counters c;
        c.read = c.decoded = c.annotated = 10;
        return (*this)([&](Journal& j) { return table.done(t, {{"video", "parts/x", 1, "ff"}}, c, j); });
    }
    void complete(const Token& t, int detected = 1) {
        EXPECT_TRUE(gathered(t)->turn);
        EXPECT_TRUE(step(t, detected));
        EXPECT_TRUE(done(t));
    }
    std::vector<std::string> kinds(const std::string& job) const {
        std::vector<std::string> k;
        for (const auto& e : log)
            if (e.job == job && e.kind != "job.progress") k.push_back(e.kind);
        return k;
    }
};

using Kinds = std::vector<std::string>;

TEST(JobTable, QueuedRunningSucceededSwept) {
    Kit kit;
    Job& job = kit.running("j", {2});
    EXPECT_EQ(job.state, JobState::running);
    EXPECT_EQ(job.scan.state, State::done);
    kit.complete(kit.lease(job, 0, 0), 1);
    EXPECT_EQ(job.final.state, State::none);
    kit.complete(kit.lease(job, 0, 1), 2);
    EXPECT_EQ(job.final.state, State::pending);
    EXPECT_EQ(job.ending, JobState::succeeded);
    EXPECT_EQ(job.state, JobState::running);  // not before the result is there
    const Token f = kit([&](Journal& j) { return kit.table.lease_final(job, "home", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.final_done(f, "digest", j); }));
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_EQ(job.sweep.state, State::pending);
    const Token s = kit([&](Journal& j) { return kit.table.lease_sweep(job, "home", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.swept(s, j); }));
    EXPECT_TRUE(job.swept);
    EXPECT_EQ(kit.kinds("j"), (Kinds{"job.queued", "job.started", "job.succeeded"}));
    EXPECT_EQ(job.streams[0].counters.annotated, 20);
    // What is kept of a swept job is small, and still shows its counters.
    for (const auto& [field, value] : kit.records["job:j"])
        EXPECT_FALSE(field.starts_with("chunk/") || field[0] == 'S' || field[0] == 'D') << field;
    EXPECT_EQ(kit.reloaded().find("j")->streams[0].counters.annotated, 20);
}

TEST(JobTable, ResultsOfAnEndedLeaseAreStaleAndChangeNothing) {
    Kit kit;
    Job& job = kit.running("j", {1});
    const Token old = kit.lease(job, 0, 0, "a");
    kit([&](Journal& j) { kit.table.lost(old, j); });
    const Token now = kit.lease(job, 0, 0, "b");
    EXPECT_EQ(now.attempt, old.attempt + 1);
    const auto before = kit.records;
    EXPECT_EQ(kit.gathered(old).error().code, Errc::stale);
    EXPECT_EQ(kit.step(old).error().code, Errc::stale);
    EXPECT_EQ(kit.done(old).error().code, Errc::stale);
    EXPECT_EQ(kit([&](Journal& j) { return kit.table.fail(old, "IO", "x", j); }).error().code, Errc::stale);
    kit([&](Journal& j) { kit.table.lost(old, j); });
    EXPECT_EQ(kit.records, before);
    EXPECT_TRUE(kit.table.current(now));
    kit.complete(now);
}

TEST(JobTable, RepeatedResultsAreOkAndCountOnce) {
    Kit kit;
    Job& job = kit.running("j", {2});
    const Token t = kit.lease(job, 0, 0);
    schema::Alert alert;
    alert.alert = "a";
    EXPECT_TRUE(kit.gathered(t)->turn);
    EXPECT_TRUE(kit.gathered(t)->turn);
    EXPECT_TRUE(kit.step(t, 1, {alert}));
    EXPECT_TRUE(kit.step(t, 1, {alert}));
    EXPECT_TRUE(kit.done(t));
    EXPECT_TRUE(kit.done(t));
    EXPECT_EQ(job.streams[0].counters.read, 10);
    EXPECT_EQ(kit.table.undelivered_count(), 1u);
    EXPECT_EQ(std::count_if(kit.log.begin(), kit.log.end(), [](const auto& e) { return e.kind == "alert"; }),
              1);
}

TEST(JobTable, ChunksStepInOrderWhateverOrderTheyAreGathered) {
    Kit kit;
    Job& job = kit.running("j", {3});
    const Token t0 = kit.lease(job, 0, 0), t1 = kit.lease(job, 0, 1), t2 = kit.lease(job, 0, 2);
    EXPECT_FALSE(kit.gathered(t2)->turn);
    EXPECT_FALSE(kit.gathered(t1)->turn);
    EXPECT_EQ(kit.step(t1).error().code, Errc::stale);  // nobody gave it a state to step from
    EXPECT_TRUE(kit.gathered(t0)->turn);
    const auto nudged = kit.step(t0);
    ASSERT_TRUE(nudged);
    EXPECT_EQ(*nudged, std::optional(t1));
    EXPECT_TRUE(
        kit([&](Journal& j) { return kit.table.gathered(t1, std::nullopt, j); })->turn);  // D was recorded
    EXPECT_EQ(kit.done(t1).error().code, Errc::stale);                                    // not stepped
    EXPECT_TRUE(kit.step(t1, 2));
    EXPECT_TRUE(kit.done(t1));
    EXPECT_EQ(job.streams[0].prefix, 0);
    EXPECT_TRUE(kit.done(t0));
    EXPECT_EQ(job.streams[0].prefix, 2);
}

TEST(JobTable, StateIsKeptUntilEveryChunkBeforeItIsDone) {
    Kit kit;
    Job& job = kit.running("j", {3});
    const Token t0 = kit.lease(job, 0, 0), t1 = kit.lease(job, 0, 1);
    (void)kit.gathered(t0);
    (void)kit.step(t0, 1);
    (void)kit.gathered(t1);
    (void)kit.step(t1, 2);
    (void)kit.done(t1);
    EXPECT_TRUE(job.streams[0].states.contains(0));  // chunk 0 may have to be done again
    kit([&](Journal& j) { kit.table.lost(t0, j); });
    const Token again = kit.lease(job, 0, 0);
    EXPECT_TRUE(kit.gathered(again)->turn);
    EXPECT_TRUE(kit.step(again, 1));  // the same state as before
    EXPECT_TRUE(kit.done(again));
    EXPECT_FALSE(job.streams[0].states.contains(0));
    EXPECT_FALSE(job.streams[0].states.contains(1));
    EXPECT_TRUE(job.streams[0].states.contains(2));
}

TEST(JobTable, AStepThatDiffersEndsTheStreamAndTheJobStillEnds) {
    Kit kit;
    Job& job = kit.running("j", {3});
    const Token t0 = kit.lease(job, 0, 0), t1 = kit.lease(job, 0, 1), t2 = kit.lease(job, 0, 2);
    (void)kit.gathered(t0);
    (void)kit.step(t0, 1);
    (void)kit.gathered(t1);
    (void)kit.step(t1, 2);
    EXPECT_EQ(kit.step(t1, 99).error().code, Errc::stale);
    EXPECT_EQ(job.streams[0].chunks[1].state, ChunkState::dead);
    EXPECT_FALSE(kit.table.current(t2));
    EXPECT_EQ(job.final.state, State::none);  // the chunk before it is still rendering
    EXPECT_TRUE(kit.done(t0));
    EXPECT_EQ(job.final.state, State::pending);
    EXPECT_EQ(job.ending, JobState::failed);
}

TEST(JobTable, ARepeatedStepNamesItsSuccessorAgain) {
    Kit kit;
    Job& job = kit.running("j", {2});
    const Token t0 = kit.lease(job, 0, 0), t1 = kit.lease(job, 0, 1);
    (void)kit.gathered(t0);
    EXPECT_EQ(*kit.step(t0), std::optional(t1));
    EXPECT_EQ(*kit.step(t0), std::optional(t1));  // the leader that should have told it may be gone
}

TEST(JobTable, AFolderThatChangedWhileItWasScannedFailsTheJob) {
    Kit kit;
    kit.submit("j");
    Job& job = *kit.table.find("j");
    Token t = kit([&](Journal& j) { return kit.table.lease_scan(job, "i", j); });
    schema::Scanned early;
    early.token = t;
    EXPECT_EQ(kit([&](Journal& j) { return kit.table.scanned(early, j); }).error().code, Errc::unavailable);
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.found(t, {"a", "b"}, j); }));
    kit([&](Journal& j) { kit.table.lost(t, j); });
    t = kit([&](Journal& j) { return kit.table.lease_scan(job, "i", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.found(t, {"a"}, j); }));
    EXPECT_EQ(job.final.state, State::pending);
    EXPECT_EQ(job.ending, JobState::failed);
    EXPECT_EQ(job.error_code, "CONFLICT");
}

TEST(JobTable, RetryableFailuresComeBackFiveTimesThenTheChunkIsDead) {
    Kit kit;
    Job& job = kit.running("j", {3});
    kit.complete(kit.lease(job, 0, 0));
    const Token ahead = kit.lease(job, 0, 2);
    for (int i = 1; i <= 5; ++i) {
        const Token t = kit.lease(job, 0, 1);
        EXPECT_TRUE(kit([&](Journal& j) { return kit.table.fail(t, "IO", "disk", j); }));
        EXPECT_EQ(job.streams[0].chunks[1].state, i < 5 ? ChunkState::pending : ChunkState::dead) << i;
    }
    EXPECT_FALSE(kit.table.current(ahead));  // later chunks of the stream are released
    EXPECT_EQ(job.final.state, State::pending);
    EXPECT_EQ(job.ending, JobState::failed);
    EXPECT_EQ(job.error_code, "IO");
    const auto parts = kit.table.stream_parts(job);
    EXPECT_FALSE(parts[0].complete);
    EXPECT_EQ(parts[0].rows.size(), 1u);  // what was done is joined
    const Token f = kit([&](Journal& j) { return kit.table.lease_final(job, "home", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.final_done(f, "d", j); }));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(kit.kinds("j").back(), "job.failed");
}

TEST(JobTable, AMediaFailureIsFinalAtOnceAndSparesOtherStreams) {
    Kit kit;
    Job& job = kit.running("j", {2, 1});
    const Token t = kit.lease(job, 0, 0);
    (void)kit([&](Journal& j) { return kit.table.fail(t, "BAD_MEDIA", "timestamps", j); });
    EXPECT_EQ(job.streams[0].chunks[0].state, ChunkState::dead);
    EXPECT_EQ(job.final.state, State::none);
    kit.complete(kit.lease(job, 1, 0));
    EXPECT_EQ(job.final.state, State::pending);
    EXPECT_EQ(job.ending, JobState::failed);
}

TEST(JobTable, StreamsThatCannotBeReadFailTheJobAndInputsWithoutStreamsToo) {
    Kit kit;
    kit.submit("j");
    Job& job = *kit.table.find("j");
    Token t = kit([&](Journal& j) { return kit.table.lease_scan(job, "i", j); });
    (void)kit([&](Journal& j) { return kit.table.found(t, {"a"}, j); });
    schema::Scanned m;
    m.token = t;
    m.error_code = "BAD_MEDIA";
    m.error = "no video";
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.scanned(m, j); }));
    EXPECT_EQ(job.ending, JobState::failed);
    EXPECT_EQ(job.error, "a: no video");

    kit.submit("k");
    Job& empty = *kit.table.find("k");
    t = kit([&](Journal& j) { return kit.table.lease_scan(empty, "i", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.found(t, {}, j); }));
    EXPECT_EQ(empty.final.state, State::pending);
    EXPECT_EQ(empty.error_code, "NOT_FOUND");
}

TEST(JobTable, CancelVoidsEveryTokenAndItsEventIsTheLast) {
    Kit kit;
    Job& job = kit.running("j", {2});
    const Token t = kit.lease(job, 0, 0);
    (void)kit.gathered(t);
    EXPECT_EQ(*kit([&](Journal& j) { return kit.table.cancel("j", false, j); }), JobState::canceled);
    EXPECT_FALSE(kit.table.current(t));
    EXPECT_EQ(kit.step(t).error().code, Errc::stale);
    EXPECT_EQ(kit.kinds("j").back(), "job.started");  // not canceled before it is swept
    const Token s = kit([&](Journal& j) { return kit.table.lease_sweep(job, "home", j); });
    (void)kit([&](Journal& j) { return kit.table.swept(s, j); });
    EXPECT_EQ(kit.kinds("j").back(), "job.canceled");
    EXPECT_EQ(kit.log.back().kind, "job.canceled");
    EXPECT_EQ(*kit([&](Journal& j) { return kit.table.cancel("j", false, j); }),
              JobState::canceled);  // again: the same
}

TEST(JobTable, CancelOfAQueuedJobNeedsNobody) {
    Kit kit;
    kit.submit("j");
    (void)kit([&](Journal& j) { return kit.table.cancel("j", false, j); });
    EXPECT_TRUE(kit.table.find("j")->swept);
    EXPECT_EQ(kit.kinds("j"), (Kinds{"job.queued", "job.canceled"}));
}

TEST(JobTable, CancelWithPartialResultsJoinsThemFirst) {
    Kit kit;
    Job& job = kit.running("j", {2});
    kit.complete(kit.lease(job, 0, 0));
    (void)kit([&](Journal& j) { return kit.table.cancel("j", true, j); });
    EXPECT_EQ(job.final.state, State::pending);
    const Token f = kit([&](Journal& j) { return kit.table.lease_final(job, "home", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.final_done(f, "d", j); }));
    EXPECT_EQ(job.state, JobState::canceled);
    EXPECT_EQ(job.sweep.state, State::pending);
}

TEST(JobTable, TerminalStatesNeverChange) {
    Kit kit;
    Job& job = kit.running("j", {1});
    kit.complete(kit.lease(job, 0, 0));
    const Token f = kit([&](Journal& j) { return kit.table.lease_final(job, "home", j); });
    (void)kit([&](Journal& j) { return kit.table.final_done(f, "d", j); });
    EXPECT_EQ(*kit([&](Journal& j) { return kit.table.cancel("j", false, j); }), JobState::succeeded);
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.final_done(f, "d", j); }));  // repeated
    EXPECT_EQ(kit.kinds("j").back(), "job.succeeded");
    const auto kinds = kit.kinds("j");
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "job.succeeded"), 1);
}

TEST(JobTable, AKnownKeyIsTheSameJob) {
    Kit kit;
    kit.submit("j", "key");
    EXPECT_EQ(kit.submit("other", "key"), "j");
    EXPECT_EQ(kit.table.jobs().size(), 1u);
    auto again = kit.reloaded();
    Journal j;
    schema::JobSpec spec;
    spec.job = "third";
    EXPECT_EQ(*again.submit(spec, "key", j), "j");
}

TEST(JobTable, AlertsAreDeliveredInOrderAndOnce) {
    Kit kit;
    Job& job = kit.running("j", {1});
    const Token t = kit.lease(job, 0, 0);
    (void)kit.gathered(t);
    std::vector<schema::Alert> alerts(3);
    for (int i = 0; i < 3; ++i) alerts[std::size_t(i)].alert = std::to_string(i);
    (void)kit.step(t, 1, alerts);
    Token d = kit.table.lease_deliver("alerts", 2);
    EXPECT_EQ(kit.table.undelivered(2)[1].alert, "1");
    kit([&](Journal& j) { kit.table.lost(d, j); });
    EXPECT_EQ(kit.reloaded().undelivered_count(), 3u);
    d = kit.table.lease_deliver("alerts", 2);
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.delivered(d, j); }));
    EXPECT_EQ(kit.table.undelivered_count(), 1u);
    EXPECT_EQ(kit.reloaded().undelivered_count(), 1u);
    EXPECT_EQ(kit.table.undelivered(9)[0].alert, "2");
}

// Long random traces: the table that is rebuilt from the store is the table that wrote it, at every moment,
// and the invariants hold.
TEST(JobTable, ReloadedAtAnyMomentItIsTheSame) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 rng(seed);
        const auto pick = [&](std::size_t n) { return std::size_t(rng() % n); };
        Kit kit;
        kit.running("a", {4, 2});
        kit.running("b", {3});
        std::vector<Token> tokens;
        std::map<std::string, bool> ended;
        for (int i = 0; i < 400; ++i) {
            Job& job = *kit.table.find(pick(2) ? "a" : "b");
            switch (pick(8)) {
                case 0:
                case 1: {
                    const auto s = pick(job.streams.size());
                    if (job.state != JobState::running || job.streams[s].chunks.empty()) break;
                    const auto k = pick(job.streams[s].chunks.size());
                    if (job.streams[s].chunks[k].state == ChunkState::pending &&
                        std::int64_t(k) < job.streams[s].dead_at)
                        tokens.push_back(kit.lease(job, int(s), int(k), "h" + std::to_string(pick(3))));
                    break;
                }
                case 2:
                case 3:
                    if (!tokens.empty()) (void)kit.gathered(tokens[pick(tokens.size())]);
                    break;
                case 4:
                    if (!tokens.empty()) {
                        const Token t = tokens[pick(tokens.size())];
                        if (t.unit == "chunk") (void)kit.step(t, int(t.seq) + 1);
                    }
                    break;
                case 5:
                    if (!tokens.empty()) (void)kit.done(tokens[pick(tokens.size())]);
                    break;
                case 6:
                    if (!tokens.empty()) {
                        const Token t = tokens[pick(tokens.size())];
                        if (pick(3))
                            kit([&](Journal& j) { kit.table.lost(t, j); });
                        else if (pick(6) == 0)
                            (void)kit([&](Journal& j) {
                                return kit.table.fail(t, pick(4) ? "IO" : "BAD_MEDIA", "x", j);
                            });
                    }
                    break;
                default:
                    if (job.final.state == State::pending) {
                        const Token f = kit([&](Journal& j) { return kit.table.lease_final(job, "h0", j); });
                        (void)kit([&](Journal& j) { return kit.table.final_done(f, "d", j); });
                    } else if (job.sweep.state == State::pending) {
                        const Token s = kit([&](Journal& j) { return kit.table.lease_sweep(job, "h0", j); });
                        (void)kit([&](Journal& j) { return kit.table.swept(s, j); });
                    } else if (pick(60) == 0) {
                        (void)kit([&](Journal& j) { return kit.table.cancel(job.id(), pick(2), j); });
                    }
            }
            // Terminal states never change; at most one current token a chunk; S[s] exists for each s ≤ next
            // not done.
            for (auto& [id, x] : kit.table.jobs()) {
                if (ended[id]) {
                    EXPECT_TRUE(is_terminal(x.state)) << id;
                }
                ended[id] = is_terminal(x.state);
                for (const auto& s : x.streams)
                    for (std::size_t k = std::size_t(s.prefix);
                         k < s.chunks.size() && std::int64_t(k) <= s.next; ++k)
                        if (s.chunks[k].state != ChunkState::done) {
                            EXPECT_TRUE(s.states.contains(std::int64_t(k))) << id << " " << k;
                        }
            }
            if (i % 20) continue;
            JobTable other = kit.reloaded();
            ASSERT_EQ(other.leases(), kit.table.leases()) << "seed " << seed << " at " << i;
            for (auto& [id, x] : kit.table.jobs()) {
                const Job& y = *other.find(id);
                ASSERT_EQ(x.state, y.state);
                ASSERT_EQ(x.final.state, y.final.state);
                for (std::size_t s = 0; s < x.streams.size(); ++s) {
                    ASSERT_EQ(x.streams[s].prefix, y.streams[s].prefix);
                    ASSERT_EQ(x.streams[s].states, y.streams[s].states);
                    ASSERT_EQ(x.streams[s].detections, y.streams[s].detections);
                    ASSERT_EQ(x.streams[s].counters.read, y.streams[s].counters.read);
                    ASSERT_EQ(x.streams[s].done, y.streams[s].done);
                    if (!x.swept) {
                        ASSERT_EQ(x.streams[s].next, y.streams[s].next);
                    }
                }
            }
        }
        // One terminal event a job, ids rising.
        std::map<std::string, int> terminal;
        store::LogId last;
        for (const auto& e : kit.log) {
            EXPECT_LT(last, e.id);
            last = e.id;
            EXPECT_FALSE(terminal[e.job] && e.kind != "job.progress")
                << e.kind << " after the end of " << e.job;
            terminal[e.job] +=
                e.kind == "job.succeeded" || e.kind == "job.failed" || e.kind == "job.canceled";
        }
    }
}

}  // namespace
}  // namespace sl::broker
