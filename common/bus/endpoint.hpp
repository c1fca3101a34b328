// Endpoints: one names a broker (its jobs socket); the others follow from it (PROTOCOL.md section 2).
#pragma once

#include <string>

#include "schema/result.hpp"

namespace sl::bus {

struct BrokerEndpoints {
    std::string jobs;
    std::string workers;
    std::string events;
};

// tcp://HOST:PORT, ipc://PATH or inproc://NAME; anything else is invalid_argument.
Result<BrokerEndpoints> broker_endpoints(const std::string& endpoint);

}  // namespace sl::bus
