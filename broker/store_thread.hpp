// The store thread: commits batches in order, keeps the lead, repeats what got no answer.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "common/mailbox.hpp"
#include "common/store/job_store.hpp"

namespace sl::broker {

class StoreThread {
public:
    // The store is this thread's alone until the object dies.
    StoreThread(store::JobStore& store, std::string broker, std::uint64_t epoch, std::int64_t ttl_ms);
    ~StoreThread();

    void commit(store::Batch batch) { in_.put(std::move(batch)); }
    // Up to this entry the log may be forgotten.
    void trim(store::LogId upto);

    struct Outcome {
        std::uint64_t number =
            0;  // of the batch that is durable now; 0: the lead is lost, or the store refused
        Error error;
        std::vector<store::LogEntry> log;  // of that batch
    };
    Mailbox<Outcome>& outcomes() { return out_; }
    bool away() const { return away_; }  // the store does not answer
    std::string why() const;

private:
    void run();

    store::JobStore& store_;
    const std::string broker_;
    const std::uint64_t epoch_;
    const std::int64_t ttl_ms_;
    Mailbox<store::Batch> in_;
    Mailbox<Outcome> out_;
    std::atomic<bool> away_{false}, stop_{false};
    mutable std::mutex mutex_;
    std::string why_;      // guarded by mutex_
    store::LogId trim_;    // guarded by mutex_
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace sl::broker
