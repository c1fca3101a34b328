// Every kind of clip through the whole media path: scan, cut, decode alone, encode segments, join.
//
// What is proven for each: the union of the chunks' decodes is the sequential decode, bit for bit; the joined
// file has its frames at its times; two runs in other orders give the same bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "common/files.hpp"
#include "common/media/libav.hpp"
#include "tests/support/clips.hpp"

namespace sl::media {
namespace {

using test::Shown;

class Clips : public testing::TestWithParam<test::Clip> {
protected:
    void SetUp() override {
        std::string why;
        path_ = test::path(GetParam(), why);
        if (!path_.empty()) return;
        const char* required = std::getenv("SIGHTLINE_REQUIRE_DATA");
        if (required && std::string(required) == "1") FAIL() << why;
        GTEST_SKIP() << why;
    }

    static ScanOptions options(const std::string& tag = "a") {
        ScanOptions o;
        o.min_chunk_s = 1;
        o.max_chunk_s = GetParam().command.empty() ? 30 : 3;
        o.recut_path = test::scratch() + "/" + GetParam().name + "." + tag + ".recut";
        return o;
    }
    std::string cut_from(const Scan& scan) const {
        return scan.stream.recut.path.empty() ? path_ : scan.stream.recut.path;
    }
    static std::string out(const std::string& end) {
        return test::scratch() + "/" + GetParam().name + "." + end;
    }

