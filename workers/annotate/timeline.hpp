// Media time as text. Integer arithmetic from ticks, so that the digits are the same on every machine.
#pragma once

#include <cstdint>
#include <string>

#include "schema/types.hpp"

namespace sl::annotate {

// Of a pts, from the stream's start; never negative.
std::int64_t microseconds(const schema::StreamInfo& stream, std::int64_t pts);

std::string seconds_text(std::int64_t microseconds);  // "12.345000"
std::string clock_text(std::int64_t microseconds);    // "00:00:12.345", hours as many as needed

}  // namespace sl::annotate
