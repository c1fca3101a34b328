// The audit thread: copies the log into the audit trail, as fast as the trail takes it, for ever.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/ids.hpp"
#include "common/mailbox.hpp"
#include "common/store/audit.hpp"

namespace sl::broker {

class AuditThread {
public:
    // `log` is read by this thread alone (a connection of its own). dedup false (a test that must fail): the
    // trail's own cursor is not asked.
    AuditThread(store::JobStore& log, store::Audit& audit, bool dedup = true);
    ~AuditThread();  // copies what is there, for two seconds at most, then ends

    // Entries that are in the log now. While this thread keeps up it need not read them from there.
    void feed(const std::vector<store::LogEntry>& entries);
    store::LogId position() const;  // everything up to it is kept
    // Asks, until it is answered, for the registry that the trail keeps, once it has all of today's log;
    // then registry() has it, once.
    void ask_registry();
    std::optional<store::Registry> registry() { return registry_.try_take(); }
    bool away() const;  // it refuses, or a call of it takes over two seconds
    std::string why() const;

private:
    void run();
    bool copy();  // true: all of it
    template <typename Call>
    auto timed(Call call);  // notes that the trail is asked, and since when
    // Of what was fed, the entries that directly follow `at`.
    std::vector<store::LogEntry> fed_after(store::LogId at);

    store::JobStore& log_;
    store::Audit& audit_;
    const bool dedup_;
    Mailbox<std::vector<store::LogEntry>> fed_;
    Mailbox<store::Registry> registry_;
    std::atomic<bool> registry_wanted_{false};
    std::atomic<std::size_t> waiting_{0};  // entries in it
    bool behind_ = true;                   // something in the log was not fed; of this thread alone
    std::atomic<bool> away_{false}, stop_{false}, given_up_{false};
    std::atomic<Clock::rep> asked_{0};  // since when the trail owes an answer; 0: it does not
    mutable std::mutex mutex_;
    store::LogId position_;  // guarded by mutex_
    std::string why_;        // guarded by mutex_
    bool ended_ = false;     // guarded by mutex_
    std::condition_variable end_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace sl::broker
