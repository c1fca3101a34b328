// Long random traces of everything that may happen to two jobs.
#include <random>

#include "tests/support/job_table_kit.hpp"

namespace sl::broker {
namespace {

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
        for (int i = 0; i < 600; ++i) {
            for (const char* id : {"a", "b"})
                if (!kit.table.find(id)) {
                    kit.running(id, {3, 1});
                    ended[id] = false;
                }
            Job& job = *kit.table.find(pick(2) ? "a" : "b");
            switch (pick(9)) {
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
                case 7:
                    if (!tokens.empty() && pick(4) == 0) {
                        const std::vector<schema::Piece> pieces{{0, std::int32_t(pick(2))}};
                        (void)kit.strike(tokens[pick(tokens.size())], pick(2) ? "detect" : "annotate",
                                         pick(2) ? pieces : std::vector<schema::Piece>{});
                    } else if (job.state == JobState::failed && pick(3) == 0) {
                        if (kit.retry(job.id())) ended[job.id()] = false;
                    } else if (job.state == JobState::queued && job.retries > 0) {
                        if (pick(4))
                            kit([&](Journal& j) { kit.table.drop(job, j); });
                        else
                            (void)kit([&](Journal& j) { return kit.table.cancel(job.id(), false, j); });
                    } else if (is_terminal(job.state) && pick(6) == 0) {
                        (void)kit.forget(job.id(), pick(2));
                    }
                    break;
                default:
                    if (job.scan.state == State::pending) {
                        kit.scan(job, {2, 1});
                    } else if (job.final.state == State::pending) {
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
                EXPECT_TRUE(x.reconciliation.balanced) << id << " seed " << seed;
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
                ASSERT_EQ(x.sweep.state, y.sweep.state);
                ASSERT_EQ(x.forget, y.forget);
                ASSERT_EQ(x.retries, y.retries);
                ASSERT_EQ(x.attempts, y.attempts);
                ASSERT_EQ(x.last_error, y.last_error);
                ASSERT_EQ(x.in_flight(), y.in_flight());
                ASSERT_EQ(schema::encode(x.reconciliation), schema::encode(y.reconciliation));
                ASSERT_EQ(x.streams.size(), y.streams.size());
                for (std::size_t s = 0; s < x.streams.size(); ++s) {
                    ASSERT_EQ(x.streams[s].dead_at, y.streams[s].dead_at);
                    ASSERT_EQ(x.streams[s].dead.size(), y.streams[s].dead.size());
                    for (std::size_t k = 0; k < x.streams[s].chunks.size(); ++k) {
                        const Chunk &c = x.streams[s].chunks[k], &d = y.streams[s].chunks[k];
                        ASSERT_EQ(c.state, d.state);
                        ASSERT_EQ(c.token.attempt, d.token.attempt);
                        ASSERT_EQ(schema::encode(c.trouble.strikes), schema::encode(d.trouble.strikes));
                    }
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
            if (e.kind == "job.retried" || e.kind == "job.forgotten") terminal[e.job] = 0;
            EXPECT_FALSE(terminal[e.job] && e.kind != "job.progress")
                << e.kind << " after the end of " << e.job;
            terminal[e.job] +=
                e.kind == "job.succeeded" || e.kind == "job.failed" || e.kind == "job.canceled";
        }
    }
}

}  // namespace
}  // namespace sl::broker
