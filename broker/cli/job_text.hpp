// Jobs and alerts as lines for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sl::cli {

std::string job_line(const nlohmann::json& job);  // one row of `jobs`
std::string job_header();                         // its heading
std::string job_text(const nlohmann::json& job);  // `job ID`, but for its frames
std::string frames_text(
    const nlohmann::json& job);  // what became of each frame, stage by stage; "": not known
std::string alert_line(const nlohmann::json& body);  // the body of an alert event
std::string time_text(std::int64_t ns);              // UTC, "-" for 0

// What the program's exit status is for a job in this state; exit_ok for one that has not ended.
int job_exit_code(const nlohmann::json& job);

}  // namespace sl::cli
