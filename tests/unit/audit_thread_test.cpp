// The audit thread copies the log in order, once, whether it was fed, has to read, or both.
#include "broker/audit_thread.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace sl::broker {
namespace {

store::LogEntry entry(std::uint64_t n) {
    return {{5, n}, "t", "k", "", 0, "{}", true};
}
std::vector<store::LogEntry> entries(std::uint64_t first, std::uint64_t last) {
    std::vector<store::LogEntry> all;
    for (auto n = first; n <= last; ++n) all.push_back(entry(n));
    return all;
}

class Trail final : public store::Audit {
public:
    std::mutex mutex;
    std::vector<std::uint64_t> rows;  // guarded by mutex
    std::atomic<bool> away{false};

    Result<store::LogId> position() override {
        const std::lock_guard lock(mutex);
        return rows.empty() ? store::LogId{} : store::LogId{5, rows.back()};
    }
    Result<void> append(std::span<const store::LogEntry> some) override {
        if (away) return Error{Errc::unavailable, "away", ""};
        const std::lock_guard lock(mutex);
        for (const auto& e : some) rows.push_back(e.id.n);
        return {};
    }
    std::size_t size() {
        const std::lock_guard lock(mutex);
        return rows.size();
    }
};

class AuditThreadTest : public testing::Test {
protected:
    std::unique_ptr<store::JobStore> log_ = store::memory_store();
    Trail trail_;
    std::uint64_t epoch_ = 0, number_ = 0;

    // Into the log; ids of a term are made by the caller, as the broker does.
    void commit(std::vector<store::LogEntry> some) {
        if (epoch_ == 0) epoch_ = log_->lead("b", 60'000)->epoch;
        ASSERT_TRUE(log_->commit({epoch_, ++number_, {}, std::move(some)}));
    }
    void wait_for(std::size_t rows) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (trail_.size() < rows && std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        std::vector<std::uint64_t> wanted;
        for (std::uint64_t n = 1; n <= rows; ++n) wanted.push_back(n);
        const std::lock_guard lock(trail_.mutex);
        EXPECT_EQ(trail_.rows, wanted);
    }
};

TEST_F(AuditThreadTest, CopiesWhatIsFedAndWhatIsNot) {
    commit(entries(1, 10));  // of a broker before
    AuditThread audit(*log_, trail_);
    wait_for(10);
    commit(entries(11, 20));
    audit.feed(entries(11, 20));
    wait_for(20);
    commit(entries(21, 30));  // never fed
    commit(entries(31, 40));
    audit.feed(entries(31, 40));
    wait_for(40);
    commit(entries(41, 50));
    audit.feed(entries(36, 50));  // some of it again
    wait_for(50);
}

TEST_F(AuditThreadTest, KeepsUpAfterATrailWasAway) {
    AuditThread audit(*log_, trail_);
    trail_.away = true;
    for (std::uint64_t n = 1; n <= 2000; n += 10) {  // more batches than it keeps in memory
        commit(entries(n, n + 9));
        audit.feed(entries(n, n + 9));
    }
    trail_.away = false;
    wait_for(2000);
    commit(entries(2001, 2010));
    audit.feed(entries(2001, 2010));
    wait_for(2010);
}

// A trail that answers nothing until somebody interrupts it.
class FrozenTrail final : public store::Audit {
public:
    std::atomic<bool> asked{false}, interrupted{false};
    Result<store::LogId> position() override { return store::LogId{}; }
    Result<void> append(std::span<const store::LogEntry>) override {
        asked = true;
        interrupted.wait(false);
        return Error{Errc::unavailable, "interrupted", ""};
    }
    void interrupt() override {
        interrupted = true;
        interrupted.notify_all();
    }
};

TEST_F(AuditThreadTest, FrozenTrailIsSaidToBeAwayAndNotWaitedFor) {
    commit(entries(1, 10));
    FrozenTrail frozen;
    {
        AuditThread audit(*log_, frozen);
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!audit.away() && std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        EXPECT_TRUE(audit.away());
        EXPECT_EQ(audit.why(), "it does not answer");
        EXPECT_TRUE(frozen.asked);
        EXPECT_FALSE(frozen.interrupted);
    }
    EXPECT_TRUE(frozen.interrupted) << "its end does not wait";
    AuditThread audit(*log_, trail_);
    wait_for(10);
}

}  // namespace
}  // namespace sl::broker