    std::string path_;
};

// Each chunk by a cutter of its own (so it seeks) and a decoder of its own.
std::vector<Shown> decode_alone(const std::string& path, const Scan& scan) {
    std::vector<Shown> shown;
    std::int64_t ordinal = 0;
    for (const auto& row : scan.rows) {
        auto cutter = Cutter::open(path, scan.stream);
        EXPECT_TRUE(cutter) << cutter.error().text();
        const auto bytes = (*cutter)->cut(row);
        EXPECT_TRUE(bytes) << bytes.error().text();
        if (!bytes) return shown;
        const auto report = decode_chunk(scan.stream, row, 0, *bytes, [&](const Decoded& d) {
            EXPECT_GE(d.ordinal, ordinal);
            ordinal = d.ordinal + 1;
            EXPECT_GE(d.pts, row.pts);
            EXPECT_LT(d.pts, row.end_pts);
            shown.push_back({d.pts, test::pixel_hash(*d.frame)});
            return true;
        });
        EXPECT_TRUE(report && report->packets == row.frames)
            << (report ? "packets differ" : report.error().text());
    }
    return shown;
}

// Encodes these rows, in this order; returns the segments' paths by row, and what was shown when.
std::vector<std::string> encode(const std::string& cut_from, const schema::StreamInfo& stream,
                                const std::vector<schema::Row>& rows, const std::string& prefix,
                                std::vector<std::int64_t>* times = nullptr) {
    std::vector<std::string> segments;
    auto cutter = Cutter::open(cut_from, stream);
    EXPECT_TRUE(cutter) << cutter.error().text();
    for (const auto& row : rows) {
        segments.push_back(prefix + std::to_string(row.seq));
        const auto bytes = (*cutter)->cut(row);
        EXPECT_TRUE(bytes) << bytes.error().text();
        auto segment = SegmentEncoder::open(stream, row.seq, {"ultrafast", 23}, segments.back());
        EXPECT_TRUE(segment) << segment.error().text();
        if (!bytes || !segment) return segments;
        Upright upright(stream);
        const auto decoded = decode_chunk(stream, row, 0, *bytes, [&](const Decoded& d) {
            auto picture = upright.convert(*d.frame);
            EXPECT_TRUE(picture) << picture.error().text();
            const auto added = (*segment)->add(**picture, d.pts, d.duration);
            EXPECT_TRUE(added) << added.error().text();
            if (times) times->push_back(d.pts);
            return bool(added);
        });
        EXPECT_TRUE(decoded) << decoded.error().text();
        const auto finished = (*segment)->finish();
        EXPECT_TRUE(finished) << finished.error().text();
    }
    return segments;
}

TEST_P(Clips, ChunksDecodedAloneAreTheSequentialDecode) {
    const auto scan = scan_file(path_, options());
    ASSERT_TRUE(scan) << scan.error().text();
    if (GetParam().recut.empty())
        EXPECT_EQ(scan->stream.recut_reason, "");
    else
        EXPECT_THAT(scan->stream.recut_reason, testing::HasSubstr(GetParam().recut));
    EXPECT_EQ(scan->stream.audio, GetParam().audio);

    const auto alone = decode_alone(cut_from(*scan), *scan);
    auto sequential = test::decode_sequentially(path_);
    ASSERT_EQ(alone.size(), sequential.size());
    EXPECT_TRUE(std::is_sorted(alone.begin(), alone.end(), [](auto& a, auto& b) { return a.pts < b.pts; }));
    for (std::size_t i = 0; i < alone.size(); ++i) {
        // AVI without B-frames gives dts alone.
        if (!GetParam().times_lie && sequential[i].pts != AV_NOPTS_VALUE) {
            ASSERT_EQ(alone[i].pts, sequential[i].pts) << "frame " << i;
        }
        // Damaged pictures are concealed with what the chunk has: repeatable, not equal.
        if (!GetParam().damaged) {
            ASSERT_EQ(alone[i].hash, sequential[i].hash) << "frame " << i;
        }
    }
    if (GetParam().damaged) {
        EXPECT_EQ(alone, decode_alone(cut_from(*scan), *scan));
    }
}

TEST_P(Clips, RowsCoverTheStreamWithoutGapOrOverlap) {
    const auto scan = scan_file(path_, options());
    ASSERT_TRUE(scan) << scan.error().text();
    std::int64_t frames = 0, end = scan->rows.front().pts;
    for (std::size_t i = 0; i < scan->rows.size(); ++i) {
        const auto& row = scan->rows[i];
        EXPECT_EQ(row.seq, std::int64_t(i));
        EXPECT_EQ(row.first_frame, frames);
        EXPECT_GE(row.pts, end);
        EXPECT_GT(row.end_pts, row.pts);
        EXPECT_EQ(row.sampled, row.frames);
        EXPECT_EQ(row.batches, (row.frames + 15) / 16);
        EXPECT_GT(row.bytes, 0);
        EXPECT_LT(row.prev_pts, row.pts);
        frames += row.frames;
        end = row.end_pts;
    }
    EXPECT_EQ(scan->rows.front().prev_pts, INT64_MIN);
    EXPECT_EQ(scan->stream.frames, frames);
    EXPECT_EQ(scan->stream.start_pts, scan->rows.front().pts);
    EXPECT_EQ(scan->stream.end_pts, end);
}

TEST_P(Clips, CutsTheSameBytesInAnyOrder) {
    const auto scan = scan_file(path_, options());
    ASSERT_TRUE(scan) << scan.error().text();
    auto forward = Cutter::open(cut_from(*scan), scan->stream);
    auto backward = Cutter::open(cut_from(*scan), scan->stream);
    ASSERT_TRUE(forward && backward);
    std::vector<std::string> first, second;
    for (const auto& row : scan->rows) {
        const auto bytes = (*forward)->cut(row);
        ASSERT_TRUE(bytes) << bytes.error().text();
        first.push_back(files::sha256(*bytes));
    }
    for (auto row = scan->rows.rbegin(); row != scan->rows.rend(); ++row) {
        const auto bytes = (*backward)->cut(*row);
        ASSERT_TRUE(bytes) << bytes.error().text();
        second.insert(second.begin(), files::sha256(*bytes));
    }
    EXPECT_EQ(first, second);
}

TEST_P(Clips, JoinsToTheSameFramesAndTimes) {
    const auto scan = scan_file(path_, options());
    ASSERT_TRUE(scan) << scan.error().text();
    std::vector<std::int64_t> times;
    const auto segments = encode(cut_from(*scan), scan->stream, scan->rows, out("seg"), &times);
    const auto joined = join_segments(scan->stream, segments, path_, out("joined.mp4"));
    ASSERT_TRUE(joined) << joined.error().text();
    EXPECT_EQ(joined->frames, std::int64_t(times.size()));
    EXPECT_EQ(joined->audio, GetParam().audio.empty() ? "none" : GetParam().audio);

    std::vector<std::int64_t> shown;
    const auto tb =
        test::decode_sequentially(out("joined.mp4"), [&](const AVFrame& f) { shown.push_back(f.pts); });
    ASSERT_EQ(shown.size(), times.size());
    const AVRational source = to_av(scan->stream.time_base), file{tb.num, tb.den};
    for (std::size_t i = 0; i < shown.size(); ++i)
        ASSERT_LE(std::llabs(av_rescale_q(shown[i], file, source) - (times[i] - joined->origin_pts)), 1)
            << "frame " << i;

    std::string said;
    EXPECT_EQ(test::shell("ffmpeg -v warning -nostdin -i '" + out("joined.mp4") + "' -f null -", &said), 0);
    EXPECT_EQ(said, "");

    // Again, the last ones first: seeks and other decoders must not show in the bytes, nor a second join.
    std::vector<schema::Row> last(scan->rows.rbegin(),
                                  scan->rows.rbegin() + std::min<std::ptrdiff_t>(3, std::ssize(scan->rows)));
    const auto again = encode(cut_from(*scan), scan->stream, last, out("again"));
    for (std::size_t i = 0; i < again.size(); ++i)
        EXPECT_EQ(*files::sha256_file(again[i]), *files::sha256_file(segments[segments.size() - 1 - i]));
    ASSERT_TRUE(join_segments(scan->stream, segments, path_, out("again.mp4")));
    EXPECT_EQ(*files::sha256_file(out("joined.mp4")), *files::sha256_file(out("again.mp4")));
}

TEST_P(Clips, ScansTwiceAlike) {
    const auto one = scan_file(path_, options("b"));
    const auto two = scan_file(path_, options("c"));
    ASSERT_TRUE(one && two);
    ASSERT_EQ(one->rows.size(), two->rows.size());
    for (std::size_t i = 0; i < one->rows.size(); ++i)
        EXPECT_EQ(one->rows[i].fingerprint, two->rows[i].fingerprint);
    EXPECT_EQ(one->stream.codec, two->stream.codec);
    if (!one->stream.recut.path.empty()) {
        EXPECT_EQ(*files::sha256_file(one->stream.recut.path), *files::sha256_file(two->stream.recut.path));
    }
}

std::string test_name(const testing::TestParamInfo<test::Clip>& info) {
    std::string name = info.param.name;
    for (char& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(Media, Clips, testing::ValuesIn(test::clips()), test_name);

}  // namespace
}  // namespace sl::media
