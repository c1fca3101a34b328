// Local paths as the fleet names them: root and path below it.
#pragma once

#include <string>

#include "common/config.hpp"
#include "schema/types.hpp"

namespace sl::cli {

// A path of this machine below one of the configured roots (the deepest that holds it), or "ROOT:PATH" as it
// is. not_found: there is no such file here (unless `may_be_missing`); invalid_argument: it lies outside
// every root.
Result<schema::Input> locate(const config::Config& config, const std::string& path,
                             bool may_be_missing = false);

// The folder of this machine that root and path name; empty when the root is not configured here.
std::string local_path(const config::Config& config, const std::string& root, const std::string& path);

}  // namespace sl::cli
