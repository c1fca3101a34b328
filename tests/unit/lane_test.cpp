// The thread of one target: what it reports, and how it is stopped.
#include "workers/alert/lane.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>

#include "tests/support/server_process.hpp"

namespace sl::alert {
namespace {

using schema::Alert;
using schema::Delivered;
using test::eventually;
using testing::ElementsAre;
using testing::IsEmpty;

// A sink that does what the test says, and keeps what it was sent.
struct Script {
    std::mutex mutex;
    std::vector<std::string> got;
    std::function<Result<void>(const std::string& id)> answer = [](const std::string&) {
        return Result<void>();
    };
    std::atomic<int> idle_calls = 0;
    std::chrono::milliseconds idle_every{0};

    std::vector<std::string> received() {
        const std::lock_guard lock(mutex);
        return got;
    }
};
class ScriptSink final : public Sink {
public:
    explicit ScriptSink(Script& s) : s_(s) {}
    Result<void> send(const Alert& alert) override {
        auto sent = s_.answer(alert.alert);
        const std::lock_guard lock(s_.mutex);
        if (sent) s_.got.push_back(alert.alert);
        return sent;
    }
    void idle() override { ++s_.idle_calls; }
    std::chrono::milliseconds idle_every() const override { return s_.idle_every; }

private:
    Script& s_;
};

class LaneTest : public testing::Test {
protected:
    std::unique_ptr<Lane> lane(Script& script) {
        Target t;
        t.name = "t";
        return std::make_unique<Lane>(t, std::make_unique<ScriptSink>(script), [this](Delivered r) {
            const std::lock_guard lock(mutex_);
            reports_.push_back(std::move(r));
        });
    }
    static schema::Task task(std::uint64_t nonce, int from, int to) {
        schema::Task t;
        t.token.job = t.target = "t";
        t.token.unit = "deliver";
        t.token.nonce = nonce;
        for (int n = from; n <= to; ++n) t.alerts.emplace_back().alert = std::to_string(n);
        return t;
    }
    // The report that ends the lease of this nonce.
    Delivered ended(std::uint64_t nonce) {
        Delivered found;
        EXPECT_TRUE(eventually([&] {
            const std::lock_guard lock(mutex_);
            for (const auto& r : reports_)
                if (r.ended && r.token.nonce == nonce) return found = r, true;
            return false;
        }));
        return found;
    }
    std::vector<Delivered> reports() {
        const std::lock_guard lock(mutex_);
        return reports_;
    }

