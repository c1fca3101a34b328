#include "common/zone_json.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/spelling.hpp"
#include "common/time_zone.hpp"
#include "common/yaml.hpp"

namespace sl {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using schema::Point;

constexpr std::size_t most_points = 100;
constexpr std::size_t longest_name = 64;
constexpr double farthest_pixel = 100'000;
constexpr double most_a_minute = 600;

Error wrong(const std::string& message, const std::string& hint = "") {
    return Error{Errc::invalid_argument, message, hint};
}

Result<void> check_keys(const json& value, const std::string& what, const std::vector<std::string>& keys) {
    if (!value.is_object())
        return wrong(value.dump() + ", which is no map, is given as a " + what,
                     "a " + what + " is a map of " + join(keys));
    for (const auto& [key, unused] : value.items())
        if (std::find(keys.begin(), keys.end(), key) == keys.end())
            return wrong("a " + what + " has '" + key + "', which is no key of it", did_you_mean(key, keys));
    return {};
}

// '/' would make two names of state one; control characters break lines of text.
Result<void> check_name(const std::string& name, const std::string& what) {
    const bool bad =
        name.empty() || name.size() > longest_name ||
        std::any_of(name.begin(), name.end(), [](char c) { return c == '/' || (c >= 0 && c < ' '); });
    if (bad)
        return wrong("a " + what + " has the name '" + name + "'",
                     "give it one of 1 to " + std::to_string(longest_name) + " characters without '/'");
    return {};
}

Result<void> check_choice(const std::string& where, const std::string& value,
                          const std::vector<std::string>& choices) {
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
    return wrong(where + " is '" + value + "', which is no choice", did_you_mean(value, choices));
}

// > 0: c lies right of the way from a to b, on a screen whose y grows downwards.
double turn(const Point& a, const Point& b, const Point& c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}
bool between(const Point& a, const Point& b, const Point& c) {  // c, on the line through a and b
    return std::min(a.x, b.x) <= c.x && c.x <= std::max(a.x, b.x) && std::min(a.y, b.y) <= c.y &&
           c.y <= std::max(a.y, b.y);
}
bool touch(const Point& a, const Point& b, const Point& c, const Point& d) {
    const auto sign = [](double v) { return (v > 0) - (v < 0); };
    const int abc = sign(turn(a, b, c)), abd = sign(turn(a, b, d));
    const int cda = sign(turn(c, d, a)), cdb = sign(turn(c, d, b));
    if (abc * abd < 0 && cda * cdb < 0) return true;
    return (abc == 0 && between(a, b, c)) || (abd == 0 && between(a, b, d)) ||
           (cda == 0 && between(c, d, a)) || (cdb == 0 && between(c, d, b));
}

// Edges are numbered from 1, as a person counts: edge i goes from point i to the next.
Result<void> check_simple(const std::string& where, const std::vector<Point>& p) {
    const std::size_t n = p.size();
    for (std::size_t i = 0; i < n; ++i)
        if (p[i] == p[(i + 1) % n] && (n > 2 || i == 0))
            return wrong(where + " has the same point twice in a row, at " + std::to_string(i + 1),
                         "leave one out; an area is closed by itself");
    if (n == 2) return {};
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j) {
            const Point &a = p[i], &b = p[(i + 1) % n], &c = p[j], &d = p[(j + 1) % n];
            bool bad = false;
            if (j == i + 1)  // neighbours share b: bad only if d lies back on the way
                bad = turn(a, b, d) == 0 && (d.x - b.x) * (a.x - b.x) + (d.y - b.y) * (a.y - b.y) > 0;
            else if (i == 0 && j == n - 1)  // they share a
                bad = turn(a, b, c) == 0 && (c.x - a.x) * (b.x - a.x) + (c.y - a.y) * (b.y - a.y) > 0;
            else
                bad = touch(a, b, c, d);
            if (bad)
                return wrong(where + " crosses itself: edge " + std::to_string(i + 1) + " meets edge " +
                                 std::to_string(j + 1),
                             "list the corners in the order in which one walks around it");
        }
    return {};
}

Result<void> check(const schema::Zone& zone) {
    const std::string where = "zone '" + zone.name + "'";
    if (auto ok = check_name(zone.name, "zone"); !ok) return ok;
    if (auto ok = check_choice(where + ": inside", zone.inside, {"bottom_center", "center", "overlap"}); !ok)
        return ok;
    if (!(zone.overlap > 0 && zone.overlap <= 1))
        return wrong(where + ": overlap is " + json(zone.overlap).dump() + ", out of range",
                     "give a share of the box, above 0, at most 1");
    if (zone.points.size() < 2 || zone.points.size() > most_points)
        return wrong(where + " has " + std::to_string(zone.points.size()) + " points",
                     "an area has 3 to " + std::to_string(most_points) + ", a line 2");
    for (const Point& p : zone.points) {
        const auto good = [&](double v) {
            return zone.relative ? v >= 0 && v <= 1 : std::abs(v) <= farthest_pixel;
        };
        if (!good(p.x) || !good(p.y))
            return wrong(where + " has the point " + json{p.x, p.y}.dump() + ", out of range",
                         zone.relative ? "relative points are fractions of the picture, 0 to 1; write "
                                         "relative: false for pixels"
                                       : "pixels are counted from the top left corner of the picture");
    }
    return check_simple(where, zone.points);
}

