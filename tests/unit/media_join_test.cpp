// Joins: audio, prefixes, broken parts, and that the chunked path is a plain transcode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/files.hpp"
#include "common/media/libav.hpp"
#include "tests/support/clips.hpp"

namespace sl::media {
namespace {

struct Encoded {
    std::string source;
    Scan scan;
    std::vector<std::string> segments;
};

std::string clip_path(const std::string& name) {
    std::string why;
    return test::path(test::clip(name), why);
}

Encoded encode(const std::string& source, const std::string& tag,
               const EncodeOptions& options = {"ultrafast", 23}) {
    ScanOptions o;
    o.min_chunk_s = 1;
    o.recut_path = test::scratch() + "/" + tag + ".recut";
    auto scan = scan_file(source, o);
    if (!scan) throw std::runtime_error(scan.error().text());
    Encoded out{source, std::move(*scan), {}};
    const auto& stream = out.scan.stream;
    auto cutter = Cutter::open(stream.recut.path.empty() ? source : stream.recut.path, stream);
    for (const auto& row : out.scan.rows) {
        out.segments.push_back(test::scratch() + "/" + tag + ".seg" + std::to_string(row.seq));
        const auto bytes = (*cutter)->cut(row);
        auto segment = SegmentEncoder::open(stream, row.seq, options, out.segments.back());
        Upright upright(stream);
        const auto decoded = decode_chunk(stream, row, 0, *bytes, [&](const Decoded& d) {
            return bool((*segment)->add(**upright.convert(*d.frame), d.pts, d.duration));
        });
        if (!decoded || !(*segment)->finish()) throw std::runtime_error("cannot encode " + source);
    }
    return out;
}

std::string said(const std::string& command) {
    std::string output;
    EXPECT_EQ(test::shell(command, &output), 0) << output;
    return output;
}

double seconds(const std::string& path, const std::string& stream) {
    return std::stod(said("ffprobe -v error -select_streams " + stream +
                          " -show_entries stream=duration -of csv=p=0 '" + path + "'"));
}

std::string out(const std::string& name) {
    return test::scratch() + "/" + name;
}

// The plain way: one decoder from start to end, no cutter, an encoder restarted where chunks begin.
TEST(Join, WithoutDrawingIsAPlainTranscode) {
    for (const auto* name : {"plain.mp4", "bframes.mp4", "open_gop.ts", "open_gop_265.mp4", "vfr.mp4",
                             "odd.webm", "turned_90.mp4"}) {
        const auto chunked = encode(clip_path(name), std::string(name) + ".chunked");
        const auto& stream = chunked.scan.stream;
        std::vector<std::string> plain;
        std::unique_ptr<SegmentEncoder> segment;
        Upright upright(stream);
        std::size_t next = 0;
        test::decode_sequentially(chunked.source, [&](const AVFrame& frame) {
            if (next < chunked.scan.rows.size() && frame.pts >= chunked.scan.rows[next].pts) {
                if (segment) {
                    ASSERT_TRUE(segment->finish());
                }
                plain.push_back(out(std::string(name) + ".plain" + std::to_string(next)));
                segment = std::move(
                    *SegmentEncoder::open(stream, std::int64_t(next), {"ultrafast", 23}, plain.back()));
                ++next;
            }
            ASSERT_TRUE(segment->add(**upright.convert(frame), frame.pts, frame.pkt_duration));
        });
        ASSERT_TRUE(segment->finish());
        ASSERT_TRUE(join_segments(stream, chunked.segments, "", out("chunked.mp4")));
        ASSERT_TRUE(join_segments(stream, plain, "", out("plain_way.mp4")));
        EXPECT_EQ(test::decode_sequentially(out("chunked.mp4")),
                  test::decode_sequentially(out("plain_way.mp4")))
            << name;
    }
}

TEST(Join, CopiesAudioByteForByte) {
    for (const auto* name : {"sound.mp4", "late_start.mkv"}) {
        const auto e = encode(clip_path(name), name);
        const auto joined = join_segments(e.scan.stream, e.segments, e.source, out("copied.mp4"));
        ASSERT_TRUE(joined) << joined.error().text();
        EXPECT_EQ(joined->audio, "copy");
        const auto packets = [](const std::string& path) {
            return said("ffmpeg -v error -nostdin -i '" + path + "' -map 0:a -c copy -f streamhash -");
        };
        EXPECT_EQ(packets(out("copied.mp4")), packets(e.source)) << name;
    }
    const auto e =
        encode(clip_path("sound.ts"), "sound.ts");  // ADTS there, none in MP4: the sound is the same
    ASSERT_TRUE(join_segments(e.scan.stream, e.segments, e.source, out("copied.mp4")));
    const auto frames = [](const std::string& path) {
        return said(
            "ffprobe -v error -select_streams a -count_frames -show_entries stream=nb_read_frames -of "
            "csv=p=0 '" +
            path + "'");
    };
    EXPECT_EQ(std::stoi(frames(out("copied.mp4"))), std::stoi(frames(e.source)));
}

TEST(Join, KeepsPictureAndSoundTogether) {
    const auto e = encode(clip_path("late_start.mkv"), "late");
    const auto joined = join_segments(e.scan.stream, e.segments, e.source, out("late.mp4"));
    ASSERT_TRUE(joined);
    EXPECT_GT(joined->origin_pts, 5000);  // 1 ms ticks: all is moved to begin at 0
    const auto starts = [](const std::string& path) {
        const auto at = [&](const char* s) {
            return std::stod(said("ffprobe -v error -select_streams " + std::string(s) +
                                  " -show_entries stream=start_time -of csv=p=0 '" + path + "'"));
        };
        return at("v:0") - at("a:0");
    };
    EXPECT_NEAR(starts(out("late.mp4")), starts(e.source), 0.025);  // AAC's priming is one frame of 23 ms
}

TEST(Join, EncodesAudioThatMp4CannotHold) {
    for (const auto* name : {"pcm.avi", "pcm.mkv"}) {
        const auto e = encode(clip_path(name), name);
        const auto joined = join_segments(e.scan.stream, e.segments, e.source, out("aac.mp4"));
        ASSERT_TRUE(joined) << joined.error().text();
        EXPECT_EQ(joined->audio, "aac");
        EXPECT_THAT(said("ffprobe -v error -select_streams a -show_entries stream=codec_name -of csv=p=0 " +
                         out("aac.mp4")),
                    testing::HasSubstr("aac"));
        EXPECT_NEAR(seconds(out("aac.mp4"), "a:0"), 5, 0.05);
        // The 440 Hz tone is still there: loud, and not silence.
        EXPECT_THAT(said("ffmpeg -nostdin -i " + out("aac.mp4") + " -map 0:a -af volumedetect -f null -"),
                    testing::HasSubstr("mean_volume: -2"));
    }
}

TEST(Join, ClipsAudioToAPrefix) {
    const auto e = encode(clip_path("sound.mp4"), "prefix");
    ASSERT_GE(e.segments.size(), 4u);
    const auto joined =
        join_segments(e.scan.stream, std::span(e.segments).first(2), e.source, out("prefix.mp4"));
    ASSERT_TRUE(joined) << joined.error().text();
    EXPECT_EQ(joined->frames, e.scan.rows[0].frames + e.scan.rows[1].frames);
    EXPECT_NEAR(seconds(out("prefix.mp4"), "a:0"), seconds(out("prefix.mp4"), "v:0"), 0.05);
    EXPECT_EQ(said("ffmpeg -v warning -nostdin -i " + out("prefix.mp4") + " -f null -"), "");
}

TEST(Join, GoesOnWithoutAudioThatCannotBeRead) {
    const auto e = encode(clip_path("sound.mp4"), "broken");
    std::ofstream(out("broken.bin")) << "no media";
    const auto joined = join_segments(e.scan.stream, e.segments, out("broken.bin"), out("silent.mp4"));
    ASSERT_TRUE(joined) << joined.error().text();
    EXPECT_THAT(joined->audio, testing::StartsWith("dropped: "));
    EXPECT_EQ(joined->frames, e.scan.stream.frames);
}

TEST(Join, DamagedAudioNeverCostsTheVideo) {
    const auto e = encode(clip_path("sound.ts"), "hurt");
    std::string bytes = *files::read(e.source);
    for (std::size_t i = 2000; i < bytes.size(); i += 397) bytes[i] = char(bytes[i] ^ 0x3C);
    ASSERT_TRUE(files::write_durably(out("hurt.ts"), bytes));
    const auto joined = join_segments(e.scan.stream, e.segments, out("hurt.ts"), out("hurt.mp4"));
    ASSERT_TRUE(joined) << joined.error().text();
    EXPECT_EQ(joined->frames, e.scan.stream.frames);
}

TEST(Join, TakesSegmentsWithoutFrames) {
    const auto e = encode(clip_path("plain.mp4"), "gap");
    auto segments = e.segments;
    segments[1] = out("gap.empty");
    auto empty = SegmentEncoder::open(e.scan.stream, 1, {"ultrafast", 23}, segments[1]);
    ASSERT_TRUE(empty && (*empty)->finish());
    const auto joined = join_segments(e.scan.stream, segments, "", out("gap.mp4"));
    ASSERT_TRUE(joined) << joined.error().text();
    EXPECT_EQ(joined->frames, e.scan.stream.frames - e.scan.rows[1].frames);
}

TEST(Join, RefusesSegmentsOfOtherSettingsOrOutOfOrder) {
    const auto e = encode(clip_path("plain.mp4"), "fast");
    const auto other = encode(clip_path("plain.mp4"), "slow", {"veryfast", 23});
    const std::vector<std::string> mixed{e.segments[0], other.segments[1]},
        backwards{e.segments[1], e.segments[0]};
    auto joined = join_segments(e.scan.stream, mixed, "", out("mixed.mp4"));
    ASSERT_FALSE(joined);
    EXPECT_THAT(joined.error().message, testing::HasSubstr("other settings"));
    joined = join_segments(e.scan.stream, backwards, "", out("mixed.mp4"));
    ASSERT_FALSE(joined);
    EXPECT_THAT(joined.error().message, testing::HasSubstr("does not come after"));
    EXPECT_FALSE(join_segments(e.scan.stream, {}, "", out("mixed.mp4")));
    EXPECT_FALSE(
        join_segments(e.scan.stream, std::vector<std::string>{out("no such")}, "", out("mixed.mp4")));
}

TEST(Join, BeginsWithTheIndexAndKeepsColourAndSize) {
    const auto e = encode(clip_path("full_range.mp4"), "range");
    ASSERT_TRUE(join_segments(e.scan.stream, e.segments, "", out("range.mp4")));
    const std::string bytes = *files::read(out("range.mp4"));
    EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
    EXPECT_THAT(
        said("ffprobe -v error -show_entries stream=color_range,width -of csv=p=0 " + out("range.mp4")),
        testing::HasSubstr("192,pc"));
    const auto turned = encode(clip_path("turned_90.mp4"), "turned");
    ASSERT_TRUE(join_segments(turned.scan.stream, turned.segments, "", out("turned.mp4")));
    const auto shown = said("ffprobe -v error -show_streams " + out("turned.mp4"));
    EXPECT_THAT(shown, testing::HasSubstr("width=144"));
    EXPECT_THAT(shown, testing::Not(testing::HasSubstr("rotation")));  // pixels are upright: no matrix
}

TEST(Join, SegmentsPlayOneAfterAnotherWhileTheJobRuns) {
    const auto e = encode(clip_path("bframes.mp4"), "live");
    std::string files;
    for (const auto& segment : e.segments) files += " '" + segment + "'";
    ASSERT_EQ(test::shell("cat" + files + " > " + out("live.mp4")), 0);
    EXPECT_EQ(test::decode_sequentially(out("live.mp4")).size(), std::size_t(e.scan.stream.frames));
}

TEST(Segment, RefusesFramesOfAnotherSizeAndUnknownPresets) {
    const auto e = encode(clip_path("plain.mp4"), "refuse");
    auto other = e.scan.stream;
    other.width = 64;
    auto segment = SegmentEncoder::open(other, 0, {"ultrafast", 23}, out("refuse.seg"));
    ASSERT_TRUE(segment);
    FramePtr picture;
    test::decode_sequentially(e.source, [&](const AVFrame& f) {
        if (!picture) picture = std::move(*Upright(e.scan.stream).convert(f));
    });
    EXPECT_FALSE((*segment)->add(*picture, 0, 1));
    EXPECT_FALSE(SegmentEncoder::open(e.scan.stream, 0, {"no_such_preset", 23}, out("refuse.seg")));
}

}  // namespace
}  // namespace sl::media
