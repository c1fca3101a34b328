// Pipelines and presets: the shipped ones load, parameters lie over presets, mistakes are named.
#include "common/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sl::pipeline {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct PipelineTest : ::testing::Test {
    Catalog catalog;
    std::vector<model::Manifest> manifests;

    void SetUp() override {
        auto loaded = load();
        ASSERT_TRUE(loaded) << loaded.error().text();
        catalog = *loaded;
        for (const char* name : {"yolox_nano", "hog_people"}) {
            model::Manifest m;
            m.name = name;
            m.version = "1";
            m.input.name = "detect/" + m.name + "@1";
            m.input.width = 416;
            m.input.classes = m.name == "hog_people" ? std::vector<std::string>{"person"}
                                                     : std::vector<std::string>{"person", "car"};
            manifests.push_back(m);
        }
    }
    Result<schema::JobSpec> spec(const std::string& preset, const json& params) const {
        schema::JobSpec out;
        out.tenant = "kept";
        auto ok = resolve(catalog, {manifests, "yolox_nano"}, "annotate", preset, params, out);
        if (!ok) return ok.error();
        return out;
    }
};

TEST_F(PipelineTest, DefaultsAreThoseOfTheJobSpec) {
    const auto s = spec("default", json::object());
    ASSERT_TRUE(s) << s.error().text();
    const schema::JobSpec plain;
    EXPECT_EQ(s->confidence, plain.confidence);
    EXPECT_EQ(s->nms, plain.nms);
    EXPECT_EQ(s->sample_fps, plain.sample_fps);
    EXPECT_EQ(s->max_boxes, plain.max_boxes);
    EXPECT_EQ(s->exporters, plain.exporters);
    EXPECT_EQ(s->tracker, plain.tracker);
    EXPECT_EQ(s->sample_every, 0);
    EXPECT_EQ(s->video_preset, plain.video_preset);
    EXPECT_EQ(s->video_crf, plain.video_crf);
    EXPECT_THAT(s->operations, IsEmpty());
    EXPECT_EQ(s->tenant, "kept");
    ASSERT_EQ(s->pools.size(), 1u);
    EXPECT_EQ(s->pools[0].name, "detect/yolox_nano@1");
    EXPECT_EQ(s->pools[0].width, 416);
    ASSERT_EQ(s->rules.size(), 1u);
    EXPECT_THAT(s->rules[0].classes, ElementsAre("person"));
}

TEST_F(PipelineTest, ParametersLieOverThePreset) {
    const auto s =
        spec("people", {{"detect.confidence", 0.4}, {"model", "yolox_nano@1,hog_people"}, {"sample_fps", 5}});
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_EQ(s->preset, "people");
    EXPECT_EQ(s->confidence, 0.4);
    EXPECT_EQ(s->sample_fps, 5);
    EXPECT_THAT(s->classes, ElementsAre("person"));
    ASSERT_EQ(s->pools.size(), 2u);
    EXPECT_EQ(s->pools[1].name, "detect/hog_people@1");
}

TEST_F(PipelineTest, SamplingAndTrackerAreTakenOver) {
    const auto s = spec("default", {{"sample_fps", -1},
                                    {"sample_every", 3},
                                    {"annotate.tracker", "sort"},
                                    {"track_high", 0.6},
                                    {"track_low", 0.2},
                                    {"track_keep_s", 5}});
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_EQ(s->sample_fps, 10) << "auto";
    EXPECT_EQ(s->sample_every, 3);
    EXPECT_EQ(s->tracker.kind, "sort");
    EXPECT_EQ(s->tracker.high, 0.6);
    EXPECT_EQ(s->tracker.low, 0.2);
    EXPECT_EQ(s->tracker.keep_s, 5);
    EXPECT_THAT(spec("default", {{"track_high", 0.2}, {"track_low", 0.3}}).error().message,
                testing::HasSubstr("track_low is above track_high"));
}

TEST_F(PipelineTest, TranscodeHasNoPoolsAndNoRules) {
    const auto s = spec("transcode", json::object());
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_THAT(s->pools, IsEmpty());
    EXPECT_THAT(s->rules, IsEmpty());
    EXPECT_THAT(s->exporters, ElementsAre("video"));
}

TEST_F(PipelineTest, CropBecomesAnOperation) {
    const auto s = spec("default", {{"crop", "0.25,0,0.5,1"}});
    ASSERT_TRUE(s) << s.error().text();
    ASSERT_EQ(s->operations.size(), 1u);
    EXPECT_EQ(s->operations[0].op, "crop");
    EXPECT_EQ(s->operations[0].args.at("x"), 0.25);
    EXPECT_EQ(s->operations[0].args.at("height"), 1);
}

TEST_F(PipelineTest, RulesAreRead) {
    const auto s =
        spec("default", {{"rules", {{{"name", "cars"}, {"classes", {"car"}}, {"min_frames", 1}}}}});
    ASSERT_TRUE(s) << s.error().text();
    ASSERT_EQ(s->rules.size(), 1u);
    EXPECT_EQ(s->rules[0].name, "cars");
    EXPECT_EQ(s->rules[0].min_frames, 1);
    EXPECT_EQ(s->rules[0].min_score, schema::Rule{}.min_score);
}

struct Mistake {
    json params;
    const char* told;
};
struct PipelineMistake : PipelineTest, ::testing::WithParamInterface<Mistake> {};

