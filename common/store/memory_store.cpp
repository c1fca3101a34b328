// The job store of the one-process mode: the same rules as Redis, nothing outlives the process.
#include <chrono>
#include <mutex>

#include "common/store/batch.hpp"

namespace sl::store {
namespace {

std::uint64_t now_ms() {
    using namespace std::chrono;
    return std::uint64_t(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

class MemoryStore final : public JobStore {
public:
    Result<Lead> lead(const std::string& broker, std::int64_t ttl_ms) override {
        const std::lock_guard lock(mutex_);
        const std::uint64_t now = now_ms();
        const bool held = !leader_.empty() && until_ms_ > now;
        if (held && leader_ != broker) return Lead{false, epoch_, leader_};
        if (!held) {
            epoch_ = std::max(epoch_ + 1, now);
            number_ = 0;
            leader_ = broker;
        }
        until_ms_ = now + std::uint64_t(ttl_ms);
        return Lead{true, epoch_, leader_};
    }

    Result<void> resign(const std::string& broker) override {
        const std::lock_guard lock(mutex_);
        if (leader_ == broker) leader_.clear();
        return {};
    }

    Result<void> commit(const Batch& batch) override {
        const std::lock_guard lock(mutex_);
        if (auto ok = check(batch); !ok) return ok;
        if (batch.epoch != epoch_ || leader_.empty()) return stale_epoch(batch, std::to_string(epoch_));
        if (batch.number <= number_) return {};
        if (batch.number > number_ + 1) return lost_batches(batch, std::to_string(number_));
        if (!batch.log.empty() && batch.log.front().id <= last_id_) return old_log_id(batch);

        for (const LogEntry& entry : batch.log) log_.emplace_hint(log_.end(), entry.id, entry);
        if (!batch.log.empty()) last_id_ = batch.log.back().id;
        for (const Write& w : batch.writes) apply(w);
        number_ = batch.number;
        return {};
    }

    Result<Records> load() override {
        const std::lock_guard lock(mutex_);
        return records_;
    }

    Result<std::vector<LogEntry>> read_log(LogId after, std::size_t limit) override {
        const std::lock_guard lock(mutex_);
        std::vector<LogEntry> out;
        for (auto it = log_.upper_bound(after); it != log_.end() && out.size() < limit; ++it)
            out.push_back(it->second);
        return out;
    }

    Result<void> trim_log(LogId upto) override {
        const std::lock_guard lock(mutex_);
        log_.erase(log_.begin(), log_.upper_bound(upto));
        return {};
    }

private:
    void apply(const Write& w) {
        if (w.kind == Write::Kind::set) {
            records_[w.record][w.field] = w.value;
        } else if (w.kind == Write::Kind::erase_record) {
            records_.erase(w.record);
        } else if (const auto record = records_.find(w.record); record != records_.end()) {
            record->second.erase(w.field);
            if (record->second.empty()) records_.erase(record);
        }
    }

    std::mutex mutex_;    // guards all below: the audit thread reads the log while the store thread commits
    std::string leader_;  // empty: none
    std::uint64_t epoch_ = 0;
    std::uint64_t number_ = 0;
    std::uint64_t until_ms_ = 0;
    Records records_;
    std::map<LogId, LogEntry> log_;
    LogId last_id_;
};

}  // namespace

std::unique_ptr<JobStore> memory_store() {
    return std::make_unique<MemoryStore>();
}

}  // namespace sl::store
