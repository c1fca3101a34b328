// The clock on the wall somewhere: for the hours of rules. Zones are those of the system's tz database, read
// by Howard Hinnant's date library (g++ 12 has no std::chrono::tzdb).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/result.hpp"

namespace sl {

struct WallTime {
    int weekday = 0;  // 0: Monday … 6: Sunday
    int minute = 0;   // of the day, 0 … 1439
    bool operator==(const WallTime&) const = default;
};

class TimeZone {
public:
    // "Europe/Berlin"; "UTC" needs no database. invalid_argument: there is no such zone here.
    static Result<TimeZone> find(const std::string& name);

    WallTime at(std::int64_t utc_ns) const;

private:
    explicit TimeZone(const void* zone) : zone_(zone) {}
    const void* zone_;  // date::time_zone, which lives as long as the process; null: UTC
};

// "07:30" → 450; "24:00" → 1440. Nothing: it is no time of a day.
std::optional<int> minute_of_day(std::string_view text);
// "mon" → 0 … "sun" → 6. Nothing: it is no day.
std::optional<int> weekday_of(std::string_view text);

}  // namespace sl
