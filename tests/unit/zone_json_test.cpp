// What a good zone and a good rule are, and what is said about others; the clock on the wall.
#include "common/zone_json.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "common/time_zone.hpp"

namespace sl {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json zone(const json& points, json more = json::object()) {
    more["name"] = "yard";
    more["points"] = points;
    return more;
}
const json square{{0, 0}, {1, 0}, {1, 1}, {0, 1}};

TEST(ZoneJson, GoesThereAndBack) {
    const json text{{"name", "Hof 1"},
                    {"points", {{10, 20}, {30.5, 20}, {15, 40}}},
                    {"relative", false},
                    {"inside", "overlap"},
                    {"overlap", 0.25}};
    const auto read = zone_from_json(text);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->points[1], (schema::Point{30.5, 20}));
    EXPECT_EQ(json(to_json(*read)), text);
    EXPECT_EQ(*zone_from_json(zone(square)),
              (schema::Zone{.name = "yard", .points = {{0, 0}, {1, 0}, {1, 1}, {0, 1}}}));
}

TEST(ZoneJson, RulesGoThereAndBack) {
    const json text =
        json::parse(R"({"name": "night", "classes": ["person"], "min_score": 0.4, "min_frames": 2,
        "cooldown_s": 30.0, "kind": "dwell", "zone": "yard", "except": [], "dwell_s": 5.0, "direction": "forward",
        "limit": 3, "debounce_s": 2.0, "max_per_minute": 6.0, "update_s": 10.0,
        "schedule": [{"days": ["fri", "sat"], "from": "22:00", "to": "06:00"}], "timezone": "Europe/Berlin"})");
    const auto read = rule_from_json(text);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(json(to_json(*read)), text);
    schema::Rule plain;
    plain.name = "x";
    EXPECT_EQ(*rule_from_json({{"name", "x"}}), plain) << "what is missing is the default";
}

struct Bad {
    json value;
    const char* told;
};

class BadZone : public testing::TestWithParam<Bad> {};
TEST_P(BadZone, IsRefused) {
    const auto read = zone_from_json(GetParam().value);
    ASSERT_FALSE(read) << GetParam().value;
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
    EXPECT_THAT(read.error().text(), HasSubstr(GetParam().told));
}
INSTANTIATE_TEST_SUITE_P(
    Each, BadZone,
    testing::Values(Bad{json::array(), "no map"}, Bad{{{"name", "a"}}, "is no zone"},
                    Bad{{{"nam", "a"}}, "did you mean 'name'?"}, Bad{zone({{0, 0}}), "has 1 points"},
                    Bad{zone({{0, 0}, {0.5}}), "a point is [x, y]"},
                    Bad{zone({{0, 0}, {"a", 1}}), "is no zone"},
                    Bad{zone({{0, 0}, {1.5, 1}}), "relative: false"},
                    Bad{zone({{0, 0}, {1e6, 1}}, {{"relative", false}}), "out of range"},
                    Bad{zone(square, {{"inside", "bottom_centre"}}), "did you mean 'bottom_center'?"},
                    Bad{zone(square, {{"overlap", 0}}), "out of range"},
                    Bad{zone({{0, 0}, {0, 0}}), "the same point twice"},
                    Bad{zone({{0, 0}, {1, 0}, {1, 1}, {0, 0}}), "closed by itself"},
                    // A bow tie, a spike there and back, a flat triangle, a corner that touches an edge.
                    Bad{zone({{0, 0}, {1, 1}, {1, 0}, {0, 1}}), "edge 1 meets edge 3"},
                    Bad{zone({{0, 0}, {1, 0}, {0.5, 0}, {0.5, 1}}), "crosses itself"},
                    Bad{zone({{0, 0}, {0.5, 0.5}, {1, 1}}), "crosses itself"},
                    Bad{zone({{0, 0}, {1, 0}, {1, 1}, {0.5, 0}, {0, 1}}), "crosses itself"}));

class BadRule : public testing::TestWithParam<Bad> {};
TEST_P(BadRule, IsRefused) {
    json value = GetParam().value;
    value.emplace("name", "r");
    const auto read = rule_from_json(value);
    ASSERT_FALSE(read) << value;
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
    EXPECT_THAT(read.error().text(), HasSubstr(GetParam().told));
}
INSTANTIATE_TEST_SUITE_P(
    Each, BadRule,
    testing::Values(Bad{{{"name", ""}}, "name ''"}, Bad{{{"name", "a/b"}}, "without '/'"},
                    Bad{{{"name", 5}}, "is no rule"}, Bad{{{"min_scor", 1}}, "did you mean 'min_score'?"},
                    Bad{{{"min_score", 2}}, "out of range"}, Bad{{{"min_frames", 0}}, "out of range"},
                    Bad{{{"min_frames", 1.5}}, "no whole number"}, Bad{{{"cooldown_s", -1}}, "out of range"},
                    Bad{{{"kind", "dwel"}}, "did you mean 'dwell'?"},
                    Bad{{{"kind", "dwell"}}, "for how long"}, Bad{{{"kind", "line"}}, "does not say which"},
                    Bad{{{"direction", "up"}}, "no choice"},
                    Bad{{{"classes", {"a"}}, {"except", {"b"}}}, "classes and except"},
                    Bad{{{"max_per_minute", 1e6}}, "out of range"},
                    Bad{{{"timezone", "Europe/Berlln"}}, "time zone"},
                    Bad{{{"schedule", {{{"days", {"friday"}}}}}}, "the day 'friday'"},
                    Bad{{{"schedule", {{{"from", "25:00"}}}}}, "hours from '25:00'"},
                    Bad{{{"schedule", {{{"from", "07:00"}, {"to", "07:00"}}}}}, "over midnight"},
                    Bad{{{"schedule", {{{"form", "07:00"}}}}}, "did you mean 'from'?"}));

