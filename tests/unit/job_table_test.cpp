// The state machine, edge by edge as PROTOCOL.md section 7 draws it, and the edges that must not exist.
#include "tests/support/job_table_kit.hpp"

namespace sl::broker {
namespace {

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
    EXPECT_EQ(kit.table.outbox().undelivered(), 1u);
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

}  // namespace
}  // namespace sl::broker
