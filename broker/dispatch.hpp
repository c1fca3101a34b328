// Dispatch: which pending unit goes to which worker now. Pure policy over the job table and the members;
// the broker carries out what it proposes. Rules 13 to 17 of PROTOCOL.md section 8.
#pragma once

#include <optional>
#include <string>

#include "broker/job_table.hpp"
#include "broker/members.hpp"

namespace sl::broker {

struct DispatchLimits {
    std::int64_t running_jobs = 16;
    std::int64_t chunks_in_flight = 8;  // of one job; also how far ahead of the turn chunk it may reach
};

struct Grant {
    std::string unit;  // "scan" "chunk" "final" "sweep" "deliver"
    std::string job;
    std::int32_t stream = -1;
    std::int64_t seq = 0;
    std::string worker;
};

// The next grant, or none. Call until none: each call sees the state that the last grant left.
std::optional<Grant> next_grant(const JobTable& table, const Members& members, const DispatchLimits& limits,
                                Clock::time_point now);

}  // namespace sl::broker
