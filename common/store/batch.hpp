// What every store asks of a batch before it looks at it.
#pragma once

#include "common/store/job_store.hpp"

namespace sl::store {

inline constexpr std::size_t max_batch_items = 200'000;     // writes and log entries together
inline constexpr std::size_t max_batch_bytes = 256u << 20;  // keys and values together

// invalid_argument: no epoch or number, log ids that do not rise, or more than the limits above.
Result<void> check(const Batch& batch);

// The refusals that both stores share, in the same words.
Error stale_epoch(const Batch& batch, const std::string& leader_epoch);
Error lost_batches(const Batch& batch, const std::string& last_number);
Error old_log_id(const Batch& batch);

}  // namespace sl::store
