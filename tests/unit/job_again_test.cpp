// What ends a job early, and what may happen to it after its end: strikes, rests, retry, forget, retention,
// the account of its frames.
#include <nlohmann/json.hpp>

#include "tests/support/job_table_kit.hpp"

namespace sl::broker {
namespace {

TEST(JobTable, FiveStrikesOnOnePieceAreTheEndAndOthersDoNotAddUp) {
    Kit kit;
    Job& job = kit.running("j", {2});
    const Token t = kit.lease(job, 0, 1);
    const schema::Piece a{0, 0}, b{0, 1}, source{-1, 0};
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(kit.strike(t, "detect", {a}));
        EXPECT_TRUE(kit.strike(t, "detect", {b}));
        EXPECT_TRUE(kit.strike(t, "preprocess", {a, source}));
        EXPECT_TRUE(kit.strike(t, "annotate"));
    }
    EXPECT_EQ(job.streams[0].chunks[1].state, ChunkState::leased);  // who gathers it may go on
    EXPECT_TRUE(kit.table.current(t));
    auto other = kit.reloaded();  // a fail-over forgets none of them
    Journal j;
    EXPECT_TRUE(other.strike(t, "detect", {b}, "signal 6", "another", j));
    EXPECT_EQ(other.find("j")->streams[0].chunks[1].state, ChunkState::dead);
    ASSERT_EQ(other.find("j")->streams[0].dead.size(), 1u);
    const Dead& dead = other.find("j")->streams[0].dead[0];
    EXPECT_EQ(dead.seq, 1);
    EXPECT_EQ(dead.stage, "detect");
    EXPECT_EQ(dead.piece, "detect/m@1/1");
    EXPECT_EQ(dead.causes,
              (std::vector<std::string>{"signal 11", "signal 11", "signal 11", "signal 11", "signal 6"}));
    EXPECT_TRUE(kit.strike(t, "preprocess", {source}));
    EXPECT_EQ(job.streams[0].dead[0].piece, "source");
    EXPECT_FALSE(kit.table.current(t));
    EXPECT_EQ(kit.strike(t, "detect", {b}).error().code, Errc::stale);  // it is over
    EXPECT_EQ(std::count_if(kit.log.begin(), kit.log.end(), [](auto& e) { return e.kind == "job.strike"; }),
              17);
    EXPECT_EQ(std::count_if(kit.log.begin(), kit.log.end(), [](auto& e) { return e.kind == "job.dead"; }), 1);
}

TEST(JobTable, ADeathStrikesOnceAndAlsoWithATokenThatIsOver) {
    Kit kit;
    Job& job = kit.running("j", {1});
    const Token old = kit.lease(job, 0, 0);
    kit([&](Journal& j) { kit.table.lost(old, j); });
    const Token now = kit.lease(job, 0, 0);
    for (int i = 0; i < 9; ++i) EXPECT_TRUE(kit.strike(old, "annotate", {}, "the same"));
    EXPECT_EQ(job.streams[0].chunks[0].trouble.strikes.size(), 1u);
    EXPECT_TRUE(kit.table.current(now));
}

TEST(JobTable, WhatAPeerSaysIsKeptShortAndReadable) {
    Kit kit;
    Job& job = kit.running("j", {1});
    const Token t = kit.lease(job, 0, 0);
    EXPECT_TRUE(kit([&](Journal& j) {
        return kit.table.strike(t, "de\xfftect", {}, std::string(5000, '\xe4'), "w", j);
    }));
    const Strike& s = job.streams[0].chunks[0].trouble.strikes.at(0);
    EXPECT_EQ(s.stage, "de\xef\xbf\xbdtect");
    EXPECT_LE(s.cause.size(), 3000u);
    EXPECT_NO_THROW((void)nlohmann::json(job.last_error).dump());
}

TEST(JobTable, RestsGrowWithTheStrikes) {
    Kit kit;
    Job& job = kit.running("j", {1});
    const Token t = kit.lease(job, 0, 0);
    const milliseconds rests[] = {milliseconds(0), milliseconds(250), milliseconds(500), milliseconds(1000)};
    for (const auto rest : rests) {
        const auto before = Clock::now();
        EXPECT_TRUE(kit.strike(t, "detect", {{0, 0}}));
        const auto until = job.streams[0].chunks[0].trouble.not_before;
        if (rest.count() > 0) {
            EXPECT_GE(until, before + rest);
            EXPECT_TRUE(kit.table.resting(t, before + rest - milliseconds(1)));
        }
        EXPECT_FALSE(kit.table.resting(t, Clock::now() + rest));
    }
}

TEST(JobTable, WhatIsAwayIsWaitedForAsOftenAsItTakes) {
    Kit kit;
    Job& job = kit.running("j", {1});
    for (int i = 0; i < 50; ++i)
        EXPECT_TRUE(kit.fail(kit.lease(job, 0, 0), "UNAVAILABLE", "no space left below the root results"));
    Chunk& c = job.streams[0].chunks[0];
    EXPECT_EQ(c.state, ChunkState::pending);
    EXPECT_TRUE(c.trouble.strikes.empty());
    EXPECT_EQ(job.last_error, "no space left below the root results");
    EXPECT_EQ(c.trouble.waits_for, job.last_error);
    EXPECT_GT(c.trouble.not_before, Clock::now() + std::chrono::seconds(29));
    EXPECT_LT(c.trouble.not_before, Clock::now() + std::chrono::seconds(31));
    kit.complete(kit.lease(job, 0, 0));
    kit.finalize(job);
    EXPECT_EQ(job.state, JobState::succeeded);
}

TEST(JobTable, AScanThatKillsItsWorkersFailsTheJobAndADeliveryIsNeverGivenUp) {
    Kit kit;
    kit.submit("j");
    Job& job = *kit.table.find("j");
    const Token t = kit([&](Journal& j) { return kit.table.lease_scan(job, "i", j); });
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(kit.strike(t, "ingest"));
    EXPECT_EQ(job.final.state, State::pending);
    EXPECT_EQ(job.ending, JobState::failed);
    EXPECT_EQ(job.error, "signal 11 (strike 5 in ingest)");

    Job& other = kit.running("k", {1});
    const Token c = kit.lease(other, 0, 0);
    (void)kit.gathered(c);
    schema::Alert alert;
    alert.alert = "a";
    (void)kit.step(c, 1, {alert});
    for (int i = 0; i < 20; ++i) {
        const Token d = kit.deliver().first;
        EXPECT_TRUE(i % 2 ? kit.fail(d, "INTERNAL") : kit.strike(d, "alert"));
        if (i % 2 == 0) kit([&](Journal& j) { kit.table.lost(d, j); });
    }
    EXPECT_EQ(kit.table.outbox().undelivered(), 1u);
}

// --- again: retry, forget, retention

TEST(JobTable, RetryDoesTheDeadChunkAndTheLaterOnesAgainAndNothingElse) {
    Kit kit;
    Job& job = kit.running("j", {4, 2});
    kit.complete(kit.lease(job, 0, 0), 1);
    kit.complete(kit.lease(job, 1, 0), 1);
    kit.complete(kit.lease(job, 1, 1), 2);
    // Chunk 1 steps, with an alert, chunk 2 is done, then chunk 1 proves to be deadly.
    schema::Alert alert;
    alert.alert = "a";
    const Token t1 = kit.lease(job, 0, 1), t2 = kit.lease(job, 0, 2);
    (void)kit.gathered(t1);
    EXPECT_TRUE(kit.step(t1, 2, {alert}));
    kit.complete(t2, 3);
    EXPECT_TRUE(kit.fail(t1, "BAD_MEDIA"));
    kit.finalize(job);
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.sweep.state, State::none);  // what was done is kept
    EXPECT_EQ(kit.reloaded().find("j")->sweep.state, State::none);
    ASSERT_TRUE(job.reconciliation.made);
    EXPECT_TRUE(job.reconciliation.balanced);
    const auto gone = job.reconciliation.streams[0].ingest.dropped;
    EXPECT_EQ(gone,
              (std::map<std::string, std::int64_t>{{"job:dead_chunk", 10}, {"job:after_dead_chunk", 20}}));