TEST_P(PipelineMistake, IsNamed) {
    const auto s = spec("default", GetParam().params);
    ASSERT_FALSE(s);
    EXPECT_EQ(s.error().code, Errc::invalid_argument);
    EXPECT_THAT(s.error().text(), HasSubstr(GetParam().told));
}
INSTANTIATE_TEST_SUITE_P(
    Each, PipelineMistake,
    ::testing::Values(
        Mistake{{{"confidense", 0.4}}, "no parameter 'confidense'; did you mean 'confidence'?"},
        Mistake{{{"alert.confidence", 0.4}}, "no parameter 'alert.confidence'"},
        Mistake{{{"confidence", 1.5}}, "parameter confidence is 1.5, out of range; give at least 0"},
        Mistake{{{"confidence", "high"}}, "parameter confidence is \"high\", which is no number"},
        Mistake{{{"max_boxes", 1.5}}, "which is no whole number"},
        Mistake{{{"max_boxes", 0}}, "out of range"},
        Mistake{{{"model", "yolox_nan"}},
                "'yolox_nan', which no manifest describes; did you mean 'yolox_nano'?"},
        Mistake{{{"model", {"none", "yolox_nano"}}}, "'none', which no manifest describes"},
        Mistake{{{"model", json::array()}}, "parameter model is empty"},
        Mistake{{{"model", {"default", "yolox_nano"}}}, "twice"},
        Mistake{{{"video_preset", "veryfst"}}, "did you mean 'veryfast'?"},
        Mistake{{{"video_preset", "quick"}}, "which is no choice"},
        Mistake{{{"classes", {"person", "cat"}}}, "'cat', which no model of it knows"},
        Mistake{{{"crop", {0.5, 0, 0.6, 1}}}, "which is no part of the frame"},
        Mistake{{{"crop", "a,b"}}, "which is no number"},
        Mistake{{{"rules", {{{"classes", {"car"}}}}}}, "no rule"},
        Mistake{{{"rules", {{{"name", "x"}, {"min_scor", 1}}}}}, "did you mean 'min_score'?"},
        Mistake{{{"rules", {{{"name", "x"}, {"min_score", 2}}}}}, "out of range"},
        Mistake{{{"rules", {{{"name", "x"}, {"zone", "yard"}}}}}, "'yard', which does not exist"},
        Mistake{{{"zones", {{{"name", "z"}, {"points", {{0, 0}, {1, 1}}}}}},
                 {"rules", {{{"name", "x"}, {"zone", "z"}, {"kind", "line"}}}},
                 {"tracker", "none"}},
                "there is no tracker"},
        Mistake{{{"zones", {{{"name", "z"}, {"points", {{0, 0}}}}}}},
                "parameter zones: zone 'z' has 1 points"},
        Mistake{json::array(), "must be a map"}));

TEST_F(PipelineTest, ZonesAreRead) {
    const auto s = spec("default", {{"zones", {{{"name", "yard"}, {"points", {{0, 0}, {1, 0}, {1, 1}}}}}},
                                    {"rules", {{{"name", "in"}, {"zone", "yard"}}}}});
    ASSERT_TRUE(s) << s.error().text();
    ASSERT_EQ(s->zones.size(), 1u);
    EXPECT_EQ(s->zones[0].points.size(), 3u);
    EXPECT_EQ(s->rules[0].zone, "yard");
    EXPECT_EQ(s->preset_version, "1");
}

TEST_F(PipelineTest, UnknownPresetAndPipelineAreNamed) {
    EXPECT_THAT(spec("peple", json::object()).error().text(), HasSubstr("did you mean 'people'?"));
    schema::JobSpec out;
    EXPECT_THAT(
        resolve(catalog, {manifests, "yolox_nano"}, "anotate", "default", json::object(), out).error().text(),
        HasSubstr("did you mean 'annotate'?"));
}

TEST_F(PipelineTest, ListsSayWhatTheProtocolPromises) {
    const Json pipeline = to_json(catalog.pipelines.at(0));
    EXPECT_EQ(pipeline["key"], "annotate");
    for (const Json& param : pipeline["params"])
        for (const char* key : {"name", "type", "default", "help"}) EXPECT_TRUE(param.contains(key)) << param;
    std::vector<std::string> names;
    for (const Preset& preset : catalog.presets) names.push_back(to_json(preset)["name"]);
    EXPECT_THAT(names, ElementsAre("default", "fast", "live", "noop", "people", "transcode"));
}

TEST(PipelineFiles, WrongOnesAreNamedWithTheirLine) {
    const std::string dir = ::testing::TempDir() + "pipeline_test";
    std::filesystem::create_directories(dir + "/presets");
    std::ofstream(dir + "/pipelines.yaml") << "pipelines:\n  - key: a\n    version: '1'\n    params:\n      "
                                              "- {name: n, type: number, default: 2, max: 1}\n";
    EXPECT_THAT(load(dir).error().text(), AllOf(HasSubstr("pipelines.yaml:5"), HasSubstr("out of range")));
    std::ofstream(dir + "/pipelines.yaml") << "pipelines:\n  - key: a\n    version: '1'\n    params: []\n";
    std::ofstream(dir + "/presets/p.yaml") << "name: p\nversion: '1'\npipeline: a\nparams: {n: 1}\n";
    EXPECT_THAT(load(dir).error().text(), AllOf(HasSubstr("presets/p.yaml"), HasSubstr("no parameter 'n'")));
    std::filesystem::remove_all(dir);
    EXPECT_EQ(load(dir).error().code, Errc::not_found);
}

}  // namespace
}  // namespace sl::pipeline
