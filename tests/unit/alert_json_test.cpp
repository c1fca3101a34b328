// An alert as JSON: nothing is lost on the way, and it is what schema/json/alert.schema.json publishes.
#include "common/alert_json.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "schema/codec.hpp"

namespace sl {
namespace {

using nlohmann::json;

schema::Alert whole() {
    schema::Alert a;
    a.alert = "yard-0123456789abcdef";
    a.job = "01J";
    a.stream = "a \xe4.mp4";  // no UTF-8: file names are bytes
    a.rule = "intruder";
    a.class_name = "person";
    a.frame = 42;
    a.time_s = 4.2;
    a.box = {1.5, 2, 3, 4, 0.25, 7, 1, 12};
    a.kind = "update";
    a.update = 3;
    a.camera = "yard";
    a.capture_ns = 1'774'746'000'123'456'789;
    a.decided_ns = 1'774'746'000'223'456'789;
    a.zone = "gate";
    a.roi_hit = true;
    a.model = "yolox_nano@1";
    a.preset = "live@1";
    a.snapshot = "out:snapshots/1.jpg";
    a.trace = {"seen at 0.62", "inside"};
    return a;
}

bool valid(const std::string& text) {
    const std::string file = testing::TempDir() + "alert_json_test.json";
    std::ofstream(file) << text;
    const std::string command =
        "/usr/bin/python3 -c 'import json,sys,jsonschema\n"
        "s=json.load(open(sys.argv[1]))\n"
        "jsonschema.Draft202012Validator.check_schema(s)\n"
        "jsonschema.Draft202012Validator(s).validate(json.load(open(sys.argv[2])))' '" +
        std::string(std::getenv("SIGHTLINE_SOURCE_DIR")) + "/schema/json/alert.schema.json' '" + file +
        "' 2>/dev/null";
    return std::system(command.c_str()) == 0;
}

TEST(AlertJson, GoesThereAndBack) {
    const auto read = alert_from_json(alert_json(whole()));
    ASSERT_TRUE(read);
    auto expected = whole();
    expected.stream = "a \xef\xbf\xbd.mp4";
    EXPECT_EQ(schema::encode(*read), schema::encode(expected)) << alert_json(whole());
    EXPECT_EQ(json::parse(alert_json(whole()))["key"], "yard-0123456789abcdef:update3");
}

TEST(AlertJson, ReadsWhatOlderVersionsWrote) {
    const auto read = alert_from_json(
        R"({"alert":"J-00","job":"J","stream":"a.mp4","rule":"r","class_name":"person","frame":4,"time_s":0.4,)"
        R"("box":{"x":1,"y":2,"width":3,"height":4,"score":0.5,"class_id":0}})");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kind, "new");
    EXPECT_EQ(read->box.track, 0);
    for (const char* bad : {"", "[]", "{}", R"({"alert":5})"}) EXPECT_FALSE(alert_from_json(bad)) << bad;
}

TEST(AlertJson, IsAsPublished) {
    if (std::system("/usr/bin/python3 -c 'import jsonschema' 2>/dev/null") != 0)
        GTEST_SKIP() << "python3-jsonschema is not installed";
    EXPECT_TRUE(valid(alert_json(whole())));
    schema::Alert least;
    least.alert = "01J-0123456789abcdef";
    EXPECT_TRUE(valid(alert_json(least)));
    const json good = json::parse(alert_json(whole()));
    for (const auto& [key, unused] : good.items()) {
        json without = good;
        without.erase(key);
        EXPECT_FALSE(valid(without.dump())) << key << " is part of the schema";
    }
    json other = good;
    other["kind"] = "old";
    EXPECT_FALSE(valid(other.dump()));
}

}  // namespace
}  // namespace sl