    const auto attempts = job.streams[0].chunks[1].token.attempt;
    EXPECT_EQ(*kit.retry("j"), JobState::running);
    EXPECT_EQ(job.retries, 1);
    EXPECT_EQ(job.error, "");
    EXPECT_EQ(kit.retry("j").error().code, Errc::conflict);
    EXPECT_FALSE(kit.reloaded().find("j")->reconciliation.made);
    Stream& s = job.streams[0];
    EXPECT_EQ(s.done, 1);
    EXPECT_EQ(s.counters.read, 10);
    EXPECT_EQ(s.chunks[0].state, ChunkState::done);
    EXPECT_EQ(job.streams[1].done, 2);
    for (std::size_t k = 1; k < 4; ++k) EXPECT_EQ(s.chunks[k].state, ChunkState::pending) << k;
    EXPECT_TRUE(s.states.contains(1));
    EXPECT_EQ(s.states.size(), 1u);
    EXPECT_TRUE(s.detections.empty());
    EXPECT_EQ(kit.done(t2).error().code, Errc::stale);  // of before
    const Token again = kit.lease(job, 0, 1);
    EXPECT_EQ(again.attempt, attempts + 1);
    (void)kit.gathered(again);
    EXPECT_TRUE(kit.step(again, 2, {alert}));
    EXPECT_TRUE(kit.done(again));
    EXPECT_EQ(std::count_if(kit.log.begin(), kit.log.end(), [](auto& e) { return e.kind == "alert"; }),
              1);  // it was published before
    kit.complete(kit.lease(job, 0, 2), 3);
    kit.complete(kit.lease(job, 0, 3), 4);
    kit.finalize(job);
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_TRUE(job.reconciliation.balanced);
    EXPECT_TRUE(job.reconciliation.streams[0].ingest.dropped.empty());
    EXPECT_EQ(kit.kinds("j"),
              (Kinds{"job.queued", "job.started", "alert", "job.failed", "job.retried", "job.succeeded"}));
}

