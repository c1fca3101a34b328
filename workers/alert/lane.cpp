#include "workers/alert/lane.hpp"

#include "common/ids.hpp"
#include "common/log.hpp"
#include "common/thread_name.hpp"

namespace sl::alert {
namespace {

constexpr std::int64_t report_every_ns = 1'000'000'000;

}  // namespace

Lane::Lane(Target target, std::unique_ptr<Sink> sink, std::function<void(schema::Delivered)> report)
    : name_(target.name),
      report_(std::move(report)),
      delivery_(std::move(target), std::move(sink), random_u64()),
      thread_([this] { run(); }) {}

Lane::~Lane() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

void Lane::take(schema::Task task) {
    const std::lock_guard lock(mutex_);
    next_ = std::move(task);
    at_work_.reset();  // the broker gives one lease at a time: the one before is over
    changed_.notify_all();
}

void Lane::drop(const schema::Token& token) {
    const std::lock_guard lock(mutex_);
    if (next_ && next_->token == token) next_.reset();
    if (at_work_ == token) at_work_.reset();
    changed_.notify_all();
}

void Lane::hand_back() {
    const std::lock_guard lock(mutex_);
    handing_back_ = true;
    changed_.notify_all();
}

bool Lane::idle() const {
    const std::lock_guard lock(mutex_);
    return !next_ && !working_;
}

bool Lane::goes_on(const schema::Token& token) const {
    return !ended_ && !handing_back_ && at_work_ == token;
}

void Lane::run() {
    name_thread("alert." + name_);
    std::unique_lock lock(mutex_);
    while (!ended_) {
        if (!next_) {
            const auto every = delivery_.sink().idle_every();
            const auto called = [&] { return ended_ || next_; };
            if (every.count() == 0) {
                changed_.wait(lock, called);
            } else if (!changed_.wait_for(lock, every, called)) {
                lock.unlock();
                delivery_.sink().idle();
                lock.lock();
            }
            continue;
        }
        const schema::Task task = std::move(*next_);
        next_.reset();
        at_work_ = task.token;
        working_ = true;
        lock.unlock();
        deliver(task);
        lock.lock();
        at_work_.reset();
        working_ = false;
    }
}

void Lane::deliver(const schema::Task& task) {
    schema::Delivered r;
    r.token = task.token;
    r.ended = false;
    std::int64_t reported_ns = now_ns();
    const auto tell = [&](std::int64_t at_ns, bool must) {
        std::string state = delivery_.state(at_ns);
        if (!must && state == r.state && at_ns < reported_ns + report_every_ns) return;
        if (state != r.state && !r.state.empty())
            log::warn("breaker", "target={} state={} why={}", name_, state, delivery_.last_error());
        r.state = std::move(state);
        r.error = delivery_.last_error();
        reported_ns = at_ns;
        report_(r);
    };
    r.state = delivery_.state(reported_ns);
    while (std::size_t(r.taken) < task.alerts.size()) {
        {
            const std::lock_guard lock(mutex_);
            if (!goes_on(task.token)) break;
        }
        tell(now_ns(), false);
        const schema::Alert& alert = task.alerts[std::size_t(r.taken)];
        Delivery::Outcome out;
        try {
            out = delivery_.offer(alert, now_ns());
        } catch (const std::exception& e) {  // a broken promise of the sink: of this alert alone
            out = {Delivery::Fate::dead, 0, true, 1, std::string("the sink failed: ") + e.what()};
        }
        if (out.fate == Delivery::Fate::wait) {
            if (out.tried) {
                ++r.retried;
                log::debug("send_failed", "target={} alert={} attempts={} why={}", name_, alert.key(),
                           out.attempts, out.error);
            }
            const std::int64_t at_ns = now_ns();
            tell(at_ns, false);
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, std::chrono::nanoseconds(std::max<std::int64_t>(0, out.due_ns - at_ns)),
                              [&] { return !goes_on(task.token); });
            continue;
        }
        r.limited += out.fate == Delivery::Fate::limited;
        if (out.fate == Delivery::Fate::dead) r.dead.push_back({r.taken, out.attempts, out.error});
        ++r.taken;
    }
    {
        const std::lock_guard lock(mutex_);
        if (at_work_ != task.token) return;  // dropped: it is somebody else's now
    }
    r.ended = true;
    tell(now_ns(), true);
}

}  // namespace sl::alert
