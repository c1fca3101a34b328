// The alert as JSON, the same in every sink: the fields of schema::Alert by name.
#pragma once

#include <string>

#include "schema/types.hpp"

namespace sl::alert {

// One line, no newline; broken UTF-8 becomes U+FFFD.
std::string as_json(const schema::Alert& alert);

}  // namespace sl::alert