TEST(JobTable, RetryOfAJobOfWhichNothingIsLeftBeginsWithItsScan) {
    Kit kit;
    Job& job = kit.running("j", {1});
    const Token dead = kit.lease(job, 0, 0);
    EXPECT_TRUE(kit.fail(dead, "BAD_MEDIA"));
    kit.finalize(job);
    EXPECT_EQ(job.sweep.state, State::pending);  // nothing of it is worth keeping
    const Token sweeping = kit([&](Journal& j) { return kit.table.lease_sweep(job, "home", j); });
    EXPECT_EQ(kit.retry("j").error().code, Errc::unavailable);
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.swept(sweeping, j); }));
    EXPECT_EQ(*kit.retry("j"), JobState::queued);
    EXPECT_TRUE(job.streams.empty());
    EXPECT_FALSE(kit.records["job:j"].contains("stream/0"));
    EXPECT_EQ(kit.reloaded().find("j")->scan.state, State::pending);
    const Token scan = kit([&](Journal& j) { return kit.table.lease_scan(job, "ingest", j); });
    EXPECT_EQ(scan.attempt, 2);
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.found(scan, {"s0"}, j); }));
    schema::Scanned m;
    m.token = scan;
    m.rows.resize(1);
    m.info.frames = m.rows[0].frames = 10;
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.scanned(m, j); }));
    const Token t = kit.lease(job, 0, 0);
    EXPECT_EQ(t.attempt, dead.attempt + 1);  // they never repeat
    kit.complete(t);
    kit.finalize(job);
    EXPECT_EQ(job.state, JobState::succeeded);
}

TEST(JobTable, RetryScansTheStreamsThatCouldNotBeScanned) {
    Kit kit;
    kit.submit("j");
    Job& job = *kit.table.find("j");
    Token t = kit([&](Journal& j) { return kit.table.lease_scan(job, "i", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.found(t, {"a", "b"}, j); }));
    schema::Scanned good, bad;
    good.rows.resize(1);
    good.info.frames = good.rows[0].frames = 10;
    good.token = bad.token = t;
    bad.stream = 1;
    bad.error_code = "IO";
    bad.error = "the share is away";
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.scanned(good, j); }));
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.scanned(bad, j); }));
    kit.complete(kit.lease(job, 0, 0));
    kit.finalize(job);
    EXPECT_EQ(job.error, "b: the share is away");
    EXPECT_EQ(*kit.retry("j"), JobState::running);
    EXPECT_EQ(job.scan.state, State::pending);
    good.token = t = kit([&](Journal& j) { return kit.table.lease_scan(job, "i", j); });
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.found(t, {"a", "b"}, j); }));
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.scanned(good, j); }));  // known: nothing changes
    EXPECT_EQ(job.streams[0].done, 1);
    good.stream = 1;
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.scanned(good, j); }));
    kit.complete(kit.lease(job, 1, 0));
    kit.finalize(job);
    EXPECT_EQ(job.state, JobState::succeeded);
}

