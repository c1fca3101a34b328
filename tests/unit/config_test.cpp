// Configuration: the annotated default is the built-in default, layers lie over one another, and every
// mistake is told with its place.
#include "common/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/yaml.hpp"

namespace sl::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct ConfigTest : ::testing::Test {
    std::string dir = ::testing::TempDir() + "config_test";
    std::vector<std::string> variables;

    void SetUp() override { std::filesystem::create_directories(dir); }
    void TearDown() override {
        for (const auto& name : variables) ::unsetenv(name.c_str());
        std::filesystem::remove_all(dir);
    }
    std::string file(const std::string& text) const {
        const std::string path = dir + "/c.yaml";
        std::ofstream(path) << text;
        return path;
    }
    void set(const std::string& name, const std::string& value) {
        variables.push_back(name);
        ::setenv(name.c_str(), value.c_str(), 1);
    }
};

std::string annotated_default() {
    return std::string(std::getenv("SIGHTLINE_SOURCE_DIR")) + "/compose/sightline.yaml";
}

TEST_F(ConfigTest, AnnotatedDefaultIsTheBuiltInDefault) {
    const auto config = load(annotated_default());
    ASSERT_TRUE(config) << config.error().text();
    EXPECT_EQ(to_json(*config).dump(2), to_json(Config{}).dump(2));
}

TEST_F(ConfigTest, AnnotatedDefaultHasEveryKeyAndNoOther) {
    auto node = yaml::load(annotated_default());
    ASSERT_TRUE(node);
    EXPECT_EQ(yaml::to_json(*node), to_json(Config{}));
}

TEST_F(ConfigTest, WhatIsShownReadsBack) {
    Config config;
    config.roots = {{"media", "/srv/media"}, {"yes", "/a b"}};
    config.output.root = "media";
    config.postgres.dsn = "host=/run user=x";
    config.alerts.targets[0].options = R"({"url":"http://x","retries":3,"tls":true,"id":"007"})";
    const auto again = load(file(yaml::from_json(to_json(config))));
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(to_json(*again).dump(2), to_json(config).dump(2));
}

TEST_F(ConfigTest, EnvironmentOverFileAndFlagsOverEnvironment) {
    const auto path =
        file("broker: {endpoint: tcp://file:1}\nlimits: {queued_jobs: 7, home_slots: 4}\nroots: {a: /a}\n");
    set("SIGHTLINE__LIMITS__QUEUED_JOBS", "8");
    set("SIGHTLINE__BROKER__ENDPOINT", "tcp://env:1");
    set("SIGHTLINE__ROOTS__B", "/b");
    set("SIGHTLINE__MODELS__DIRS", "[/m, /n]");
    set("SIGHTLINE__POSTGRES__DSN", "");
    const auto config = load(path, {{"broker.endpoint", "tcp://flag:1,tcp://flag:9"}});
    ASSERT_TRUE(config) << config.error().text();
    EXPECT_THAT(endpoints(*config), ElementsAre("tcp://flag:1", "tcp://flag:9"));
    EXPECT_EQ(config->limits.queued_jobs, 8);
    EXPECT_EQ(config->limits.home_slots, 4);
    EXPECT_THAT(config->roots, ElementsAre(std::pair<const std::string, std::string>("a", "/a"),
                                           std::pair<const std::string, std::string>("b", "/b")));
    EXPECT_THAT(config->models.dirs, ElementsAre("/m", "/n"));
    EXPECT_EQ(config->postgres.dsn, "");
}

TEST_F(ConfigTest, ConfigVariableNamesTheFile) {
    set("SIGHTLINE_CONFIG", file("fleet: {name: yard}\n"));
    const auto config = load();
    ASSERT_TRUE(config);
    EXPECT_EQ(config->fleet.name, "yard");
    EXPECT_EQ(config->file, dir + "/c.yaml");
}

