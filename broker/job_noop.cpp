// Jobs of the pipeline `noop`: one unit, which one worker acknowledges. They have no streams and no files, so
// they end as soon as that is recorded, and there is nothing to sweep. They may come by the thousand a
// second: nothing here looks at more than the job at hand.
#include "broker/job_table.hpp"

namespace sl::broker {

using schema::Token;

namespace {
constexpr std::size_t max_ended_noops = 1000;  // kept for `jobs` and `job`
}

std::int64_t JobTable::noops_held(const std::string& worker) const {
    const auto held = noops_held_.find(worker);
    return held == noops_held_.end() ? 0 : std::int64_t(held->second.size());
}

// Keeps the indexes: call after a no-op's unit changed from `before`, and before its holder is forgotten.
void JobTable::noop_changed(Job& job, Unit::State before) {
    const auto now = job.scan.state;
    if (before == now || !job.noop()) return;
    if (before == Unit::State::pending) noops_.erase({-job.spec.priority, job.id()});
    if (now == Unit::State::pending) noops_.emplace(-job.spec.priority, job.id());
    if (now == Unit::State::leased) noops_held_[job.scan.holder].insert(job.id());
    if (before == Unit::State::leased)
        if (const auto at = noops_held_.find(job.scan.holder); at != noops_held_.end()) {
            at->second.erase(job.id());
            if (at->second.empty()) noops_held_.erase(at);
        }
}

std::optional<Token> JobTable::lease_noop(const std::string& holder, Journal& j) {
    if (noops_.empty()) return std::nullopt;
    Job& job = *find(noops_.begin()->second);
    job.state = JobState::running;
    if (job.started_ns == 0) {
        job.started_ns = now_ns();
        state_event(job, "job.started", j);
    }
    Token token = lease_unit(job, job.scan, "noop", holder, j);
    noop_changed(job, Unit::State::pending);
    return token;
}

Result<void> JobTable::noop_done(const Token& token, Journal& j) {
    if (auto ok = need_current(token, "noop"); !ok) {
        const Job* job = find(token.job);
        return job && job->state == JobState::succeeded && job->scan.token == token ? Result<void>{} : ok;
    }
    Job& job = *find(token.job);
    job.scan.state = Unit::State::done;
    noop_changed(job, Unit::State::leased);
    job.scan.holder.clear();
    finish(job, JobState::succeeded, j);
    noop_ended(job, j);
    return {};
}

void JobTable::noop_ended(Job& job, Journal& j) {
    job.swept = true;
    ended_noops_.push_back(job.id());
    while (ended_noops_.size() > max_ended_noops) {
        if (Job* old = find(ended_noops_.front())) erase_job(*old, j);
        ended_noops_.pop_front();
    }
}

}  // namespace sl::broker
