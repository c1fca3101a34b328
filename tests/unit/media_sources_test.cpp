// Sources: the table, and what each makes of its inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/files.hpp"
#include "common/media/libav.hpp"
#include "tests/support/clips.hpp"
#include "workers/ingest/source.hpp"

namespace sl::ingest {
namespace {
namespace fs = std::filesystem;

const SourcePlugin* claimant(const std::string& path) {
    const SourcePlugin* best = nullptr;
    for (const auto* plugin : source_table())
        if (plugin->claims(path) > (best ? best->claims(path) : 0)) best = plugin;
    return best;
}

std::string claimed_by(const std::string& path) {
    const auto* plugin = claimant(path);
    return plugin ? plugin->name : "nobody";
}

std::string write(const std::string& name, const std::string& text) {
    const std::string path = test::scratch() + "/" + name;
    std::ofstream(path) << text;
    return path;
}

// Pictures of several sizes and kinds, one of them cut off, one no picture at all.
std::string picture_folder() {
    const std::string folder = test::scratch() + "/pictures";
    if (fs::exists(folder)) return folder;
    fs::create_directory(folder);
    const std::string make = "ffmpeg -loglevel error -nostdin -y -f lavfi -i testsrc=size=";
    for (const auto* picture : {"64x48 {}/b.png", "80x40 {}/a.jpg", "33x61 {}/d.JPEG", "64x48 {}/e.jpg"}) {
        std::string p = picture;
        p.replace(p.find("{}"), 2, folder);
        const auto space = p.find(' ');
        EXPECT_EQ(test::shell(make + p.substr(0, space) + " -frames:v 1 -update 1 " + p.substr(space)), 0);
    }
    fs::resize_file(folder + "/e.jpg", fs::file_size(folder + "/e.jpg") / 2);
    std::ofstream(folder + "/f.png") << "not a picture";
    std::ofstream(folder + "/notes.txt") << "labels";
    return folder;
}

struct Shown {
    std::vector<std::string> hashes;
    media::DecodeReport report;
};

Shown decode_all(Source& source, const media::Scan& scan, const std::string& recut_path) {
    Shown shown;
    for (const auto& row : scan.rows) {
        const auto bytes = source.chunk(scan.stream, row, recut_path);
        EXPECT_TRUE(bytes) << bytes.error().text();
        media::Upright upright(scan.stream);
        const auto report = media::decode_chunk(scan.stream, row, 0, *bytes, [&](const media::Decoded& d) {
            const auto picture = upright.convert(*d.frame);
            EXPECT_TRUE(picture) << picture.error().text();
            shown.hashes.push_back(test::pixel_hash(**picture));
            return true;
        });
        EXPECT_TRUE(report) << report.error().text();
        shown.report.packets += report->packets;
        shown.report.frames += report->frames;
        shown.report.errors += report->errors;
        shown.report.sampled_missing += report->sampled_missing;
    }
    return shown;
}

TEST(Sources, EachInputHasItsSource) {
    std::string why;
    EXPECT_EQ(claimed_by(test::path(test::clip("plain.mp4"), why)), "file");
    EXPECT_EQ(claimed_by(picture_folder()), "images");
    EXPECT_EQ(claimed_by(picture_folder() + "/a.jpg"), "images");
    EXPECT_EQ(claimed_by(picture_folder() + "/d.JPEG"), "images");
    EXPECT_EQ(claimed_by(write("scene.synthetic", "frames: 3\n")), "synthetic");
    fs::create_directory(test::scratch() + "/mixed");
    fs::copy_file(picture_folder() + "/a.jpg", test::scratch() + "/mixed/a.jpg");
    write("mixed/clip.MP4", "x");
    EXPECT_EQ(claimed_by(test::scratch() + "/mixed"), "nobody");  // the caller takes its files one by one
    fs::create_directory(test::scratch() + "/empty");
    EXPECT_EQ(claimed_by(test::scratch() + "/empty"), "nobody");
}

TEST(Sources, FileScansAndCuts) {
    std::string why;
    const std::string path = test::path(test::clip("bframes.mp4"), why);
    auto source = claimant(path)->open({{}, path});
    ASSERT_TRUE(source);
    media::ScanOptions options;
    options.min_chunk_s = 1;
    const auto scan = (*source)->scan(options);
    ASSERT_TRUE(scan) << scan.error().text();
    EXPECT_EQ(scan->stream.source, "file");
    EXPECT_EQ(decode_all(**source, *scan, "").report.frames, 125);
}

TEST(Sources, PicturesMakeAStreamByName) {
    auto source = claimant(picture_folder())->open({{}, picture_folder()});
    ASSERT_TRUE(source);
    const auto scan = (*source)->scan({});
    ASSERT_TRUE(scan) << scan.error().text();
    const auto& stream = scan->stream;
    EXPECT_THAT(stream.names, testing::ElementsAre("a.jpg", "b.png", "d.JPEG", "e.jpg", "f.png"));
    EXPECT_EQ(stream.frames, 5);
    EXPECT_EQ(stream.width, 80);
    EXPECT_EQ(stream.height, 61);
    EXPECT_EQ(stream.fit, "pad");
    ASSERT_EQ(scan->rows.size(), 1u);
    EXPECT_EQ(scan->rows[0].batches, 1);
    EXPECT_EQ(scan->rows[0].end_pts, 5000);

    const auto shown = decode_all(**source, *scan, "");
    EXPECT_EQ(shown.report.packets, 5);
    EXPECT_EQ(shown.report.frames, 3);  // the cut-off one and the text are dropped, and counted
    EXPECT_EQ(shown.report.errors, 2);
    EXPECT_EQ(shown.report.sampled_missing, 2);
    EXPECT_EQ(shown.hashes, decode_all(**source, *scan, "").hashes);
}

TEST(Sources, OnePictureIsAStreamOfOne) {
    const std::string path = picture_folder() + "/b.png";
    auto source = claimant(path)->open({{}, path});
    ASSERT_TRUE(source);
    const auto scan = (*source)->scan({});
    ASSERT_TRUE(scan) << scan.error().text();
    EXPECT_EQ(scan->stream.frames, 1);
    EXPECT_EQ(scan->stream.width, 64);
    EXPECT_EQ(decode_all(**source, *scan, "").report.frames, 1);
}

TEST(Sources, PicturesThatChangedAreRefused) {
    const std::string path = test::scratch() + "/changing.png";
    fs::copy_file(picture_folder() + "/b.png", path);
    auto source = claimant(path)->open({{}, path});
    const auto scan = (*source)->scan({});
    ASSERT_TRUE(scan);
    write("changing.png", "gone");
    EXPECT_FALSE((*source)->chunk(scan->stream, scan->rows[0], ""));
    const auto nothing = (*claimant(path)->open({{}, path}))->scan({});
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code, Errc::bad_media);
}

TEST(Sources, RealPicturesDecode) {
    const char* data = std::getenv("SIGHTLINE_TEST_DATA");
    const std::string folder = data ? std::string(data) + "/coco64/images" : "";
    if (!data || !fs::exists(folder)) {
        const char* required = std::getenv("SIGHTLINE_REQUIRE_DATA");
        ASSERT_FALSE(required && std::string(required) == "1")
            << "SIGHTLINE_TEST_DATA names no coco64/images";
        GTEST_SKIP() << "SIGHTLINE_TEST_DATA names no coco64/images";
    }
    auto source = claimant(folder)->open({{}, folder});
    ASSERT_TRUE(source);
    const auto scan = (*source)->scan({});
    ASSERT_TRUE(scan) << scan.error().text();
    EXPECT_EQ(scan->stream.frames, 64);
    EXPECT_EQ(scan->rows.size(), 4u);
    EXPECT_EQ(scan->stream.width, 640);
    EXPECT_EQ(scan->stream.height, 640);
    EXPECT_EQ(decode_all(**source, *scan, "").report.frames, 64);
}

TEST(Sources, SyntheticScenesAreTheSameEveryTime) {
    const std::string path =
        write("move.synthetic", "# a scene\nwidth: 160\nheight: 120\nfps: 10\nframes: 55\nseed: 7\n");
    std::vector<std::string> sums;
    for (const auto* tag : {"one", "two"}) {
        auto source = claimant(path)->open({{}, path});
        ASSERT_TRUE(source);
        media::ScanOptions options;
        options.recut_path = test::scratch() + "/move." + tag;
        const auto scan = (*source)->scan(options);
        ASSERT_TRUE(scan) << scan.error().text();
        EXPECT_EQ(scan->stream.frames, 55);
        EXPECT_EQ(scan->rows.size(), 3u);
        sums.push_back(*files::sha256_file(options.recut_path));
        const auto shown = decode_all(**source, *scan, options.recut_path);
        EXPECT_EQ(shown.report.frames, 55);
        EXPECT_NE(shown.hashes.front(), shown.hashes.back());  // things move
    }
    EXPECT_EQ(sums[0], sums[1]);
}

TEST(Sources, SyntheticTextsAreCheckedLineByLine) {
    media::ScanOptions options;
    options.recut_path = test::scratch() + "/never";
    for (const auto& [text, why] : {std::pair{"width: 161\n", "line 1"},
                                    {"fps: 25\nwidht: 160\n", "'widht' is no key"},
                                    {"frames: many\n", "must be a number"},
                                    {"frames\n", "must be a number"}}) {
        const std::string path = write("wrong.synthetic", text);
        const auto scan = (*claimant(path)->open({{}, path}))->scan(options);
        ASSERT_FALSE(scan) << text;
        EXPECT_THAT(scan.error().message, testing::HasSubstr(why));
    }
    EXPECT_FALSE(fs::exists(options.recut_path));
}

}  // namespace
}  // namespace sl::ingest