TEST(JobTable, RetryOfAFinalThatFailedMakesTheResultAgain) {
    Kit kit;
    Job& job = kit.running("j", {1});
    kit.complete(kit.lease(job, 0, 0));
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(kit.fail(kit([&](Journal& j) { return kit.table.lease_final(job, "h", j); }), "IO"));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(*kit.retry("j"), JobState::running);
    EXPECT_EQ(job.final.state, State::pending);
    kit.finalize(job);
    EXPECT_EQ(job.state, JobState::succeeded);
}

TEST(JobTable, OnlyWhatEndedIsForgottenAndNothingOfItStays) {
    Kit kit;
    Job& job = kit.running("j", {2});
    EXPECT_EQ(kit.forget("j").error().code, Errc::conflict);
    EXPECT_EQ(kit.forget("nobody").error().code, Errc::not_found);
    kit.complete(kit.lease(job, 0, 0));
    EXPECT_TRUE(kit.fail(kit.lease(job, 0, 1), "BAD_MEDIA"));
    kit.finalize(job);
    EXPECT_TRUE(kit.forget("j"));
    EXPECT_EQ(kit.retry("j").error().code, Errc::conflict);
    EXPECT_EQ(kit.reloaded().find("j")->forget, Job::Forget::work);
    kit.sweep(job);
    EXPECT_EQ(kit.table.find("j"), nullptr);
    EXPECT_TRUE(kit.no_job_kept());
    EXPECT_EQ(kit.kinds("j").back(), "job.forgotten");
    EXPECT_EQ(kit.submit("j"), "j");  // the name is free again
}

TEST(JobTable, ASweptJobGoesAtOnceButItsResultsNeedAnotherSweep) {
    Kit kit;
    for (const char* id : {"a", "b"}) {
        Job& job = kit.running(id, {1});
        kit.complete(kit.lease(job, 0, 0));
        kit.finalize(job);
        kit.sweep(job);
    }
    EXPECT_TRUE(kit.forget("a"));
    EXPECT_EQ(kit.table.find("a"), nullptr);
    EXPECT_TRUE(kit.forget("b", true));
    Job& job = *kit.table.find("b");
    EXPECT_EQ(job.sweep.state, State::pending);
    EXPECT_EQ(kit.reloaded().find("b")->sweep.state, State::pending);
    const Token t = kit([&](Journal& j) { return kit.table.lease_sweep(job, "home", j); });
    EXPECT_EQ(job.forget, Job::Forget::all);
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.swept(t, j); }));
    EXPECT_EQ(kit.table.find("b"), nullptr);
    EXPECT_EQ(kit([&](Journal& j) { return kit.table.swept(t, j); }).error().code, Errc::stale);
}

TEST(JobTable, ASweepUnderWayDoesNotKnowThatTheResultsGoToo) {
    Kit kit;
    Job& job = kit.running("j", {1});
    kit.complete(kit.lease(job, 0, 0));
    kit.finalize(job);
    const Token old = kit([&](Journal& j) { return kit.table.lease_sweep(job, "home", j); });
    EXPECT_TRUE(kit.forget("j"));
    EXPECT_TRUE(kit.table.current(old));
    EXPECT_TRUE(kit.forget("j", true));
    EXPECT_FALSE(kit.table.current(old));
    EXPECT_EQ(kit([&](Journal& j) { return kit.table.swept(old, j); }).error().code, Errc::stale);
    kit.sweep(job);
    EXPECT_EQ(kit.table.find("j"), nullptr);
}

TEST(JobTable, RetentionLetsTheWorkOfFailedJobsGoAndThenTheOldestJobs) {
    constexpr std::int64_t hour = 3'600'000'000'000;
    Kit kit;
    kit.table.retain({3, 100 * hour, 10 * hour});
    const auto prune = [&](std::int64_t at) { kit([&](Journal& j) { kit.table.prune(at, j); }); };
    Job& failed = kit.running("failed", {2});
    kit.complete(kit.lease(failed, 0, 0));
    EXPECT_TRUE(kit.fail(kit.lease(failed, 0, 1), "BAD_MEDIA"));
    kit.finalize(failed);
    prune(failed.ended_ns + 9 * hour);
    EXPECT_EQ(failed.sweep.state, State::none);
    prune(failed.ended_ns + 11 * hour);
    ASSERT_EQ(failed.sweep.state, State::pending);
    kit.sweep(failed);
    EXPECT_EQ(failed.streams[0].dead.size(), 1u);  // still told
    for (const char* id : {"a", "b", "c"}) {
        kit.submit(id);
        (void)kit([&](Journal& j) { return kit.table.cancel(id, false, j); });
    }
    prune(failed.ended_ns + 12 * hour);
    EXPECT_EQ(kit.table.find("failed"), nullptr);
    EXPECT_EQ(kit.table.jobs().size(), 3u);
    prune(now_ns() + 101 * hour);
    EXPECT_TRUE(kit.table.jobs().empty());
    EXPECT_TRUE(kit.no_job_kept());
}

