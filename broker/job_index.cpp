#include "broker/job_index.hpp"

#include <iterator>

namespace sl::broker {

void JobIndex::update(Job& job) {
    made_ = true;
    erase(job);
    const auto open = [](const Unit& u) {
        return u.state == Unit::State::pending || u.state == Unit::State::leased;
    };
    if (is_terminal(job.state)) ended_.insert({job.ended_ns, job.id()});
    if (job.state == JobState::running) running_.insert(&job);
    if (open(job.final) || open(job.sweep)) ending_.insert(&job);
    if (job.state != JobState::queued) return;
    queued_[job.spec.priority].insert(&job);
    waiting_[job.spec.priority][job.spec.tenant].insert(&job);
    ++queued_count_;
}

void JobIndex::erase(Job& job) {
    running_.erase(&job);
    ending_.erase(&job);
    ended_.erase({job.ended_ns, job.id()});
    const auto queued = queued_.find(job.spec.priority);
    if (queued == queued_.end() || !queued->second.erase(&job)) return;
    --queued_count_;
    if (queued->second.empty()) queued_.erase(queued);
    const auto waiting = waiting_.find(job.spec.priority);
    const auto tenant = waiting->second.find(job.spec.tenant);
    tenant->second.erase(&job);
    if (tenant->second.empty()) waiting->second.erase(tenant);
    if (waiting->second.empty()) waiting_.erase(waiting);
}

std::size_t JobIndex::ahead(const Job& job) const {
    std::size_t n = 0;
    for (const auto& [priority, jobs] : queued_) {
        if (priority < job.spec.priority) break;
        if (priority > job.spec.priority)
            n += jobs.size();
        else if (*jobs.rbegin() == &job)  // the youngest: who was just submitted
            n += jobs.size() - 1;
        else
            n += std::size_t(std::distance(jobs.begin(), jobs.find(const_cast<Job*>(&job))));
    }
    return n;
}

}  // namespace sl::broker
