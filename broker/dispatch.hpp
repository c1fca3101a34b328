// Dispatch: which pending unit goes to which worker now. Pure policy over the job table and the members;
// the broker carries out what it proposes. Rules 13 to 17 of PROTOCOL.md section 8.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/job_table.hpp"
#include "broker/members.hpp"

namespace sl::broker {

struct DispatchLimits {
    std::int64_t running_jobs = 16;
    std::int64_t chunks_in_flight = 8;  // of one job; also how far ahead of the turn chunk it may reach
};

struct Grant {
    std::string unit;  // "scan" "chunk" "final" "sweep" "deliver"
    std::string job;   // deliver: the target
    std::int32_t stream = -1;
    std::int64_t seq = 0;
    std::string worker;
};

// The grants of one turn of the broker's loop: made anew each turn, at the cost of the jobs that run or end
// (not of those that wait or are over).
class Dispatch {
public:
    // Everything is borrowed for its life. Job::share is kept here.
    Dispatch(JobTable& table, const Members& members, const DispatchLimits& limits, Clock::time_point now);

    // The next grant, or none. It must be carried out before the next call.
    std::optional<Grant> next();

private:
    // A running job that may be granted chunks.
    struct Taker {
        Job* job;
        std::int64_t in_flight, done, started;  // chunks
        double weight;                          // pixels of an average chunk
        std::int64_t share() const { return done + job->share.offset; }
    };
    bool workable(const Job& job) const;
    bool ready(const Unit& unit) const;
    std::optional<std::string> take_free(const std::string& stage);
    std::optional<Grant> deliver();
    std::optional<Grant> ending();
    std::optional<Grant> scan();
    std::optional<Grant> chunk();
    void join();
    bool before(const Taker& a, const Taker& b) const;
    bool may_begin_another(const Taker& taker) const;
    const std::string* home(bool turn) const;

    JobTable& table_;
    const Members& members_;
    const DispatchLimits& limits_;
    const Clock::time_point now_;

    std::map<std::string, std::vector<std::string>> free_;  // by stage: workers without a unit
    std::map<std::string, std::string> served_;             // pools, and their engines
    std::vector<std::string> homes_;
    std::int64_t slots_ = 0;                       // of all homes
    std::int64_t running_ = 0;                     // jobs that hold a place
    std::map<std::string, std::int64_t> tenants_;  // chunks and scans in flight
    std::vector<Taker> takers_;
};

}  // namespace sl::broker