Result<void> check(const schema::Hours& hours, const std::string& where) {
    for (const std::string& day : hours.days)
        if (!weekday_of(day))
            return wrong(where + ": schedule has the day '" + day + "'",
                         did_you_mean(day, {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}));
    const auto from = minute_of_day(hours.from), to = minute_of_day(hours.to);
    if (!from || !to || *from == *to || *from == 24 * 60)
        return wrong(where + ": schedule has hours from '" + hours.from + "' to '" + hours.to + "'",
                     "write from: \"22:00\", to: \"06:00\" (over midnight); the whole day is \"00:00\" to "
                     "\"24:00\"");
    return {};
}

Result<void> check(const schema::Rule& rule) {
    const std::string where = "rule '" + rule.name + "'";
    if (auto ok = check_name(rule.name, "rule"); !ok) return ok;
    if (auto ok =
            check_choice(where + ": kind", rule.kind, {"present", "enter", "exit", "dwell", "line", "count"});
        !ok)
        return ok;
    if (auto ok = check_choice(where + ": direction", rule.direction, {"forward", "backward", "both"}); !ok)
        return ok;
    if (!rule.classes.empty() && !rule.except.empty())
        return wrong(where + " has classes and except",
                     "name the classes it is about, or those it is not about");
    const auto range = [&](const char* key, double value, double low, double high) -> Result<void> {
        if (value >= low && value <= high) return {};
        return wrong(where + ": " + key + " is " + json(value).dump() + ", out of range",
                     "give " + json(low).dump() + " to " + json(high).dump());
    };
    constexpr double week = 7 * 24 * 3600;
    for (const auto& ok :
         {range("min_score", rule.min_score, 0, 1), range("min_frames", rule.min_frames, 1, 100'000),
          range("cooldown_s", rule.cooldown_s, 0, 1e9), range("dwell_s", rule.dwell_s, 0, week),
          range("limit", rule.limit, 0, 100'000), range("debounce_s", rule.debounce_s, 0, week),
          range("max_per_minute", rule.max_per_minute, 0, most_a_minute),
          range("update_s", rule.update_s, 0, week)})
        if (!ok) return ok;
    if (rule.kind == "dwell" && rule.dwell_s <= 0)
        return wrong(where + " is of kind dwell and does not say for how long", "set dwell_s: 30");
    if (rule.kind == "line" && rule.zone.empty())
        return wrong(where + " is of kind line and does not say which", "set zone: to one of two points");
    for (const auto& hours : rule.schedule)
        if (auto ok = check(hours, where); !ok) return ok;
    if (auto zone = TimeZone::find(rule.timezone); !zone)
        return wrong(where + ": " + zone.error().message, zone.error().hint);
    return {};
}

template <typename T>
void read(const json& value, const char* key, T& to) {
    if (value.contains(key)) value[key].get_to(to);
}
// A number that is none, or not whole, must not be cut to one.
void read(const json& value, const char* key, std::int32_t& to) {
    if (!value.contains(key)) return;
    const double number = value[key].get<double>();
    if (number != std::floor(number) || std::abs(number) > 1e9)
        throw std::invalid_argument(std::string(key) + " is no whole number");
    to = std::int32_t(number);
}

std::vector<Point> points_from_json(const json& value) {
    std::vector<Point> points;
    for (const json& item : value.get<std::vector<json>>()) {
        const auto pair = item.get<std::vector<double>>();
        if (pair.size() != 2) throw std::invalid_argument("a point is [x, y]");
        points.push_back({pair[0], pair[1]});
    }
    return points;
}

}  // namespace

Result<schema::Zone> zone_from_json(const json& value) {
    schema::Zone zone;
    if (auto ok = check_keys(value, "zone", {"name", "points", "relative", "inside", "overlap"}); !ok)
        return ok.error();
    try {
        zone.name = value.at("name").get<std::string>();
        zone.points = points_from_json(value.at("points"));
        read(value, "relative", zone.relative);
        read(value, "inside", zone.inside);
        read(value, "overlap", zone.overlap);
    } catch (const std::exception& e) {
        return wrong(value.dump() + " is no zone: " + e.what(),
                     "a zone is {name, points: [[x, y], …], relative, inside, overlap}");
    }
    if (auto ok = check(zone); !ok) return ok.error();
    return zone;
}

Result<schema::Rule> rule_from_json(const json& value) {
    schema::Rule rule;
    if (auto ok = check_keys(
            value, "rule",
            {"name", "classes", "min_score", "min_frames", "cooldown_s", "kind", "zone", "except", "dwell_s",
             "direction", "limit", "debounce_s", "max_per_minute", "update_s", "schedule", "timezone"});
        !ok)
        return ok.error();
    try {
        rule.name = value.at("name").get<std::string>();
        read(value, "classes", rule.classes);
        read(value, "min_score", rule.min_score);
        read(value, "min_frames", rule.min_frames);
        read(value, "cooldown_s", rule.cooldown_s);
        read(value, "kind", rule.kind);
        read(value, "zone", rule.zone);
        read(value, "except", rule.except);
        read(value, "dwell_s", rule.dwell_s);
        read(value, "direction", rule.direction);
        read(value, "limit", rule.limit);
        read(value, "debounce_s", rule.debounce_s);
        read(value, "max_per_minute", rule.max_per_minute);
        read(value, "update_s", rule.update_s);
        for (const json& item : value.value("schedule", json::array())) {
            if (auto ok = check_keys(item, "schedule of a rule", {"days", "from", "to"}); !ok)
                return ok.error();
            schema::Hours hours;
            read(item, "days", hours.days);
            read(item, "from", hours.from);
            read(item, "to", hours.to);
            rule.schedule.push_back(std::move(hours));
        }
        read(value, "timezone", rule.timezone);
    } catch (const std::exception& e) {
        return wrong(value.dump() + " is no rule: " + e.what(), "a rule is {name, classes, zone, kind, …}");
    }
    if (auto ok = check(rule); !ok) return ok.error();
    return rule;
}

ordered_json to_json(const schema::Zone& zone) {
    ordered_json points = ordered_json::array();
    for (const Point& p : zone.points) points.push_back(ordered_json::array({p.x, p.y}));
    return {{"name", zone.name},
            {"points", points},
            {"relative", zone.relative},
            {"inside", zone.inside},
            {"overlap", zone.overlap}};
}

ordered_json to_json(const schema::Rule& rule) {
    ordered_json schedule = ordered_json::array();
    for (const auto& hours : rule.schedule)
        schedule.push_back({{"days", hours.days}, {"from", hours.from}, {"to", hours.to}});
    return {{"name", rule.name},
            {"classes", rule.classes},
            {"min_score", rule.min_score},
            {"min_frames", rule.min_frames},
            {"cooldown_s", rule.cooldown_s},
            {"kind", rule.kind},
            {"zone", rule.zone},
            {"except", rule.except},
            {"dwell_s", rule.dwell_s},
            {"direction", rule.direction},
            {"limit", rule.limit},
            {"debounce_s", rule.debounce_s},
            {"max_per_minute", rule.max_per_minute},
            {"update_s", rule.update_s},
            {"schedule", schedule},
            {"timezone", rule.timezone}};
}

Result<void> check_zones(const std::vector<schema::Zone>& zones, const std::vector<schema::Rule>& rules) {
    std::vector<std::string> names;
    for (const auto& zone : zones) {
        if (std::find(names.begin(), names.end(), zone.name) != names.end())
            return wrong("there are two zones '" + zone.name + "'", "give each its own name");
        names.push_back(zone.name);
    }
    std::set<std::string> seen;
    for (const auto& rule : rules) {
        if (!seen.insert(rule.name).second)
            return wrong("there are two rules '" + rule.name + "'", "give each its own name");
        if (rule.zone.empty()) continue;
        const auto zone =
            std::find_if(zones.begin(), zones.end(), [&](const auto& z) { return z.name == rule.zone; });
        const std::string where = "rule '" + rule.name + "' names the zone '" + rule.zone + "', ";
        if (zone == zones.end()) return wrong(where + "which does not exist", did_you_mean(rule.zone, names));
        const bool line = zone->points.size() == 2;
        if (line != (rule.kind == "line"))
            return wrong(
                where + (line ? "a line" : "an area") + ", and is of kind " + rule.kind,
                "rules of kind line are about zones of two points, all others about zones of three or more");
    }
    return {};
}

Result<json> load_zones_file(const std::string& path) {
    auto loaded = yaml::load(path);
    if (!loaded) return loaded.error();
    json file = json(yaml::to_json(*loaded));
    if (file.is_array()) file = json{{"rules", file}};
    const auto in_file = [&](const Error& e) { return Error{e.code, path + ": " + e.message, e.hint}; };
    if (auto ok = check_keys(file, "zones file", {"zones", "rules"}); !ok) return in_file(ok.error());
    std::vector<schema::Zone> zones;
    std::vector<schema::Rule> rules;
    for (const char* key : {"zones", "rules"}) {
        if (!file.contains(key)) continue;
        if (file[key].is_null()) file[key] = json::array();
        if (!file[key].is_array())
            return in_file(wrong(std::string(key) + " is no list", "write - before each of its items"));
        for (const json& item : file[key]) {
            if (std::string_view(key) == "zones") {
                auto zone = zone_from_json(item);
                if (!zone) return in_file(zone.error());
                zones.push_back(std::move(*zone));
            } else {
                auto rule = rule_from_json(item);
                if (!rule) return in_file(rule.error());
                rules.push_back(std::move(*rule));
            }
        }
    }
    // Without zones of its own its rules are about those that the camera or the job has already.
    if (file.contains("zones"))
        if (auto ok = check_zones(zones, rules); !ok) return in_file(ok.error());
    return file;
}

}  // namespace sl
