// Ids and clocks. ULIDs (github.com/ulid/spec): 48 bits of milliseconds, 80 random bits, sortable by time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sl {

using Clock = std::chrono::steady_clock;  // deadlines; never stored, never sent

std::string make_ulid();
std::uint64_t random_u64();
std::int64_t now_ns();        // UTC
std::string host_identity();  // the same text on one running machine
std::string process_identity();
const std::string& commit();  // of this build

}  // namespace sl