    Script script_;
    std::mutex mutex_;
    std::vector<Delivered> reports_;
};

// Holds whoever asks until it is opened.
class Gate {
public:
    void wait() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void await() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ > 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    int waiting_ = 0;
};

TEST_F(LaneTest, ReportsALeaseThatIsWorkedOff) {
    const auto l = lane(script_);
    l->take(task(1, 1, 3));
    const auto report = ended(1);
    EXPECT_EQ(report.taken, 3);
    EXPECT_THAT(report.dead, IsEmpty());
    EXPECT_EQ(report.state, "closed");
    EXPECT_THAT(script_.received(), ElementsAre("1", "2", "3"));
    EXPECT_TRUE(eventually([&] { return l->idle(); }));
}

TEST_F(LaneTest, OneThatHangsHoldsUpNoOther) {
    Gate gate;
    Script other;
    script_.answer = [&](const std::string&) { return gate.wait(), Result<void>(); };
    const auto slow = lane(script_), fast = lane(other);
    slow->take(task(1, 1, 2));
    gate.await();
    fast->take(task(2, 1, 2));
    EXPECT_EQ(ended(2).taken, 2);
    EXPECT_FALSE(slow->idle());
    gate.open();
    EXPECT_EQ(ended(1).taken, 2);
}

TEST_F(LaneTest, RefusedAlertsAndBrokenPromisesAreDeadLetters) {
    script_.answer = [](const std::string& id) -> Result<void> {
        if (id == "1") return Error{Errc::invalid_argument, "no", ""};
        if (id == "2") throw std::runtime_error("a bug");
        return {};
    };
    const auto l = lane(script_);
    l->take(task(1, 1, 3));
    const auto report = ended(1);
    EXPECT_EQ(report.taken, 3);
    ASSERT_EQ(report.dead.size(), 2u);
    EXPECT_EQ(report.dead[0].index, 0);
    EXPECT_EQ(report.dead[0].error, "no");
    EXPECT_EQ(report.dead[1].index, 1);
    EXPECT_EQ(report.dead[1].error, "the sink failed: a bug");
}

TEST_F(LaneTest, ATargetThatIsAwayIsReportedWhileItIs) {
    std::atomic<bool> away = true;
    script_.answer = [&](const std::string&) -> Result<void> {
        if (away) return Error{Errc::unavailable, "refused", ""};
        return {};
    };
    const auto l = lane(script_);
    l->take(task(1, 1, 2));
    EXPECT_TRUE(eventually([&] {
        const auto all = reports();
        return !all.empty() && all.back().state == "open";
    }));
    const auto report = reports().back();
    EXPECT_FALSE(report.ended);
    EXPECT_EQ(report.taken, 0);
    EXPECT_GE(report.retried, 3);
    EXPECT_EQ(report.error, "refused");
    away = false;
    EXPECT_EQ(ended(1).taken, 2);
    EXPECT_EQ(ended(1).state, "closed");
}

TEST_F(LaneTest, ADroppedLeaseIsNotReportedAndTheNextGoesOn) {
    Gate gate;
    script_.answer = [&](const std::string& id) {
        if (id == "1") gate.wait();
        return Result<void>();
    };
    const auto l = lane(script_);
    const auto first = task(1, 1, 5);
    l->take(first);
    gate.await();
    l->drop(first.token);
    l->take(task(2, 1, 2));
    gate.open();
    EXPECT_EQ(ended(2).taken, 2);
    for (const auto& r : reports()) EXPECT_EQ(r.token.nonce, 2u);
    EXPECT_THAT(script_.received(), ElementsAre("1", "1", "2"));
}

TEST_F(LaneTest, ANewLeaseEndsTheOneBefore) {
    Gate gate;
    script_.answer = [&](const std::string& id) {
        if (id == "1") gate.wait();
        return Result<void>();
    };
    const auto l = lane(script_);
    l->take(task(1, 1, 5));
    gate.await();
    l->take(task(2, 2, 3));
    gate.open();
    EXPECT_EQ(ended(2).taken, 2);
    EXPECT_THAT(script_.received(), ElementsAre("1", "2", "3"));
}

TEST_F(LaneTest, HandsBackWhatItHasNotSent) {
    Gate gate;
    script_.answer = [&](const std::string& id) {
        if (id == "2") gate.wait();
        return Result<void>();
    };
    const auto l = lane(script_);
    l->take(task(1, 1, 5));
    gate.await();
    l->hand_back();
    gate.open();
    EXPECT_EQ(ended(1).taken, 2);
    l->take(task(2, 3, 5));
    EXPECT_EQ(ended(2).taken, 0);
    EXPECT_THAT(script_.received(), ElementsAre("1", "2"));
}

TEST_F(LaneTest, EndsWhileItsTargetIsAway) {
    script_.answer = [](const std::string&) { return Result<void>(Error{Errc::timeout, "no answer", ""}); };
    auto l = lane(script_);
    l->take(task(1, 1, 2));
    EXPECT_TRUE(eventually([&] { return !reports().empty(); }));
    l.reset();
    EXPECT_THAT(script_.received(), IsEmpty());
}

TEST_F(LaneTest, TheSinkIsCalledWhileThereIsNothingToSend) {
    script_.idle_every = std::chrono::milliseconds(1);
    const auto l = lane(script_);
    EXPECT_TRUE(eventually([&] { return script_.idle_calls > 3; }));
    l->take(task(1, 1, 1));
    EXPECT_EQ(ended(1).taken, 1);
}

}  // namespace
}  // namespace sl::alert
