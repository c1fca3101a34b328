// Pieces of JSON that several exporters write, bit by bit and so with the same bytes everywhere.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "schema/types.hpp"

namespace sl::annotate {

// On one line. Bytes that are no UTF-8 (file names may hold any) become U+FFFD.
std::string json_text(const nlohmann::ordered_json& value);

// `v`, or 0 where JSON has no such number.
double finite(double v);

// {"name", "width", "height", "frame_rate", "time_base", "frames"} of a stream.
nlohmann::ordered_json stream_json(const schema::StreamInfo& stream);

}  // namespace sl::annotate
