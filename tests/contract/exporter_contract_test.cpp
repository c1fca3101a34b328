// What every exporter promises, over the whole table; then what each kind of them promises beside it.
#include <nlohmann/json.hpp>

#include "schema/codec.hpp"
#include "tests/contract/exporter_kit.hpp"

namespace sl::annotate {
namespace {
using kit::Folder;
using kit::make_stream;

class Exporter : public testing::TestWithParam<const ExporterPlugin*> {
protected:
    const ExporterPlugin& exporter() const { return *GetParam(); }
    bool is_text() const { return !exporter().needs_pixels; }
    Folder folder;
};

TEST_P(Exporter, SaysWhatItIs) {
    EXPECT_NE(std::string(exporter().help), "");
    EXPECT_NE(std::string(exporter().part_kind), "");
    EXPECT_NE(exporter().part_ext[0], '.');
}

TEST_P(Exporter, TwiceGivesEqualBytes) {
    const auto made = make_stream(64, 48, {5, 7});
    const auto first = kit::run(exporter(), made, folder / "a"),
               second = kit::run(exporter(), made, folder / "b");
    ASSERT_TRUE(first) << first.error().text();
    ASSERT_TRUE(second);
    ASSERT_NE(first->path, "");
    EXPECT_EQ(first->meta, second->meta);
    EXPECT_EQ(kit::files_in(folder / "a"), kit::files_in(folder / "b"));
    EXPECT_EQ(kit::files_in(folder / "a/out").size(), 1u);
    EXPECT_EQ(kit::files_in(folder / "a/out").count(first->path), 1u);
}

TEST_P(Exporter, JobIdDoesNotShow) {
    auto made = make_stream(64, 48, {6});
    ASSERT_TRUE(kit::run(exporter(), made, folder / "a"));
    made.spec.job = "02OTHER";
    made.alerts[0][0].job = "02OTHER";
    made.alerts[0][0].alert = "02OTHER-0123456789abcdef";
    ASSERT_TRUE(kit::run(exporter(), made, folder / "b"));
    EXPECT_EQ(kit::files_in(folder / "a"), kit::files_in(folder / "b"));
}

// Pictures may differ (keyframes lie where chunks begin), text may not.
TEST_P(Exporter, AnySplitIntoChunksJoinsToTheSameText) {
    ASSERT_TRUE(kit::run(exporter(), make_stream(64, 48, {24}), folder / "whole"));
    const auto whole = kit::files_in(folder / "whole/out");
    for (const auto& split : {std::vector{1, 23}, {2, 2, 20}, {7, 7, 10}, {23, 1}, std::vector<int>(24, 1)}) {
        const std::string dir = "split" + std::to_string(split.size()) + "-" + std::to_string(split[0]);
        const auto joined = kit::run(exporter(), make_stream(64, 48, split), folder / dir);
        ASSERT_TRUE(joined) << dir << ": " << joined.error().text();
        const auto files = kit::files_in(folder / (dir + "/out"));
        if (is_text())
            EXPECT_EQ(files, whole) << dir;
        else
            EXPECT_EQ(files.size(), 1u) << dir;
    }
}

TEST_P(Exporter, NoChunkAtAllIsAnEmptyListOrNoFileWithItsReason) {
    const auto output = kit::run(exporter(), make_stream(64, 48, {}), folder / "a");
    ASSERT_TRUE(output) << output.error().text();
    const auto meta = nlohmann::json::parse(output->meta);
    EXPECT_EQ(output->path.empty(), !is_text());
    EXPECT_EQ(meta.contains("reason"), !is_text());
    EXPECT_EQ(kit::files_in(folder / "a/out").size(), is_text() ? 1u : 0u);
}

TEST_P(Exporter, ChunkWithoutAnyFrameIsSkipped) {
    const auto made = make_stream(64, 48, {4, 4, 4});
    const auto middle = [](std::int64_t frame) { return frame >= 4 && frame < 8; };
    const auto output = kit::run(exporter(), made, folder / "a", SIZE_MAX, middle);
    ASSERT_TRUE(output) << output.error().text();
    EXPECT_NE(output->path, "");
    const auto none = kit::run(exporter(), made, folder / "b", SIZE_MAX, [](std::int64_t) { return true; });
    ASSERT_TRUE(none) << none.error().text();
    EXPECT_EQ(none->path.empty(), !is_text());
}

TEST_P(Exporter, PrefixOfAStreamJoins) {
    const auto made = make_stream(64, 48, {4, 4, 40});
    const auto output = kit::run(exporter(), made, folder / "a", 1);
    ASSERT_TRUE(output) << output.error().text();
    EXPECT_EQ(kit::files_in(folder / "a/out").count(output->path), 1u);
}

TEST_P(Exporter, OneFrameAndOddSizesWork) {
    for (const auto& [w, h] : {std::pair{2, 2}, {1, 1}, {853, 481}, {3, 200}, {640, 2}, {1000, 3}}) {
        const std::string dir = std::to_string(w) + "x" + std::to_string(h);
        const auto output = kit::run(exporter(), make_stream(w, h, {1}), folder / dir);
        ASSERT_TRUE(output) << dir << ": " << output.error().text();
        EXPECT_EQ(kit::files_in(folder / (dir + "/out")).count(output->path), 1u) << dir;
    }
}

TEST_P(Exporter, FolderThatCannotBeWrittenIsNamed) {
    const auto made = make_stream(64, 48, {4});
    const std::string part = folder / "gone/0.part";
    const auto written = kit::write_part(exporter(), made, made.rows[0], part);
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message.find(part), std::string::npos) << written.error().text();

