// Following one job to its end: progress, alerts as they arrive, the job as it ended.
#pragma once

#include <optional>
#include <string>

#include "broker/cli/context.hpp"

namespace sl::cli {

struct Follow {
    std::string job;
    std::string since = {};           // event id: alerts after it are shown too, "" only new ones
    bool alerts = true;               // print them
    std::optional<double> limit_s{};  // give up after this (exit_timeout)
};

// Prints and returns the exit status: the job's, or why it could not be followed.
int follow(Context& context, const Follow& what);

}  // namespace sl::cli
