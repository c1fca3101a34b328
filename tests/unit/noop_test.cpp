// Jobs of the pipeline noop: their way through the table, what is left of them, and their worker.
#include "workers/noop/noop.hpp"

#include <gmock/gmock.h>

#include "broker/job_table.hpp"

namespace sl {
namespace {

using broker::JobState;
using broker::JobTable;
using broker::Journal;
using schema::Token;
using testing::ElementsAre;
using testing::IsEmpty;

class NoopJobs : public testing::Test {
protected:
    JobTable table_{1, {}};
    store::Records records_;
    std::vector<std::string> kinds_;  // of the events so far

    void keep(const Journal& j) {
        for (const auto& w : j.writes) {
            if (w.kind == store::Write::Kind::set) records_[w.record][w.field] = w.value;
            if (w.kind == store::Write::Kind::erase_field) records_[w.record].erase(w.field);
        }
        for (const auto& e : j.log) kinds_.push_back(e.kind);
    }
    void submit(const std::string& id, std::int32_t priority = 0) {
        schema::JobSpec spec;
        spec.job = id;
        spec.pipeline = spec.preset = "noop";
        spec.priority = priority;
        spec.tags = {{"site", "north"}};
        Journal j;
        ASSERT_TRUE(table_.submit(spec, "key of " + id, j));
        keep(j);
    }
    Token lease(const std::string& worker) {
        Journal j;
        auto token = table_.lease_noop(worker, j);
        keep(j);
        return token.value_or(Token{});
    }
    Result<void> done(const Token& token) {
        Journal j;
        auto result = table_.noop_done(token, j);
        keep(j);
        return result;
    }
    JobState state(const std::string& id) { return table_.find(id)->state; }
};

TEST_F(NoopJobs, GoFromQueuedToSucceeded) {
    submit("a");
    EXPECT_EQ(table_.queued_noops(), 1u);
    const Token token = lease("w");
    EXPECT_EQ(token.unit, "noop");
    EXPECT_EQ(state("a"), JobState::running);
    EXPECT_EQ(table_.noops_held("w"), 1);
    EXPECT_TRUE(table_.current(token));
    ASSERT_TRUE(done(token));
    EXPECT_EQ(state("a"), JobState::succeeded);
    EXPECT_EQ(table_.noops_held("w"), 0);
    EXPECT_THAT(table_.leases(), IsEmpty());
    EXPECT_THAT(kinds_, ElementsAre("job.queued", "job.started", "job.succeeded"));
    EXPECT_TRUE(done(token)) << "a repeat is no news";
    EXPECT_EQ(kinds_.size(), 3u);
}

TEST_F(NoopJobs, GoByPriorityThenAge) {
    submit("b"), submit("a"), submit("c", 1);
    EXPECT_EQ(lease("w").job, "c");
    EXPECT_EQ(lease("w").job, "a");
    EXPECT_EQ(lease("w").job, "b");
    EXPECT_EQ(lease("w").job, "") << "there are no more";
}

TEST_F(NoopJobs, LostLeasesGoToAnotherAndTheOldOneIsStale) {
    submit("a");
    const Token first = lease("w1");
    Journal j;
    table_.lost(first, j);
    keep(j);
    EXPECT_EQ(table_.noops_held("w1"), 0);
    const Token second = lease("w2");
    EXPECT_EQ(second.attempt, first.attempt + 1);
    EXPECT_EQ(done(first).error().code, Errc::stale);
    EXPECT_EQ(state("a"), JobState::running);
    EXPECT_TRUE(done(second));
    EXPECT_THAT(kinds_, ElementsAre("job.queued", "job.started", "job.succeeded"));
}

TEST_F(NoopJobs, CanceledOnesAreOverAtOnce) {
    submit("a"), submit("b");
    const Token token = lease("w");
    Journal j;
    for (const char* id : {"a", "b"}) ASSERT_TRUE(table_.cancel(id, false, j));
    keep(j);
    EXPECT_EQ(done(token).error().code, Errc::stale);
    EXPECT_EQ(state("a"), JobState::canceled);
    EXPECT_EQ(lease("w").job, "");
    EXPECT_EQ(table_.noops_held("w"), 0);
    EXPECT_THAT(kinds_,
                ElementsAre("job.queued", "job.queued", "job.started", "job.canceled", "job.canceled"));
}

TEST_F(NoopJobs, AreTheSameAfterAReload) {
    submit("done"), submit("held"), submit("waits", -1);
    const Token first = lease("w"), second = lease("w");
    ASSERT_EQ(first.job, "done");
    ASSERT_TRUE(done(first));
    JobTable other(2, {});
    ASSERT_TRUE(other.load(records_));
    EXPECT_EQ(other.find("done")->state, JobState::succeeded);
    EXPECT_EQ(other.find("held")->state, JobState::running);
    EXPECT_EQ(other.find("waits")->state, JobState::queued);
    EXPECT_EQ(other.find("waits")->spec.tags, table_.find("waits")->spec.tags);
    EXPECT_EQ(other.find("waits")->spec.priority, -1);
    EXPECT_EQ(other.by_key("key of held")->id(), "held");
    EXPECT_TRUE(other.current(second));
    EXPECT_EQ(other.noops_held("w"), 1);
    Journal j;
    EXPECT_TRUE(other.noop_done(second, j));
    EXPECT_EQ(other.lease_noop("w", j)->job, "waits");
}

TEST_F(NoopJobs, OnlySoManyEndedOnesAreKept) {
    for (int i = 0; i < 3000; ++i) {
        submit("j" + std::to_string(i));
        ASSERT_TRUE(done(lease("w")));
    }
    EXPECT_EQ(table_.jobs().size(), 1000u);
    EXPECT_EQ(records_["noops"].size(), 1000u);
    EXPECT_EQ(table_.find("j1999"), nullptr);
    EXPECT_EQ(table_.by_key("key of j1999"), nullptr);
    EXPECT_NE(table_.find("j2000"), nullptr);
    EXPECT_THAT(table_.leases(), IsEmpty());
}

// --- the worker

class Bus final : public worker::BusApi {
public:
    std::vector<Token> held;
    std::vector<schema::UnitsDone> sent;

