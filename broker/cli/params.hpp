// What a job is asked to do, as options of `run` and `submit`.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "schema/result.hpp"

namespace sl::cli {

struct JobParams {
    std::string pipeline = "annotate", preset = "default", zones, rules;
    std::vector<std::string> set;

    void add_to(CLI::App& command);
    // The parameters over the preset's.
    Result<nlohmann::json> to_json() const;
};

// "name=value" → both halves.
std::pair<std::string, std::string> halves(const std::string& text);

// "7d", "12h", "30m", "90s" or "90" → seconds.
Result<double> seconds_of(const std::string& text);

}  // namespace sl::cli