TEST_F(ConfigTest, MisspeltKeysAreToldWithLineAndNearestName) {
    const auto config = load(file("broker:\n  endpont: tcp://x:1\nlogs: {}\n"));
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, Errc::invalid_argument);
    EXPECT_THAT(
        config.error().message,
        AllOf(HasSubstr(
                  "c.yaml:2: broker.endpont is no key; did you mean 'endpoint'? known: endpoint, run_dir"),
              HasSubstr("c.yaml:3: logs is no key; did you mean 'log'?")));
}

struct Mistake {
    const char* text;
    const char* told;
};
struct ConfigMistake : ConfigTest, ::testing::WithParamInterface<Mistake> {};

TEST_P(ConfigMistake, IsToldWithItsLine) {
    const auto config = load(file(GetParam().text));
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().message, HasSubstr(GetParam().told));
}
INSTANTIATE_TEST_SUITE_P(
    Each, ConfigMistake,
    ::testing::Values(
        Mistake{"limits:\n  queued_jobs: many\n", "c.yaml:2: limits.queued_jobs must be a whole number"},
        Mistake{"limits:\n  queued_jobs: 0\n", "c.yaml:2: limits.queued_jobs must be at least 1"},
        Mistake{"limits: {when_full: drop}\n", "limits.when_full 'drop' is not known"},
        Mistake{"retention: {jobs: 0}\n", "c.yaml:1: retention.jobs must be 1 to 100000000"},
        Mistake{"retention:\n  log_mb: -1\n", "c.yaml:2: retention.log_mb must be 1 to 100000000"},
        Mistake{"limits: {home_slots: 1}\n", "c.yaml:1: limits.home_slots must be at least 2"},
        Mistake{"broker:\n\n  endpoint: http://x\n", "c.yaml:3: broker.endpoint 'http://x' must be"},
        Mistake{"broker: [a]\n", "c.yaml:1: broker must be a map"},
        Mistake{"roots: {media: videos}\n", "c.yaml:1: roots names 'videos' for 'media'"},
        Mistake{"output: {root: media}\n", "output.root 'media' is not known; known: none"},
        Mistake{"output: {path: ../x}\n", "output.path '../x' must be a folder below"},
        Mistake{"models: {dirs: /m}\n", "models.dirs must be a list"},
        Mistake{"log: {level: inof}\n", "log.level 'inof' is not known; did you mean 'info'?"},
        Mistake{"alerts:\n  targets:\n    - {name: a, snk: log}\n",
                "c.yaml:3: alerts.targets[0].snk is no key"},
        Mistake{"alerts: {targets: [{name: a}]}\n", "alerts.targets has 'a', which needs a name and a sink"},
        Mistake{"cameras:\n  - {camera: a, url: x}\n",
                "c.yaml:2: cameras has 'a': cannot register the camera"},
        Mistake{"cameras: [{camera: a, url: \"rtsp://h\", fpss: 1}]\n",
                "cameras has a 'fpss'; did you mean 'fps'?"},
        Mistake{"cameras: [{camera: a, url: \"rtsp://h\"}]\npostgres: {dsn: x}\n",
                "cameras must be [] where postgres.dsn is set"},
        Mistake{"broker: {a: [}\n", "c.yaml:1"}, Mistake{"just text\n", "must be a map of keys"}));

TEST_F(ConfigTest, MissingFileAndWrongVariableAreNamed) {
    EXPECT_THAT(load(dir + "/none.yaml").error().message, HasSubstr("none.yaml"));
    set("SIGHTLINE__LOG__LEVL", "info");
    EXPECT_THAT(load(file("")).error().message, HasSubstr("SIGHTLINE__LOG__LEVL: log.levl is no key"));
}

TEST_F(ConfigTest, ModelPathComesBeforeTheConfiguredFolders) {
    set("SIGHTLINE_MODEL_PATH", "/x::/y");
    Config config;
    config.models.dirs = {"/z"};
    EXPECT_THAT(model_dirs(config), ElementsAre("/x", "/y", "/z"));
}

}  // namespace
}  // namespace sl::config
