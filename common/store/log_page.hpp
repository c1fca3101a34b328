// A page: many log entries as one value (schema/redis/KEYS.md, section log).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/job_store.hpp"

namespace sl::store {

// Empty for no entries.
std::string pack_page(std::span<const LogEntry> entries);
// Appends those after `after` to `out`. bad_message: it is no page.
Result<void> unpack_page(std::string_view page, LogId after, std::vector<LogEntry>& out);

}  // namespace sl::store
