// YAML files as trees with line numbers, and as JSON values.
#pragma once

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <string>

#include "schema/result.hpp"

namespace sl::yaml {

// not_found, io, or invalid_argument with "FILE:LINE: why".
Result<YAML::Node> load(const std::string& path);

// Plain scalars become null, bool, number or string; quoted ones stay strings. Keys keep their order.
nlohmann::ordered_json to_json(const YAML::Node& node);

// The other way, for people to read and load() to read back.
std::string from_json(const nlohmann::ordered_json& value);

// "FILE:LINE"
std::string place(const std::string& path, const YAML::Node& node);

}  // namespace sl::yaml