TEST(JobTable, ADroppedJobFailsWithItsReasonAndLeavesNothing) {
    Kit kit;
    kit.submit("j");
    kit([&](Journal& j) { kit.table.drop(*kit.table.find("j"), j); });
    const Job& job = *kit.table.find("j");
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.error_code, "QUEUE_FULL_DROP_LRU");
    EXPECT_TRUE(job.swept);
    EXPECT_TRUE(kit.table.index().ending().empty());
    EXPECT_EQ(kit.kinds("j"), (Kinds{"job.queued", "job.failed"}));
    EXPECT_EQ(*kit.retry("j"), JobState::queued);
}

TEST(JobTable, EveryFrameIsAccountedForOrTheJobSaysSo) {
    Kit kit;
    Job& job = kit.running("j", {2});
    for (auto& c : job.streams[0].chunks) c.row.sampled = 5;
    for (int k = 0; k < 2; ++k) {
        const Token t = kit.lease(job, 0, k);
        EXPECT_TRUE(kit(
            [&](Journal& j) { return kit.table.gathered(t, schema::encode(schema::Detections{}), j, k); }));
        EXPECT_TRUE(kit.step(t, k + 1));
        schema::Counters c;
        c.read = 10;
        c.decoded = c.annotated = 9;
        c.detected = 5 - k;
        c.dropped["decode:no_frame"] = 1;
        EXPECT_TRUE(kit([&](Journal& j) { return kit.table.done(t, {}, c, j); }));
    }
    kit.finalize(job);
    const auto again = kit.reloaded();
    const StreamFrames& f = const_cast<JobTable&>(again).find("j")->reconciliation.streams.at(0);
    EXPECT_TRUE(job.reconciliation.balanced);
    EXPECT_EQ(kit.table.unbalanced(), 0);
    EXPECT_EQ(f.ingest.in, 20);
    EXPECT_EQ(f.ingest.out, 20);
    EXPECT_EQ(f.preprocess.out, 18);
    EXPECT_EQ(f.preprocess.dropped.at("decode:no_frame"), 2);
    EXPECT_EQ(f.detect.in, 10);
    EXPECT_EQ(f.detect.out, 9);
    EXPECT_EQ(f.detect.dropped.at("decode:no_frame"), 1);
    EXPECT_EQ(f.annotate.out, 18);

    Job& lossy = kit.running("k", {1});
    const Token t = kit.lease(lossy, 0, 0);
    EXPECT_TRUE(kit.gathered(t));
    EXPECT_TRUE(kit.step(t));
    schema::Counters c;
    c.read = 10;
    c.decoded = 10;
    c.annotated = 8;  // two frames went nowhere
    EXPECT_TRUE(kit([&](Journal& j) { return kit.table.done(t, {}, c, j); }));
    kit.finalize(lossy);
    EXPECT_FALSE(lossy.reconciliation.balanced);
    EXPECT_EQ(kit.table.unbalanced(), 1);
}

TEST(JobTable, ACanceledJobBalancesToo) {
    Kit kit;
    Job& job = kit.running("j", {3});
    kit.complete(kit.lease(job, 0, 0));
    kit.lease(job, 0, 1);
    (void)kit([&](Journal& j) { return kit.table.cancel("j", false, j); });
    EXPECT_TRUE(job.reconciliation.balanced);
    EXPECT_EQ(job.reconciliation.streams[0].ingest.dropped.at("job:canceled"), 20);
    kit.sweep(job);
    EXPECT_EQ(kit.reloaded().find("j")->reconciliation.streams[0].ingest.out, 10);
}

}  // namespace
}  // namespace sl::broker
