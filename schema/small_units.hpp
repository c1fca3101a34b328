// Messages of small units, many in one (PROTOCOL.md section 5): the unit `noop`, which is nothing but its
// token.
#pragma once

#include "schema/codec.hpp"
#include "schema/types.hpp"

namespace sl::schema {

struct NoopLeases {  // broker → worker: leases of one nonce
    std::string type = "noop_leases";
    std::uint64_t epoch = 0;
    std::uint64_t nonce = 0;
    std::vector<std::string> jobs;
    std::vector<std::int32_t> attempts;  // of each
    MSGPACK_DEFINE_MAP(type, epoch, nonce, jobs, attempts)
};
struct NoopsDone {  // worker → broker. Those that are not current change nothing
    std::string type = "noops_done";
    std::uint64_t req = 0;
    std::uint64_t nonce = 0;
    std::vector<std::string> jobs;
    MSGPACK_DEFINE_MAP(type, req, nonce, jobs)
};

}  // namespace sl::schema
