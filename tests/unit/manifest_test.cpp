#include "workers/annotate/manifest.hpp"

#include <nlohmann/json.hpp>

#include "tests/contract/exporter_kit.hpp"

namespace sl::annotate {
namespace {

JobReport report() {
    JobReport r;
    r.job = "01JOB";
    r.status = "failed";
    r.reason = "chunk 3 of 'кам/b.mp4' cannot be decoded";
    r.program = "0.1.0";
    r.engines["detect/yolox_nano@1"] = "onnxruntime 1.30.0";
    StreamReport a;
    a.name = "a.mp4";
    a.outputs = {{"video", "annotated_video", "video.mp4", R"({"frames":10})"},
                 {"json", "detections", "detections.json", ""},
                 {"vtt", "detections", "detections.vtt", "{}"}};
    a.counters = {12, 11, 10, 10, 33, 1, {{"decode:no_frame", 2}}};
    StreamReport b;
    b.name = "кам/b.mp4";
    b.warnings = {"input_truncated"};
    b.outputs = {{"png", "contact_sheet", "", R"({"reason":"no frame could be decoded"})"}};
    r.streams = {a, b};
    return r;
}

TEST(Manifest, ListsOutputsByInputWithPathsBelowItsFolder) {
    const auto json = nlohmann::json::parse(manifest_json(report()));
    EXPECT_EQ(json["job_id"], "01JOB");
    EXPECT_TRUE(json["dataset_id"].is_null());
    EXPECT_EQ(json["status"], "failed");
    EXPECT_EQ(json["outputs"]["a.mp4"].size(), 3u);
    EXPECT_EQ(json["outputs"]["a.mp4"][0]["path"], "a.mp4/video.mp4");
    EXPECT_EQ(json["outputs"]["a.mp4"][0]["meta"]["frames"], 10);
    EXPECT_EQ(json["outputs"]["кам/b.mp4"].size(), 0u);
    EXPECT_EQ(json["viewer_hint"]["overlayOrder"], nlohmann::json::array({"detections"}));
    EXPECT_EQ(json["counters"]["a.mp4"]["dropped"]["decode:no_frame"], 2);
    EXPECT_EQ(json["engines"]["detect/yolox_nano@1"], "onnxruntime 1.30.0");
}

TEST(Manifest, WhatWasNotWrittenIsAWarningWithItsReason) {
    const auto json = nlohmann::json::parse(manifest_json(report()));
    EXPECT_EQ(
        json["warnings"],
        (nlohmann::json{{"кам/b.mp4", {"input_truncated", "no contact_sheet: no frame could be decoded"}}}));
}

TEST(Manifest, FitsItsSchemaAlsoWithoutStreamsAndWithAnyBytesInNames) {
    const kit::Folder folder;
    auto odd = report();
    odd.streams[0].name = "\xff.mp4";
    auto empty = report();
    empty.streams = {};
    empty.reason = "";
    empty.status = "canceled";
    for (const auto& r : {report(), odd, empty}) {
        ASSERT_TRUE(files::write_durably(folder / "manifest.json", manifest_json(r)));
        kit::expect_valid("manifest.schema.json", folder / "manifest.json");
    }
}

TEST(Manifest, BytesDependOnTheReportAlone) {
    EXPECT_EQ(manifest_json(report()), manifest_json(report()));
}

}  // namespace
}  // namespace sl::annotate