    const std::string good = folder / "0.part";
    ASSERT_TRUE(kit::write_part(exporter(), made, made.rows[0], good));
    const std::vector parts{good};
    const auto joined =
        exporter().join({made.spec, made.stream, made.rows, parts, made.alerts, "", true}, folder / "gone");
    ASSERT_FALSE(joined);
    EXPECT_NE(joined.error().message.find(folder / "gone"), std::string::npos) << joined.error().text();
}

TEST_P(Exporter, BrokenPartIsAnErrorThatNamesItAndLeavesNoFile) {
    const auto made = make_stream(64, 48, {4});
    const std::string part = folder / "0.part", out = folder.make("out");
    ASSERT_TRUE(files::write_durably(part, "no part of ours"));
    const std::vector parts{part};
    const auto joined =
        exporter().join({made.spec, made.stream, made.rows, parts, made.alerts, "", true}, out);
    ASSERT_FALSE(joined);
    EXPECT_NE(joined.error().message.find(part), std::string::npos) << joined.error().text();
    EXPECT_TRUE(kit::files_in(out).empty());
}

INSTANTIATE_TEST_SUITE_P(Table, Exporter, testing::ValuesIn(exporter_table().begin(), exporter_table().end()),
                         [](const auto& row) { return row.param->name; });

// --- what is in the files -----------------------------------------------------------------------------

// Path of the joined file.
std::string joined(const std::string& name, const kit::Made& made, const Folder& folder) {
    const auto output = kit::run(kit::exporter_named(name), made, folder / name);
    return output ? folder / (name + "/out/" + output->path) : output.error().text();
}

TEST(Json, HoldsEveryDetectedFrameAndFitsItsSchema) {
    const Folder folder;
    const std::string path = joined("json", make_stream(64, 48, {5, 4}), folder);
    kit::expect_valid("detections.schema.json", path);
    const auto json = nlohmann::json::parse(*files::read(path));
    EXPECT_EQ(json["stream"]["name"], "клип 監視 \"1\".mp4");
    EXPECT_EQ(json["models"], nlohmann::json::array({"detect/test@1"}));
    EXPECT_EQ(json["classes"]["detect/test@1"].size(), 3u);
    ASSERT_EQ(json["frames"].size(), 5u);  // 0 2 4 6 8
    EXPECT_EQ(json["frames"][2]["frame"], 4);
    EXPECT_DOUBLE_EQ(json["frames"][2]["time_s"], 0.4);
    EXPECT_EQ(json["frames"][1]["boxes"].size(), 0u);
    const auto& box = json["frames"][2]["boxes"][0];
    EXPECT_DOUBLE_EQ(box["x"], 17.33);
    EXPECT_DOUBLE_EQ(box["score"], 0.875);
    EXPECT_EQ(box["class"], "person");
    EXPECT_EQ(box["model"], "detect/test@1");
    EXPECT_EQ(box["track"], 3);
    EXPECT_FALSE(json["frames"][2]["boxes"][1].contains("track"));
    ASSERT_EQ(json["alerts"].size(), 1u);
    EXPECT_EQ(json["alerts"][0]["alert"], "0123456789abcdef");
}

TEST(Json, NamesThePicturesOfAnImagesStreamAndSurvivesAnyBytesInNames) {
    const Folder folder;
    auto made = make_stream(64, 48, {3});
    made.stream.source = "images";
    made.stream.names = {"a.jpg", "b.jpg", "\xff\xfe.jpg"};
    const std::string path = joined("json", made, folder);
    kit::expect_valid("detections.schema.json", path);
    const auto json = nlohmann::json::parse(*files::read(path));
    EXPECT_EQ(json["frames"][0]["file"], "a.jpg");
    EXPECT_EQ(json["frames"][1]["file"], "\uFFFD\uFFFD.jpg");
}

TEST(Json, EmptyRunFitsItsSchema) {
    const Folder folder;
    const std::string path = joined("json", make_stream(64, 48, {}), folder);
    kit::expect_valid("detections.schema.json", path);
    const auto json = nlohmann::json::parse(*files::read(path));
    EXPECT_TRUE(json["frames"].empty());
    EXPECT_TRUE(json["alerts"].empty());
}

TEST(Csv, HasAHeaderAndQuotesWhatNeedsIt) {
    const Folder folder;
    EXPECT_EQ(*files::read(joined("csv", make_stream(60, 48, {6}), folder)),
              "frame,time_s,file,x,y,width,height,score,class,class_id,model,track\r\n"
              "0,0.000000,,15.00,12.00,30.00,24.00,0.8750,person,0,detect/test@1,3\r\n"
              "0,0.000000,,0.00,0.00,20.00,16.00,0.1235,\"car, \"\"blue\"\"\",1,detect/test@1,\r\n"
              "4,0.400000,,16.33,12.00,30.00,24.00,0.8750,person,0,detect/test@1,3\r\n"
              "4,0.400000,,0.00,4.00,20.00,16.00,0.1235,person,0,detect/test@1,\r\n");
}

TEST(Tracks, HoldEachTrackFromItsFirstFrameToItsLastAndFitTheirSchema) {
    const Folder folder;
    const std::string path = joined("tracks", make_stream(60, 48, {5, 6}), folder);
    kit::expect_valid("tracks.schema.json", path);
    const auto json = nlohmann::json::parse(*files::read(path));
    EXPECT_EQ(json["stream"]["name"], "клип 監視 \"1\".mp4");
    ASSERT_EQ(json["tracks"].size(), 1u) << "boxes without a track are not in it";
    const auto& track = json["tracks"][0];
    EXPECT_EQ(track["track"], 3);
    EXPECT_EQ(track["class"], "person");
    EXPECT_EQ(track["model"], "detect/test@1");
    EXPECT_EQ(track["first_frame"], 0);
    EXPECT_EQ(track["last_frame"], 8);
    EXPECT_DOUBLE_EQ(track["last_s"], 0.8);
    ASSERT_EQ(track["boxes"].size(), 3u);
    EXPECT_EQ(track["boxes"][1]["frame"], 4);
    EXPECT_DOUBLE_EQ(track["boxes"][1]["x"], 16.33);
}

TEST(Tracks, EmptyRunFitsItsSchema) {
    const Folder folder;
    kit::expect_valid("tracks.schema.json", joined("tracks", make_stream(64, 48, {}), folder));
}

TEST(Mot, HasTheTracksOfEveryFrameFromOne) {
    const Folder folder;
    EXPECT_EQ(*files::read(joined("mot", make_stream(60, 48, {3, 3}), folder)),
              "1,3,15.00,12.00,30.00,24.00,0.8750,-1,-1,-1\n"
              "5,3,16.33,12.00,30.00,24.00,0.8750,-1,-1,-1\n");
}

TEST(Mot, FramesBetweenSamplesAreInIt) {
    const Folder folder;
    const auto made = make_stream(60, 48, {2});
    const auto& mot = kit::exporter_named("mot");
    const std::string part = folder / "0";
    auto writer = mot.open_part({made.spec, made.stream, made.rows[0]}, part);
    ASSERT_TRUE(writer);
    const std::vector<schema::Box> boxes{{1, 2, 3, 4, 0.5f, 0, 0, 7}};
    for (const std::int64_t f : {0, 1})
        ASSERT_TRUE((*writer)->add({nullptr, f, 500 + f * 100, 100, f == 0, boxes}));
    ASSERT_TRUE((*writer)->finish());
    const std::vector parts{part};
    ASSERT_TRUE(
        mot.join({made.spec, made.stream, made.rows, parts, made.alerts, "", true}, folder.make("out")));
    EXPECT_EQ(*files::read(folder / "out/mot.txt"),
              "1,7,1.00,2.00,3.00,4.00,0.5000,-1,-1,-1\n"
              "2,7,1.00,2.00,3.00,4.00,0.5000,-1,-1,-1\n");
}

TEST(Mot, WithoutATrackerItIsAFileOfDetections) {
    const Folder folder;
    auto made = make_stream(60, 48, {1});
    made.spec.tracker.kind = "none";
    EXPECT_EQ(*files::read(joined("mot", made, folder)),
              "1,-1,15.00,12.00,30.00,24.00,0.8750,-1,-1,-1\n"
              "1,-1,0.00,0.00,20.00,16.00,0.1235,-1,-1,-1\n");
}

TEST(Coco, HasImagesAnnotationsAndCategories) {
    const Folder folder;
    auto made = make_stream(60, 48, {6});
    made.spec.pools.push_back(made.spec.pools[0]);
    made.spec.pools[1].classes = {"dog", "person"};
    const auto json = nlohmann::json::parse(*files::read(joined("coco", made, folder)));
    ASSERT_EQ(json["images"].size(), 3u);
    EXPECT_EQ(json["images"][2],
              nlohmann::json::parse(
                  R"({"id":3,"width":60,"height":48,"file_name":"000004.jpg","frame":4,"time_s":0.4})"));
    ASSERT_EQ(json["annotations"].size(), 4u);
    EXPECT_EQ(
        json["annotations"][2],
        nlohmann::json::parse(
            R"({"id":3,"image_id":3,"category_id":1,"bbox":[16.33,12.0,30.0,24.0],"area":720.0,"iscrowd":0,"score":0.875,"track_id":3})"));
    EXPECT_FALSE(json["annotations"][3].contains("track_id"));
    ASSERT_EQ(json["categories"].size(), 4u) << "person is one category, whoever finds it";
    EXPECT_EQ(json["categories"][1]["id"], 2);
    EXPECT_EQ(json["categories"][1]["name"], "car, \"blue\"");
    EXPECT_EQ(json["categories"][3]["name"], "dog");
}

TEST(Coco, NamesThePicturesOfAFolder) {
    const Folder folder;
    auto made = make_stream(64, 48, {3});
    made.stream.source = "images";
    made.stream.names = {"a.jpg", "b.jpg", "c.jpg"};
    const auto json = nlohmann::json::parse(*files::read(joined("coco", made, folder)));
    EXPECT_EQ(json["images"][1]["file_name"], "c.jpg");
}

TEST(Webvtt, CountsHoldUntilTheNextDetectedFrameAndMarkupIsEscaped) {
    const Folder folder;
    auto made = make_stream(64, 48, {3, 6});
    made.spec.pools[0].classes = {"person", "<b>&"};
    EXPECT_EQ(*files::read(joined("webvtt", made, folder)),
              "WEBVTT\n"
              "\n00:00:00.000 --> 00:00:00.200\n1 &lt;b&gt;&amp;, 1 person\n"
              "\n00:00:00.400 --> 00:00:00.600\n2 person\n"
              "\n00:00:00.800 --> 00:00:00.900\n1 &lt;b&gt;&amp;, 1 person\n");
}

TEST(Webvtt, EqualNeighboursAreOneCueAcrossChunks) {
    const Folder folder;
    auto made = make_stream(64, 48, {20, 20});
    const schema::Box person{1, 1, 2, 2, 0.5f, 0, 0};
    std::vector<std::string> parts;
    for (const std::int64_t first : {0, 20}) {
        schema::Detections found;
        for (const std::int64_t frame : {first, first + 10})
            found.frames.push_back({frame, 500 + frame * 100, {person}});
        const auto bytes = schema::encode(found);
        parts.push_back(folder / std::to_string(first));
        ASSERT_TRUE(
            files::write_durably(parts.back(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    }
    const std::string out = folder.make("out");
    const auto done = kit::exporter_named("webvtt").join(
        {made.spec, made.stream, made.rows, parts, made.alerts, "", true}, out);
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_EQ(*files::read(out + "/" + done->path), "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n1 person\n");
}

TEST(Sheet, ShowsTwelveFramesSpreadEvenlyWhateverTheChunks) {
    for (const auto& chunks : {std::vector{120}, {10, 50, 60}, {2, 2, 2, 114}}) {
        const Folder folder;
        const auto output = kit::run(kit::exporter_named("sheet"), make_stream(64, 48, chunks), folder / "a");
        ASSERT_TRUE(output) << output.error().text();
        const auto frames = nlohmann::json::parse(output->meta)["frames"].get<std::vector<std::int64_t>>();
        ASSERT_EQ(frames.size(), 12u);
        EXPECT_LT(frames[0], chunks[0]);
        for (std::size_t i = 1; i < 12; ++i) EXPECT_EQ(frames[i], std::int64_t(10 * i + 5));
    }
}

}  // namespace
}  // namespace sl::annotate
