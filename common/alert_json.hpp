// An alert as one line of JSON: the body of its event, of its audit row, and what sinks write
// (PROTOCOL.md section 4, schema/json/alert.schema.json). The fields are those of schema::Alert by name, and
// its key().
#pragma once

#include <optional>
#include <string>

#include "schema/types.hpp"

namespace sl {

// No newline; broken UTF-8 becomes U+FFFD.
std::string alert_json(const schema::Alert& alert);
// Nothing: it is no alert. Fields that a text of an older version lacks keep their defaults.
std::optional<schema::Alert> alert_from_json(const std::string& text);

}  // namespace sl
