// The audit thread: copies the log into the audit trail, as fast as the trail takes it, for ever.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "common/mailbox.hpp"
#include "common/store/audit.hpp"

namespace sl::broker {

class AuditThread {
public:
    // `log` is read by this thread alone (a connection of its own). dedup false (a test that must fail): the
    // trail's own cursor is not asked.
    AuditThread(store::JobStore& log, store::Audit& audit, bool dedup = true);
    ~AuditThread();  // copies what is there, for a moment, then ends

    void wake() { bell_.put(0); }
    store::LogId position() const;  // everything up to it is kept
    bool away() const { return away_; }
    std::string why() const;

private:
    void run();
    bool copy();  // true: all of it

    store::JobStore& log_;
    store::Audit& audit_;
    const bool dedup_;
    Mailbox<int> bell_;
    std::atomic<bool> away_{false}, stop_{false};
    mutable std::mutex mutex_;
    store::LogId position_;  // guarded by mutex_
    std::string why_;        // guarded by mutex_
    std::jthread thread_;    // last: it uses all of the above
};

}  // namespace sl::broker