TEST(CheckZones, NamesAndKindsFit) {
    const std::vector<schema::Zone> zones{*zone_from_json(zone(square)),
                                          *zone_from_json({{"name", "door"}, {"points", {{0, 0}, {1, 1}}}})};
    const auto told = [&](const std::vector<json>& rules) {
        std::vector<schema::Rule> all;
        for (const json& r : rules) all.push_back(*rule_from_json(r));
        const auto ok = check_zones(zones, all);
        return ok ? std::string() : ok.error().text();
    };
    EXPECT_EQ(told({{{"name", "a"}}, {{"name", "b"}, {"zone", "yard"}}}), "");
    EXPECT_EQ(told({{{"name", "a"}, {"zone", "door"}, {"kind", "line"}}}), "");
    EXPECT_THAT(told({{{"name", "a"}, {"zone", "yrd"}}}), HasSubstr("did you mean 'yard'?"));
    EXPECT_THAT(told({{{"name", "a"}, {"zone", "door"}}}), HasSubstr("a line, and is of kind present"));
    EXPECT_THAT(told({{{"name", "a"}, {"zone", "yard"}, {"kind", "line"}}}),
                HasSubstr("an area, and is of kind line"));
    EXPECT_THAT(told({{{"name", "a"}}, {{"name", "a"}}}), HasSubstr("two rules 'a'"));
    EXPECT_THAT(check_zones({zones[0], zones[0]}, {}).error().text(), HasSubstr("two zones 'yard'"));
}

TEST(ZonesFile, IsReadAndChecked) {
    const std::string path = testing::TempDir() + "zone_json_test.yaml";
    const auto load = [&](const char* text) {
        std::ofstream(path) << text;
        return load_zones_file(path);
    };
    const auto both = load(
        "zones:\n  - {name: yard, points: [[0, 0], [1, 0], [1, 1]]}\nrules:\n  - {name: a, zone: yard}\n");
    ASSERT_TRUE(both) << both.error().text();
    EXPECT_EQ((*both)["zones"][0]["name"], "yard");
    EXPECT_EQ((*both)["rules"].size(), 1u);
    EXPECT_EQ(load("- {name: a}\n")->dump(), R"({"rules":[{"name":"a"}]})");
    EXPECT_TRUE(load("rules:\n  - {name: a, zone: elsewhere}\n"));
    EXPECT_THAT(load("zones: []\nrules:\n  - {name: a, zone: yard}\n").error().text(),
                HasSubstr("does not exist"));
    EXPECT_THAT(load("zone: []\n").error().text(), HasSubstr("did you mean 'zones'?"));
    EXPECT_THAT(load("rules: 5\n").error().text(), HasSubstr("rules is no list"));
    EXPECT_EQ(load_zones_file(path + "x").error().code, Errc::not_found);
}

constexpr std::int64_t second = 1'000'000'000;

TEST(TimeZone, KnowsTheWallClock) {
    EXPECT_EQ(TimeZone::find("UTC")->at(0), (WallTime{3, 0})) << "1970 began on a Thursday";
    EXPECT_EQ(TimeZone::find("UTC")->at(-1), (WallTime{2, 23 * 60 + 59}));
    const auto berlin = TimeZone::find("Europe/Berlin");
    ASSERT_TRUE(berlin) << berlin.error().text();
    // 2026-03-29 (a Sunday), 00:59:59 and 01:00:00 UTC: 01:59 is followed by 03:00.
    EXPECT_EQ(berlin->at(1774745999 * second), (WallTime{6, 119}));
    EXPECT_EQ(berlin->at(1774746000 * second), (WallTime{6, 180}));
    // 2026-10-25 (a Sunday), 00:59:59 and 01:00:00 UTC: 02:59 is followed by 02:00.
    EXPECT_EQ(berlin->at(1792889999 * second), (WallTime{6, 179}));
    EXPECT_EQ(berlin->at(1792890000 * second), (WallTime{6, 120}));
    EXPECT_FALSE(TimeZone::find("Nowhere/Land"));
}

TEST(TimeZone, ReadsTimesAndDays) {
    EXPECT_EQ(minute_of_day("07:30"), 450);
    EXPECT_EQ(minute_of_day("24:00"), 1440);
    for (const char* bad : {"24:01", "7:30", "07:60", "0730", "ab:cd", "", "07:30 "})
        EXPECT_FALSE(minute_of_day(bad)) << bad;
    EXPECT_EQ(weekday_of("sun"), 6);
    EXPECT_FALSE(weekday_of("Sunday"));
}

}  // namespace
}  // namespace sl
