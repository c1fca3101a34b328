// Operation: one step of a job's chain that says which part of the displayed frame detection sees. One file
// in operations/ is one plug-in: it defines a row `extern const OperationPlugin operation_<file stem>`.
#pragma once

#include <span>

#include "schema/result.hpp"
#include "schema/types.hpp"
#include "workers/preprocess/geometry.hpp"

namespace sl::preprocess {

struct OperationPlugin {
    const char* name;
    const char* help;  // with its arguments and their ranges
    // invalid_argument: an argument is missing, unknown or out of range. Called at admission and at open.
    Result<void> (*check)(const schema::Operation& operation);
    // The part of `canvas` that is left of `seen`; both in canvas pixels. Pure; arguments were checked.
    Rect (*apply)(const schema::Operation& operation, const Rect& canvas, const Rect& seen);
};

std::span<const OperationPlugin* const> operation_table();

// Refuses unknown operations and wrong arguments of a whole chain.
Result<void> check_operations(std::span<const schema::Operation> operations);
// What is seen after the whole chain. The chain was checked.
Rect seen_part(std::span<const schema::Operation> operations, const Rect& canvas);

}  // namespace sl::preprocess
