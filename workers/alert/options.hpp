// A sink's own settings: Target.options, a JSON object, read with the mistakes named.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "workers/alert/sink.hpp"

namespace sl::alert {

// invalid_argument: no JSON object, or a key that is not among `known`; the hint lists them.
Result<nlohmann::json> read_options(const Target& target, const std::vector<std::string>& known);

// The string under `key`, or `fallback` when it is not there; invalid_argument when it is no string.
Result<std::string> text_option(const Target& target, const nlohmann::json& options, const std::string& key,
                                const std::string& fallback);

}  // namespace sl::alert
