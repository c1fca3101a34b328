// What an alert worker reports of a lease `deliver` (PROTOCOL.md section 5).
#pragma once

#include "schema/mapping.hpp"
#include "schema/types.hpp"

namespace sl::schema {

struct GivenUp {             // one alert of the task that its target will not get by itself
    std::int32_t index = 0;  // in Task.alerts
    std::int32_t attempts = 0;
    std::string error;
    MSGPACK_DEFINE_MAP(index, attempts, error)
};
// Everything counts from the beginning of the lease, so that a report may be lost or come twice. Reports of a
// lease that goes on (`ended` false) are sent once; the last one is a request.
struct Delivered {
    std::string type = "delivered";
    std::uint64_t req = 0;
    Token token;
    std::int32_t taken = 0;    // alerts of the task, in its order, that are finished: sent, limited, given up
    std::int32_t limited = 0;  // of them: over the target's max_per_minute
    std::vector<GivenUp> dead;  // of them
    std::int64_t retried = 0;   // sends that failed and are made again
    std::string state;          // of the target's breaker: "closed" "open" "half_open"
    std::string error;          // why the last send failed; empty: it did not
    bool ended = true;
    MSGPACK_DEFINE_MAP(type, req, token, taken, limited, dead, retried, state, error, ended)
};

}  // namespace sl::schema
