#include "common/time_zone.hpp"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace sl {

Result<TimeZone> TimeZone::find(const std::string& name) {
    if (name == "UTC") return TimeZone(nullptr);
    try {
        return TimeZone(date::locate_zone(name));
    } catch (const std::exception& e) {
        return Error{Errc::invalid_argument,
                     "cannot use the time zone '" + name + "': the tz database does not have it",
                     "write a name as Europe/Berlin, or UTC; the package tzdata has them"};
    }
}

WallTime TimeZone::at(std::int64_t utc_ns) const {
    using namespace std::chrono;
    const auto utc = date::floor<seconds>(date::sys_time<nanoseconds>(nanoseconds(utc_ns)));
    const seconds offset =
        zone_ ? static_cast<const date::time_zone*>(zone_)->get_info(utc).offset : seconds(0);
    const auto local = utc.time_since_epoch() + offset;
    const auto day = date::floor<date::days>(local);
    const auto weekday = date::weekday(date::sys_days(day));
    return {int(weekday.iso_encoding()) - 1, int(duration_cast<minutes>(local - day).count())};
}

std::optional<int> minute_of_day(std::string_view text) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
        return std::nullopt;
    const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
    if (minute > 59 || hour * 60 + minute > 24 * 60) return std::nullopt;
    return hour * 60 + minute;
}

std::optional<int> weekday_of(std::string_view text) {
    constexpr std::array<std::string_view, 7> days{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    const auto at = std::ranges::find(days, text);
    if (at == days.end()) return std::nullopt;
    return int(at - days.begin());
}

}  // namespace sl