    void post(bus::Envelope) override {}
    const schema::Peer* peer(const std::string&) const override { return nullptr; }
    void send(bus::Envelope) override {}
    void forget(const Token&) override {}
    void hold(const Token& token) override { held.push_back(token); }
    void release(const Token& token) override { std::erase(held, token); }
    bool draining() const override { return false; }

protected:
    std::uint64_t next_request() override { return sent.size() + 1; }
    void send_request(std::uint64_t, const Token&, bus::Envelope message) override {
        sent.push_back(*message.as<schema::UnitsDone>());
    }
};

TEST(NoopWorker, AcknowledgesAtOnceAndListsWhatIsNotAnsweredWithinARound) {
    Bus bus;
    noop::NoopStage stage("");
    schema::Tasks tasks;
    tasks.tokens = {{"a", "noop", -1, 0, 1, 7}, {"b", "noop", -1, 0, 1, 8}};
    auto e = bus::Envelope::make(tasks);
    ASSERT_TRUE(stage.intercept(e, bus));
    ASSERT_EQ(bus.sent.size(), 1u);
    EXPECT_EQ(bus.sent[0].tokens, tasks.tokens);
    EXPECT_FALSE(stage.idle());
    stage.on_tick(Clock::now(), bus);
    EXPECT_THAT(bus.held, IsEmpty());
    stage.on_tick(Clock::now() + std::chrono::seconds(1), bus);
    EXPECT_EQ(bus.held, tasks.tokens);
    schema::Answer answer;
    answer.req = 1;
    answer.status = "ok";
    stage.on_answer({}, answer, e, bus);
    EXPECT_THAT(bus.held, IsEmpty());
    EXPECT_TRUE(stage.idle());
}

}  // namespace
}  // namespace sl
