// What the scan says of inputs that are no video, broken, turned, or to be sampled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/files.hpp"
#include "common/media/keyframe.hpp"
#include "tests/support/clips.hpp"

namespace sl::media {
namespace {

std::string clip_path(const std::string& name) {
    std::string why;
    return test::path(test::clip(name), why);
}

ScanOptions quick() {
    ScanOptions o;
    o.min_chunk_s = 1;
    return o;
}

TEST(Scan, RefusesTextNamedLikeAVideo) {
    const std::string path = test::scratch() + "/text.mp4";
    std::ofstream(path) << "This is no video at all.\n";
    const auto scan = scan_file(path, quick());
    ASSERT_FALSE(scan);
    EXPECT_EQ(scan.error().code, Errc::bad_media);
    EXPECT_THAT(scan.error().message, testing::HasSubstr(path));
    EXPECT_FALSE(scan.error().hint.empty());
}

TEST(Scan, RefusesAFileWithoutVideo) {
    const std::string path = test::scratch() + "/sound.wav";
    ASSERT_EQ(test::shell("ffmpeg -loglevel error -y -f lavfi -i sine=duration=1 " + path), 0);
    const auto scan = scan_file(path, quick());
    ASSERT_FALSE(scan);
    EXPECT_EQ(scan.error().code, Errc::bad_media);
    EXPECT_THAT(scan.error().message, testing::HasSubstr("no video stream"));
}

TEST(Scan, SaysThatAFileIsNotThere) {
    const auto scan = scan_file(test::scratch() + "/nothing.mp4", quick());
    ASSERT_FALSE(scan);
    EXPECT_EQ(scan.error().code, Errc::not_found);
}

TEST(Scan, WarnsOfTruncatedInputAndOfNoOther) {
    for (const auto* name : {"truncated.mp4", "truncated.mkv", "truncated.avi", "truncated.ts"}) {
        const auto scan = scan_file(clip_path(name), quick());
        ASSERT_TRUE(scan) << name << ": " << scan.error().text();
        EXPECT_THAT(scan->stream.warnings, testing::Contains("input_truncated")) << name;
        EXPECT_GT(scan->stream.frames, 20) << name;
    }
    for (const auto* name :
         {"plain.mp4", "vfr.mp4", "vfr.mkv", "sound.ts", "sound.mp4", "pcm.avi", "late_start.mkv", "odd.webm",
          "mpeg2.mpg", "ntsc.avi", "palette.gif", "edit_list.mp4", "one_frame.mp4"}) {
        const auto scan = scan_file(clip_path(name), quick());
        ASSERT_TRUE(scan) << name << ": " << scan.error().text();
        EXPECT_THAT(scan->stream.warnings, testing::IsEmpty()) << name;
    }
}

TEST(Scan, StopsWhenAsked) {
    auto options = quick();
    options.stop = [] { return true; };
    options.max_chunk_s = 3;
    options.recut_path = test::scratch() + "/stopped.recut";
    const auto scan = scan_file(clip_path("one_key.mp4"), options);
    ASSERT_FALSE(scan);
    EXPECT_EQ(scan.error().code, Errc::canceled);
    EXPECT_FALSE(std::filesystem::exists(options.recut_path));
    EXPECT_FALSE(std::filesystem::exists(options.recut_path + ".tmp"));
}

TEST(Scan, ReportsProgressOfARecut) {
    auto options = quick();
    options.max_chunk_s = 3;
    options.recut_path = test::scratch() + "/progress.recut";
    std::int64_t last = 0;
    options.progress = [&](std::int64_t frames) { last = frames; };
    const auto scan = scan_file(clip_path("one_key.mp4"), options);
    ASSERT_TRUE(scan) << scan.error().text();
    EXPECT_EQ(last, scan->stream.frames);
    EXPECT_EQ(scan->stream.recut.path, options.recut_path);
    EXPECT_FALSE(std::filesystem::exists(options.recut_path + ".tmp"));
}

TEST(Scan, CutsByBytesToo) {
    auto options = quick();
    options.max_chunk_bytes = 20'000;
    options.recut_path = test::scratch() + "/large.recut";
    const auto scan = scan_file(clip_path("plain.mp4"), options);
    ASSERT_TRUE(scan) << scan.error().text();
    EXPECT_THAT(scan->stream.recut_reason, testing::HasSubstr("chunks over"));
}

class ScanSampling : public testing::TestWithParam<Sampling> {};

TEST_P(ScanSampling, SampledFramesDoNotDependOnWhereChunksEnd) {
    const Sampling sampling = GetParam();
    for (const auto* name : {"vfr.mp4", "open_gop.ts", "bframes.mp4"}) {
        std::vector<std::int64_t> expected;
        for (const double min_s : {0.1, 1.0, 2.0, 100.0}) {
            auto options = quick();
            options.min_chunk_s = min_s;
            options.sampling = sampling;
            const auto scan = scan_file(clip_path(name), options);
            ASSERT_TRUE(scan) << scan.error().text();
            auto cutter = Cutter::open(clip_path(name), scan->stream);
            ASSERT_TRUE(cutter);
            std::vector<std::int64_t> sampled;
            for (const auto& row : scan->rows) {
                const auto bytes = (*cutter)->cut(row);
                ASSERT_TRUE(bytes) << bytes.error().text();
                std::int64_t here = 0;
                const auto report = decode_chunk(scan->stream, row, sampling, *bytes, [&](const Decoded& d) {
                    if (d.sampled) sampled.push_back(d.ordinal), ++here;
                    return true;
                });
                ASSERT_TRUE(report) << report.error().text();
                EXPECT_EQ(here, row.sampled);
                EXPECT_EQ(report->sampled_missing, 0);
            }
            if (expected.empty()) expected = sampled;
            EXPECT_EQ(sampled, expected) << name << " with chunks of " << min_s << " s";
        }
        if (sampling.every > 0) {
            for (std::size_t i = 0; i < expected.size(); ++i)
                EXPECT_EQ(expected[i], std::int64_t(i) * sampling.every) << name;
            continue;
        }
        EXPECT_GE(expected.size(), 12u) << name;
        EXPECT_LE(expected.size(), 21u) << name;
    }
}
INSTANTIATE_TEST_SUITE_P(Grids, ScanSampling, testing::Values(Sampling(4), Sampling(0, 7), Sampling(4, 3)),
                         [](const auto& row) {
                             return "fps" + std::to_string(int(row.param.fps)) + "every" +
                                    std::to_string(row.param.every);
                         });

TEST(Scan, CutterRefusesAFileThatChanged) {
    const std::string path = test::scratch() + "/changing.mp4";
    std::filesystem::copy_file(clip_path("plain.mp4"), path);
    const auto scan = scan_file(path, quick());
    ASSERT_TRUE(scan);
    std::filesystem::copy_file(clip_path("bframes.mp4"), path,
                               std::filesystem::copy_options::overwrite_existing);
    auto cutter = Cutter::open(path, scan->stream);
    ASSERT_TRUE(cutter);
    const auto bytes = (*cutter)->cut(scan->rows.back());
    ASSERT_FALSE(bytes);
    EXPECT_EQ(bytes.error().code, Errc::bad_media);
}

TEST(Scan, DecodingRefusesARowOfAnotherChunk) {
    const auto scan = scan_file(clip_path("plain.mp4"), quick());
    ASSERT_TRUE(scan);
    auto cutter = Cutter::open(clip_path("plain.mp4"), scan->stream);
    const auto bytes = (*cutter)->cut(scan->rows.front());
    auto row = scan->rows.front();
    ++row.frames;
    const auto report = decode_chunk(scan->stream, row, 0, *bytes, [](const Decoded&) { return true; });
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::bad_message);
}

TEST(Scan, GradualRecoveryPointsAreNoCleanKeys) {
    const auto codec = new_parameters();
    codec->codec_id = AV_CODEC_ID_H264;
    const auto clean = [&](schema::Bytes bytes) {
        AVPacket packet{};
        packet.data = bytes.data();
        packet.size = int(bytes.size());
        packet.flags = AV_PKT_FLAG_KEY;
        return clean_key(*codec, packet);
    };
    const schema::Bytes recovery_0{0, 0, 1, 6, 6, 1, 0x80, 0x80, 0, 0, 1, 0x41, 0x9A};
    const schema::Bytes recovery_19{0, 0, 1, 6, 6, 2, 0x0A, 0x10, 0x80, 0, 0, 1, 0x41, 0x9A};
    const schema::Bytes idr{0, 0, 1, 0x65, 0x88};
    EXPECT_TRUE(clean(recovery_0));
    EXPECT_FALSE(clean(recovery_19));
    EXPECT_TRUE(clean(idr));
    EXPECT_TRUE(clean({}));
}

}  // namespace
}  // namespace sl::media
