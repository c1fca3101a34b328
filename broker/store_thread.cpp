#include "broker/store_thread.hpp"

#include <poll.h>

#include "common/ids.hpp"
#include "common/log.hpp"
#include "common/thread_name.hpp"

namespace sl::broker {

StoreThread::StoreThread(store::JobStore& store, std::string broker, std::uint64_t epoch, std::int64_t ttl_ms)
    : store_(store), broker_(std::move(broker)), epoch_(epoch), ttl_ms_(ttl_ms), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
    stop_ = true;
    in_.close();
}

void StoreThread::trim(store::LogId upto) {
    const std::lock_guard lock(mutex_);
    trim_ = upto;
}

std::string StoreThread::why() const {
    const std::lock_guard lock(mutex_);
    return why_;
}

void StoreThread::run() {
    name_thread("broker.store");
    const auto renew_every = std::chrono::milliseconds(ttl_ms_ / 4);
    auto renew_at = Clock::now();
    store::LogId trimmed;
    const auto failed = [&](const Error& e) {
        if (!away_.exchange(true)) log::error("store_away", "{}", e.text());
        const std::lock_guard lock(mutex_);
        why_ = e.message;
    };
    const auto answered = [&] {
        if (away_.exchange(false)) log::info("store_back", "the store answers again");
    };
    while (true) {
        if (Clock::now() >= renew_at) {
            const auto lead = store_.lead(broker_, ttl_ms_);
            if (!lead) {
                failed(lead.error());
            } else {
                answered();
                if (!lead->leads || lead->epoch != epoch_) {  // another's, or ours anew after it ran out
                    out_.put({0, {Errc::stale, "the lead went to " + lead->leader, ""}, {}});
                    return;
                }
            }
            store::LogId upto;
            {
                const std::lock_guard lock(mutex_);
                upto = trim_;
            }
            if (upto > trimmed && store_.trim_log(upto)) trimmed = upto;
            renew_at = Clock::now() + renew_every;
        }
        pollfd p{in_.fd(), POLLIN, 0};
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(renew_at - Clock::now()).count();
        ::poll(&p, 1, int(std::max<std::int64_t>(0, wait)));
        auto batch = in_.try_take();
        if (!batch) {
            if (stop_) return;
            continue;
        }
        while (true) {
            const auto ok = store_.commit(*batch);
            if (ok) {
                answered();
                out_.put({batch->number, {}, std::move(batch->log)});
                break;
            }
            if (ok.error().code != Errc::unavailable && ok.error().code != Errc::timeout) {
                out_.put({0, ok.error(), {}});
                return;
            }
            failed(ok.error());
            if (stop_) return;
            std::this_thread::sleep_for(
                std::chrono::milliseconds(100));  // between tries of a store that is away
        }
    }
}

}  // namespace sl::broker
