// JobIndex: which jobs are waiting, running, ended, so that nobody looks through all of them. Kept by the job
// table; derived from its jobs, never stored.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "broker/job.hpp"

namespace sl::broker {

struct ByAge {
    bool operator()(const Job* a, const Job* b) const {
        return std::tie(a->spec.submitted_ns, a->spec.job) < std::tie(b->spec.submitted_ns, b->spec.job);
    }
};

class JobIndex {
public:
    using Jobs = std::set<Job*, ByAge>;

    JobIndex() = default;
    // It points into the table that made it: the copy of a table makes its own.
    JobIndex(const JobIndex&) {}
    JobIndex& operator=(const JobIndex&) { return *this = JobIndex(); }
    JobIndex(JobIndex&&) = default;
    JobIndex& operator=(JobIndex&&) = default;

    void update(Job& job);
    void erase(Job& job);
    bool made() const { return made_; }

    template <typename T>
    using ByPriority = std::map<std::int32_t, T, std::greater<>>;

    const ByPriority<Jobs>& queued() const { return queued_; }
    const ByPriority<std::map<std::string, Jobs>>& waiting() const { return waiting_; }  // queued, by tenant
    std::size_t queued_count() const { return queued_count_; }
    std::size_t running_count() const { return running_.size(); }
    const Jobs& running() const { return running_; }
    const Jobs& ending() const { return ending_; }  // their final or sweep is pending or leased
    // How many queued jobs begin before this one.
    std::size_t ahead(const Job& job) const;
    const std::set<std::pair<std::int64_t, std::string>>& ended() const { return ended_; }  // by when

private:
    bool made_ = false;
    Jobs running_, ending_;
    ByPriority<Jobs> queued_;
    ByPriority<std::map<std::string, Jobs>> waiting_;
    std::size_t queued_count_ = 0;
    std::set<std::pair<std::int64_t, std::string>> ended_;
};

}  // namespace sl::broker
