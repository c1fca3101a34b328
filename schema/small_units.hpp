// Messages of small units, several in one (PROTOCOL.md section 5): the unit `noop`, which is nothing but its
// token.
#pragma once

#include "schema/codec.hpp"
#include "schema/types.hpp"

namespace sl::schema {

struct Tasks {  // broker → worker: leases
    std::string type = "tasks";
    std::uint64_t epoch = 0;
    std::vector<Token> tokens;
    MSGPACK_DEFINE_MAP(type, epoch, tokens)
};
struct UnitsDone {  // worker → broker. Those that are not current change nothing
    std::string type = "units_done";
    std::uint64_t req = 0;
    std::vector<Token> tokens;
    MSGPACK_DEFINE_MAP(type, req, tokens)
};

}  // namespace sl::schema
