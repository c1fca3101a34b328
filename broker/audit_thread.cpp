#include "broker/audit_thread.hpp"

#include <poll.h>

#include "common/log.hpp"
#include "common/thread_name.hpp"

namespace sl::broker {

AuditThread::AuditThread(store::JobStore& log, store::Audit& audit, bool dedup)
    : log_(log), audit_(audit), dedup_(dedup), thread_([this] { run(); }) {}

AuditThread::~AuditThread() {
    stop_ = true;
    bell_.close();
}

store::LogId AuditThread::position() const {
    const std::lock_guard lock(mutex_);
    return position_;
}
std::string AuditThread::why() const {
    const std::lock_guard lock(mutex_);
    return why_;
}

bool AuditThread::copy() {
    const auto failed = [&](const Error& e) {
        if (!away_.exchange(true)) log::error("audit_away", "{}", e.text());
        const std::lock_guard lock(mutex_);
        why_ = e.message;
        return false;
    };
    auto at = dedup_ ? audit_.position() : position();
    if (!at) return failed(at.error());
    while (true) {
        const auto entries = log_.read_log(*at, 1000);
        if (!entries) return failed(entries.error());
        if (!entries->empty()) {
            if (const auto ok = audit_.append(*entries); !ok) return failed(ok.error());
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
        const bool all = copy();
        // Rung when there is more; otherwise look again now and then, for a trail that was away.
        pollfd p{bell_.fd(), POLLIN, 0};
        ::poll(&p, 1, all ? 5000 : 500);
        while (bell_.try_take()) {
        }
    }
    copy();
}

}  // namespace sl::broker
