// Fetch: a model file from the network, whole and verified or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/model/manifest.hpp"
#include "schema/result.hpp"

namespace sl::model {

struct FetchOptions {
    std::int64_t connect_timeout_ms = 5000;
    std::int64_t stall_timeout_ms = 20000;  // gives up when nothing arrives for this long (seen within 1 s)
    std::int64_t max_bytes = std::int64_t(4) << 30;
    // Called while bytes arrive; total is 0 when the server does not say. False: stop (Errc::canceled).
    std::function<bool(std::int64_t done, std::int64_t total)> progress;
};

// Downloads `url` (http or https) to `path`. Bytes go to "PATH.part"; the file appears under its name only
// when it has this sha256, durably. A broken fetch leaves the part file and the next one goes on from there,
// if the server can. One fetch of a file at a time: another process's is Errc::conflict. Blocks; any thread.
// not_found: the server has no such file. unavailable, timeout: worth a retry. invalid_argument: the file is
// another than asked for (nothing is kept).
Result<void> fetch(const std::string& url, const std::string& sha256, const std::string& path,
                   const FetchOptions& options);

// The model's file into `folder` (made if it is not there), from the first of its URLs that has it. Returns
// its path; the error names every URL and what was wrong with it.
Result<std::string> fetch_model(const Manifest& manifest, const std::string& folder,
                                const FetchOptions& options);

}  // namespace sl::model
