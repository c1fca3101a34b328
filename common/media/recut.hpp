// Recut: a file that cannot be cut → its lossless intermediate.
#pragma once

#include <string>
#include <vector>

#include "common/media/lossless.hpp"

namespace sl::media {

// Decodes the file once, in order, into options.recut_path. `times`: when the container's pts are missing or
// wrong, the n-th frame is shown at the n-th of these (rising); empty: pts are used, made to rise.
// Not best_effort_timestamp: it lags by the reorder delay and is missing on the last frames.
Result<RowTable> recut_file(const std::string& path, const std::vector<std::int64_t>& times,
                            const ScanOptions& options);

}  // namespace sl::media
