// Jobs of the pipeline noop: their way through the table, what is left of them, and their worker.
#include "workers/noop/noop.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/job_table.hpp"

namespace sl {
namespace {

using broker::JobState;
using broker::JobTable;
using broker::Journal;
using broker::Noops;
using schema::Token;
using testing::ElementsAre;
using testing::IsEmpty;

class NoopJobs : public testing::Test {
protected:
    JobTable table_{1, {}};
    store::Records records_;
    std::vector<std::string> kinds_;  // of the entries so far, and the jobs that they name

    // What the loop does once a batch.
    void commit() {
        Journal j;
        table_.write_noops(j);
        keep(j);
    }
    void keep(const Journal& j) {
        for (const auto& w : j.writes) {
            if (w.kind == store::Write::Kind::set) records_[w.record][w.field] = w.value;
            if (w.kind == store::Write::Kind::erase_field) records_[w.record].erase(w.field);
        }
        for (const auto& e : j.log) {
            std::string jobs = e.job;
            const auto body = nlohmann::json::parse(e.body);
            for (const auto& job : body.value("jobs", nlohmann::json::array()))
                jobs += (jobs.empty() ? "" : " ") + job.get<std::string>();
            kinds_.push_back(e.kind + ": " + jobs);
        }
    }
    void submit(const std::string& id, std::int32_t priority = 0) {
        schema::JobSpec spec;
        spec.job = id;
        spec.pipeline = spec.preset = "noop";
        spec.priority = priority;
        spec.tags = {{"site", "north"}};
        Journal j;
        ASSERT_TRUE(table_.submit(spec, "key of " + id, j));
        EXPECT_TRUE(j.empty());
    }
    static std::optional<Token> lease_of(JobTable& table, const std::string& worker) {
        const auto leases = table.noops().lease(worker, 1);
        if (leases.jobs.empty()) return std::nullopt;
        return Token{leases.jobs[0], "noop", -1, 0, leases.attempts[0], leases.nonce};
    }
    Token lease(const std::string& worker) { return lease_of(table_, worker).value_or(Token{}); }
    void done(const Token& token) { table_.noops().done(token.nonce, {token.job}); }
    JobState state(const std::string& id) { return table_.noops().find(id)->state; }
    JobTable reloaded() {
        JobTable other(2, {});
        const auto ok = other.load(records_);
        EXPECT_TRUE(ok) << ok.error().text();
        return other;
    }
};

TEST_F(NoopJobs, GoFromQueuedToSucceeded) {
    submit("a");
    EXPECT_EQ(table_.noops().pending(), 1u);
    const Token token = lease("w");
    EXPECT_EQ(token.job, "a");
    EXPECT_EQ(state("a"), JobState::running);
    EXPECT_EQ(table_.noops().held("w"), 1);
    EXPECT_TRUE(table_.current(token));
    done(token);
    EXPECT_EQ(state("a"), JobState::succeeded);
    EXPECT_FALSE(table_.current(token));
    EXPECT_EQ(table_.noops().held("w"), 0);
    EXPECT_THAT(table_.noops().lists(), IsEmpty());
    done(token);
    commit();
    EXPECT_THAT(kinds_, ElementsAre("jobs.queued: a", "jobs.started: a", "jobs.succeeded: a"))
        << "a repeat is no news";
    commit();
    EXPECT_EQ(kinds_.size(), 3u);
}

TEST_F(NoopJobs, GoByPriorityThenAge) {
    submit("b"), submit("a"), submit("c", 1);
    EXPECT_EQ(lease("w").job, "c");
    EXPECT_EQ(lease("w").job, "b");
    EXPECT_EQ(lease("w").job, "a");
    EXPECT_EQ(lease("w").job, "") << "there are no more";
}

TEST_F(NoopJobs, AreLeasedAndAnsweredTogether) {
    for (const char* id : {"a", "b", "c", "d"}) submit(id);
    const auto leases = table_.noops().lease("w", 3);
    EXPECT_THAT(leases.jobs, ElementsAre("a", "b", "c"));
    EXPECT_EQ(table_.noops().held("w"), 3);
    table_.noops().done(leases.nonce + 1, leases.jobs);
    EXPECT_EQ(table_.noops().held("w"), 3) << "not the lease that they have";
    table_.noops().done(leases.nonce, {"a", "c", "d", "none"});
    EXPECT_EQ(table_.noops().held("w"), 1);
    commit();
    EXPECT_THAT(kinds_, ElementsAre("jobs.queued: a b c d", "jobs.started: a b c", "jobs.succeeded: a c"));
}

TEST_F(NoopJobs, LostLeasesGoToAnotherAndTheOldOneIsStale) {
    submit("a"), submit("b");
    const Token first = lease("w1");
    Journal j;
    table_.lost(first, j);
    EXPECT_EQ(table_.noops().held("w1"), 0);
    const Token second = lease("w2");
    EXPECT_EQ(second.job, "a") << "first in line again";
    EXPECT_EQ(second.attempt, first.attempt + 1);
    done(first);
    EXPECT_EQ(state("a"), JobState::running) << "stale";
    done(second);
    commit();
    EXPECT_THAT(kinds_, ElementsAre("jobs.queued: a b", "jobs.started: a", "jobs.succeeded: a"));
}

TEST_F(NoopJobs, CanceledOnesAreOverAtOnce) {
    submit("a"), submit("b");
    const Token token = lease("w");
    commit();
    Journal j;
    for (const char* id : {"a", "b"}) ASSERT_EQ(*table_.cancel(id, false, j), JobState::canceled);
    done(token);
    EXPECT_EQ(state("a"), JobState::canceled);
    EXPECT_EQ(lease("w").job, "");
    EXPECT_EQ(table_.noops().held("w"), 0);
    commit();
    EXPECT_THAT(kinds_, ElementsAre("jobs.queued: a b", "jobs.started: a", "jobs.canceled: a b"));
}

TEST_F(NoopJobs, AreTheSameAfterAReload) {
    submit("done"), submit("held"), submit("waits", -1);
    commit();
    const Token first = lease("w"), second = lease("w");
    commit();
    done(first);
    commit();
    JobTable other = reloaded();
    const Noops& noops = other.noops();
    EXPECT_EQ(noops.find("done")->state, JobState::succeeded);
    EXPECT_EQ(noops.find("held")->state, JobState::running);
    EXPECT_EQ(noops.find("waits")->state, JobState::queued);
    EXPECT_EQ(noops.find("waits")->spec->tags, (std::map<std::string, std::string>{{"site", "north"}}));
    EXPECT_EQ(noops.view(*noops.find("waits")).spec.priority, -1);
    EXPECT_EQ(*noops.by_key("key of held")->id, "held");
    EXPECT_TRUE(other.current(second));
    EXPECT_EQ(noops.held("w"), 1);
    other.noops().done(second.nonce, {"held"});
    EXPECT_EQ(noops.find("held")->state, JobState::succeeded);
    EXPECT_EQ(lease_of(other, "w")->job, "waits");
    Journal j;
    schema::JobSpec spec;
    spec.job = "held";
    EXPECT_EQ(other.submit(spec, "", j).error().code, Errc::conflict);
    EXPECT_EQ(*other.submit(spec, "key of waits", j), "waits");
}

TEST_F(NoopJobs, OnlySoManyEndedOnesAreKept) {
    for (int i = 0; i < 3000; ++i) {
        submit("j" + std::to_string(i));
        done(lease("w"));
        if (i % 7 == 0) commit();
    }
    commit();
    EXPECT_EQ(table_.noops().all().size(), 1000u);
    EXPECT_LE(records_["noops"].size(), 1000u / 7 + 2);
    EXPECT_EQ(table_.noops().find("j1999"), nullptr);
    EXPECT_EQ(table_.noops().by_key("key of j1999"), nullptr);
    EXPECT_NE(table_.noops().find("j2000"), nullptr);
    const JobTable other = reloaded();
    EXPECT_EQ(other.noops().all().size(), 1000u);
    EXPECT_EQ(other.noops().find("j1999"), nullptr);
    EXPECT_NE(other.noops().find("j2000"), nullptr);
}

// An old job that waits holds the pages after its own: they say that the others have ended.
TEST_F(NoopJobs, OnesThatWaitForLongBringBackNothing) {
    submit("waits", -1);
    std::size_t most = 0;
    for (int i = 0; i < 15'000; ++i) {
        submit("j" + std::to_string(i));
        if (i % 50 != 49) continue;
        commit();
        const auto leases = table_.noops().lease("w", 50);
        commit();
        table_.noops().done(leases.nonce, leases.jobs);
        commit();
        most = std::max(most, records_["noops"].size());
    }
    EXPECT_LT(most, 500u) << "they are written anew before they are many";
    JobTable other = reloaded();
    EXPECT_EQ(other.noops().all().size(), 1001u);
    EXPECT_EQ(other.noops().pending(), 1u);
    EXPECT_EQ(lease_of(other, "w")->job, "waits");
}

TEST_F(NoopJobs, ForgottenOnesStayForgotten) {
    submit("waits", -1), submit("a"), submit("b");
    commit();
    Journal j;
    EXPECT_EQ(table_.forget("a", false, j).error().code, Errc::conflict);
    done(lease("w")), done(lease("w"));
    ASSERT_TRUE(table_.forget("a", false, j));
    keep(j);
    commit();
    EXPECT_THAT(kinds_, ElementsAre("jobs.queued: waits a b", "jobs.started: a b", "jobs.succeeded: a b",
                                    "job.forgotten: a"));
    EXPECT_EQ(table_.noops().find("a"), nullptr);
    EXPECT_EQ(reloaded().noops().find("a"), nullptr);
    EXPECT_NE(reloaded().noops().find("b"), nullptr);
}

TEST_F(NoopJobs, LongListsAreSeveralEntries) {
    const std::string padding(60, 'x');
    for (int i = 0; i < 10'000; ++i) submit(padding + std::to_string(i));
    commit();
    EXPECT_GT(kinds_.size(), 1u);
    std::size_t jobs = 0;
    for (const auto& k : kinds_) {
        EXPECT_TRUE(k.starts_with("jobs.queued: "));
        jobs += std::size_t(std::count(k.begin(), k.end(), ' '));
    }
    EXPECT_EQ(jobs, 10'000u);
}

// --- the worker

class Bus final : public worker::BusApi {
public:
    std::vector<Token> held;
    std::vector<schema::NoopsDone> sent;

    void post(bus::Envelope) override {}
    const schema::Peer* peer(const std::string&) const override { return nullptr; }
    void send(bus::Envelope) override {}
    void forget(const Token&) override {}
    void hold(const Token& token) override { held.push_back(token); }
    void release(const Token& token) override { std::erase(held, token); }
    bool draining() const override { return false; }
    const std::string& id() const override { return id_; }
    void to_any(const std::string&, bus::Envelope) override {}
    void to_home(const std::string&, bus::Envelope) override {}
    bool blocked(const std::string&) const override { return false; }
    bool serves(const std::string&) const override { return false; }

protected:
    std::uint64_t next_request() override { return sent.size() + 1; }
    void send_request(std::uint64_t, const Token&, bus::Envelope message) override {
        sent.push_back(*message.as<schema::NoopsDone>());
    }

private:
    const std::string id_ = "worker";
};

TEST(NoopWorker, AcknowledgesAtOnceAndListsWhatIsNotAnsweredWithinARound) {
    Bus bus;
    noop::NoopStage stage("");
    const schema::NoopLeases leases{"noop_leases", 5, 7, {"a", "b"}, {1, 3}};
    auto e = bus::Envelope::make(leases);
    ASSERT_TRUE(stage.intercept(e, bus));
    ASSERT_EQ(bus.sent.size(), 1u);
    EXPECT_EQ(bus.sent[0].nonce, 7u);
    EXPECT_EQ(bus.sent[0].jobs, leases.jobs);
    EXPECT_FALSE(stage.idle());
    stage.on_tick(Clock::now(), bus);
    EXPECT_THAT(bus.held, IsEmpty());
    stage.on_tick(Clock::now() + std::chrono::seconds(1), bus);
    EXPECT_THAT(bus.held, ElementsAre(Token{"a", "noop", -1, 0, 1, 7}, Token{"b", "noop", -1, 0, 3, 7}));
    schema::Answer answer;
    answer.req = 1;
    answer.status = "ok";
    stage.on_answer({}, answer, e, bus);
    EXPECT_THAT(bus.held, IsEmpty());
    EXPECT_TRUE(stage.idle());
}

}  // namespace
}  // namespace sl
