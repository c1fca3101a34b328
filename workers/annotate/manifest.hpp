// outputs/{job}/manifest.json: what a job made, for viewers and scripts (schema/json/manifest.schema.json).
// A function of its arguments alone; but for the job's id the same input gives the same bytes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "schema/types.hpp"
#include "workers/annotate/exporter.hpp"

namespace sl::annotate {

struct StreamReport {
    std::string name;                   // StreamInfo.name: the folder of its files
    std::vector<Output> outputs;        // those without a path become warnings
    std::vector<std::string> warnings;  // "input_truncated", …
    schema::Counters counters;          // of the whole stream
};

struct JobReport {
    std::string job;
    std::string status;                          // "succeeded" "failed" "canceled"
    std::string reason;                          // of a failure; empty: none
    std::string program;                         // version of this program
    std::map<std::string, std::string> engines;  // by pool: what detected there
    std::vector<StreamReport> streams;           // by index in the job
};

// JSON text with a final line break. Paths are relative to the manifest's folder.
std::string manifest_json(const JobReport& report);

}  // namespace sl::annotate
