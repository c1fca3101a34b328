#include "broker/audit_thread.hpp"

#include <poll.h>

#include "common/log.hpp"
#include "common/thread_name.hpp"

namespace sl::broker {
namespace {
constexpr std::size_t append_most = 5000;  // entries of one transaction
constexpr std::chrono::seconds patience{2};
}  // namespace

AuditThread::AuditThread(store::JobStore& log, store::Audit& audit, bool dedup)
    : log_(log), audit_(audit), dedup_(dedup), thread_([this] { run(); }) {}

AuditThread::~AuditThread() {
    stop_ = true;
    fed_.close();
    // What the trail lacks stays in the log: one that is away or frozen is not waited for.
    std::unique_lock lock(mutex_);
    if (end_.wait_for(lock, patience, [&] { return ended_; })) return;
    lock.unlock();
    given_up_ = true;
    audit_.interrupt();
}

bool AuditThread::away() const {
    const auto asked = asked_.load();
    return away_ || (asked != 0 && Clock::now().time_since_epoch() - Clock::duration(asked) > patience);
}

template <typename Call>
auto AuditThread::timed(Call call) {
    asked_ = Clock::now().time_since_epoch().count();
    auto result = call();
    if (result) asked_ = 0;  // else once it is said to be away: it must not look back for a moment
    return result;
}

store::LogId AuditThread::position() const {
    const std::lock_guard lock(mutex_);
    return position_;
}
std::string AuditThread::why() const {
    const std::lock_guard lock(mutex_);
    return away_ || !away() ? why_ : "it does not answer";
}

void AuditThread::feed(const std::vector<store::LogEntry>& entries) {
    // More than this it reads from the log again, when it gets there; the empty batch still wakes it.
    constexpr std::size_t most = 50'000;
    const bool room = waiting_ < most;
    if (room) waiting_ += entries.size();
    fed_.put(room ? entries : std::vector<store::LogEntry>{});
}

void AuditThread::ask_registry() {
    registry_wanted_ = true;
    feed({});
}

std::vector<store::LogEntry> AuditThread::fed_after(store::LogId at) {
    std::vector<store::LogEntry> found;
    while (found.size() < append_most) {
        auto more = fed_.try_take();
        if (!more) break;
        waiting_ -= more->size();
        if (more->empty()) behind_ = true;
        for (auto& entry : *more) {
            if (entry.id <= at) continue;  // read from the log before it came here
            // Ids rise by one within a term: after a gap the log has to say what was in it.
            if (entry.id != store::LogId{at.epoch, at.n + 1}) behind_ = true;
            if (behind_) break;
            at = entry.id;
            found.push_back(std::move(entry));
        }
        if (behind_) break;
    }
    return found;
}

bool AuditThread::copy() {
    const auto failed = [&](const Error& e) {
        if (!away_.exchange(true)) log::error("audit_away", "{}", e.text());
        asked_ = 0;
        behind_ = true;
        const std::lock_guard lock(mutex_);
        why_ = e.message;
        return false;
    };
    auto at = dedup_ ? timed([&] { return audit_.position(); }) : position();
    if (!at) return failed(at.error());
    while (true) {
        if (given_up_) return false;
        Result<std::vector<store::LogEntry>> entries = fed_after(*at);
        if (entries->empty() && behind_) {
            entries = log_.read_log(*at, append_most);
            if (!entries) return failed(entries.error());
            behind_ = !entries->empty();
        }
        if (!entries->empty()) {
            const auto ok = timed([&] { return audit_.append(*entries); });
            if (!ok) return failed(ok.error());
            *at = entries->back().id;
        }
        {
            const std::lock_guard lock(mutex_);
            position_ = *at;
        }
        if (away_.exchange(false)) log::info("audit_back", "the audit trail takes rows again");
        if (entries->empty()) return true;
    }
}

void AuditThread::run() {
    name_thread("broker.audit");
    while (!stop_) {
        bool all = copy();
        if (all && registry_wanted_) {
            auto registry = timed([&] { return audit_.registry(); });
            asked_ = 0;
            all = bool(registry);  // not yet: asked again
            if (registry) {
                registry_wanted_ = false;
                registry_.put(std::move(*registry));
            }
        }
        if (stop_) break;  // closing the mailbox rang before the copy emptied it
        // Rung when there is more; otherwise look again now and then, for a trail that was away.
        pollfd p{fed_.fd(), POLLIN, 0};
        ::poll(&p, 1, all ? 5000 : 500);
    }
    if (!given_up_) copy();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    end_.notify_all();
}

}  // namespace sl::broker
