#include "workers/preprocess/operation.hpp"

#include <string>

namespace sl::preprocess {
namespace {

const OperationPlugin* find(const std::string& name) {
    for (const auto* row : operation_table())
        if (name == row->name) return row;
    return nullptr;
}

}  // namespace

Result<void> check_operations(std::span<const schema::Operation> operations) {
    for (const auto& operation : operations) {
        if (const auto* row = find(operation.op)) {
            if (auto fine = row->check(operation); !fine) return fine.error();
            continue;
        }
        std::string names;
        for (const auto* row : operation_table()) names += std::string(names.empty() ? "" : ", ") + row->name;
        return Error{Errc::invalid_argument, "there is no operation '" + operation.op + "'",
                     "known are: " + names};
    }
    return {};
}

Rect seen_part(std::span<const schema::Operation> operations, const Rect& canvas) {
    Rect seen = canvas;
    for (const auto& operation : operations) seen = find(operation.op)->apply(operation, canvas, seen);
    return seen;
}

}  // namespace sl::preprocess
