// Fields of a client's request, checked.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "schema/result.hpp"

namespace sl::broker {

// A field of a request, with its default; a wrong type is an error that names it.
template <typename T>
Result<T> field(const nlohmann::json& body, const char* name, T fallback) {
    const auto it = body.find(name);
    if (it == body.end()) return fallback;
    try {
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {  // nlohmann would wrap it around
            const bool fits = it->is_number_unsigned()
                                  ? std::in_range<T>(it->get<std::uint64_t>())
                                  : it->is_number_integer() && std::in_range<T>(it->get<std::int64_t>());
            if (!fits)
                return Error{Errc::invalid_argument,
                             "field '" + std::string(name) + "' is no integer of its range",
                             "see PROTOCOL.md section 3"};
        }
        return it->get<T>();
    } catch (const nlohmann::json::exception&) {
        return Error{Errc::invalid_argument,
                     "field '" + std::string(name) + "' has the wrong type (" + it->type_name() + ")",
                     "see PROTOCOL.md section 3"};
    }
}

}  // namespace sl::broker
