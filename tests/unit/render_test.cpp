// render_chunk on a real clip: the parts of its chunks, the boxes in their pixels, the counts, the ends.
#include "workers/annotate/render.hpp"

#include <sys/wait.h>

#include "common/image/draw.hpp"
#include "schema/codec.hpp"
#include "tests/contract/exporter_kit.hpp"

extern "C" {
#include <libavutil/frame.h>
}

namespace sl::annotate {
namespace {
using kit::Folder;

// Two chunks of a clip, sampled at 2 fps, with one box that jumps from sample to sample.
struct Clip {
    std::string path;
    schema::JobSpec spec;
    media::Scan scan;
    std::vector<schema::Bytes> packed;
    std::vector<Stepped> stepped;
    std::vector<schema::StreamState> before;
};

schema::Box box_at(std::int64_t frame) {
    return {
        float(40 + frame * 8 % 500), float(60 + frame * 4 % 200), 120, 100, 0.5f, std::int32_t(frame % 3), 0};
}

class Render : public testing::Test {
protected:
    // Cut once for all tests.
    static void SetUpTestSuite() {
        const char* data = std::getenv("SIGHTLINE_TEST_DATA");
        const std::string path = data ? std::string(data) + "/videos/person-bicycle-car-detection.mp4" : "";
        if (path.empty() || !std::filesystem::exists(path)) return;
        clip = std::make_unique<Clip>();
        clip->path = path;
        auto& spec = clip->spec;
        spec.job = "01JOB";
        spec.tracker.kind = "none";  // the box jumps: it is held
        spec.sample_fps = 2;
        spec.video_preset = "ultrafast";
        spec.video_crf = 10;
        spec.pools.emplace_back();
        spec.pools[0].name = "detect/test@1";
        spec.pools[0].classes = {"person", "bicycle", "car"};
        media::ScanOptions options;
        options.sampling = 2;
        auto scanned = media::scan_file(path, options);
        ASSERT_TRUE(scanned) << scanned.error().text();
        clip->scan = std::move(*scanned);
        clip->scan.stream.name = "clip.mp4";
        clip->scan.rows.resize(2);
        auto cutter = media::Cutter::open(path, clip->scan.stream);
        ASSERT_TRUE(cutter) << cutter.error().text();
        schema::StreamState state;
        for (const auto& row : clip->scan.rows) {
            auto packed = (*cutter)->cut(row);
            ASSERT_TRUE(packed) << packed.error().text();
            schema::Detections found;
            const auto report =
                media::decode_chunk(clip->scan.stream, row, 2, *packed, [&](const media::Decoded& d) {
                    if (d.sampled) found.frames.push_back({d.ordinal, d.pts, {box_at(d.ordinal)}});
                    return true;
                });
            ASSERT_TRUE(report) << report.error().text();
            clip->packed.push_back(std::move(*packed));
            clip->before.push_back(state);
            clip->stepped.push_back(step(spec, clip->scan.stream, state, found));
            state = clip->stepped.back().next;
        }
    }
    static void TearDownTestSuite() { clip.reset(); }

    void SetUp() override {
        if (clip) return;
        const char* required = std::getenv("SIGHTLINE_REQUIRE_DATA");
        ASSERT_FALSE(required && std::string(required) == "1") << "the clips are not in SIGHTLINE_TEST_DATA";
        GTEST_SKIP() << "needs videos/person-bicycle-car-detection.mp4 in SIGHTLINE_TEST_DATA";
    }

    Result<Rendered> render(
        std::size_t chunk, const std::string& dir, const schema::JobSpec& spec,
        const std::string& stem = "0.1-7", const std::function<bool()>& stop = [] { return false; }) const {
        const ChunkContext context{spec, clip->scan.stream, clip->scan.rows[chunk]};
        return render_chunk(context, clip->packed[chunk], clip->before[chunk], clip->stepped[chunk], dir,
                            "parts", stem, stop);
    }

    static std::unique_ptr<Clip> clip;
    Folder folder;
};
std::unique_ptr<Clip> Render::clip;

TEST_F(Render, WritesOnePartAKindWithItsSizeAndSum) {
    const std::string dir = folder.make("parts");
    const auto done = render(1, dir, clip->spec);
    ASSERT_TRUE(done) << done.error().text();
    ASSERT_EQ(done->parts.size(), 3u);
    EXPECT_EQ(done->parts[0].kind, "result");
    EXPECT_EQ(done->parts[1].kind, "video");
    EXPECT_EQ(done->parts[2].kind, "thumb");
    const auto files = kit::files_in(dir);
    EXPECT_EQ(files.size(), 3u);
    for (const schema::Part& part : done->parts) {
        EXPECT_TRUE(part.path.starts_with("parts/0.1-7.")) << part.path;
        const auto file = files.find(part.path.substr(6));
        ASSERT_NE(file, files.end()) << part.path;
        EXPECT_EQ(part.bytes, std::int64_t(file->second.size()));
        EXPECT_EQ(part.sha256, files::sha256(file->second));
    }
}

TEST_F(Render, BytesDependOnTheChunkAlone) {
    ASSERT_TRUE(render(1, folder.make("a"), clip->spec, "1.1-7"));
    ASSERT_TRUE(render(0, folder.make("b"), clip->spec, "0.1-3"));
    ASSERT_TRUE(render(1, folder.make("c"), clip->spec, "1.2-99"));
    const auto a = kit::files_in(folder / "a"), c = kit::files_in(folder / "c");
    for (const char* ending : {".mp4", ".result.msgpack", ".thumb.msgpack"})
        EXPECT_EQ(a.at(std::string("1.1-7") + ending), c.at(std::string("1.2-99") + ending)) << ending;
}

TEST_F(Render, EveryFrameIsCounted) {
    const auto done = render(0, folder.make("parts"), clip->spec);
    ASSERT_TRUE(done) << done.error().text();
    const schema::Counters& c = done->counters;
    std::int64_t dropped = 0;
    for (const auto& [reason, frames] : c.dropped) dropped += frames;
    EXPECT_EQ(c.read, clip->scan.rows[0].frames);
    EXPECT_EQ(c.read, c.annotated + dropped);
    EXPECT_EQ(c.detected, std::int64_t(clip->stepped[0].tracked.frames.size()));
    EXPECT_EQ(c.boxes, c.detected);
    EXPECT_EQ(c.alerts, 0);
}

TEST_F(Render, DamagedPacketsAreDroppedAndCounted) {
    // Every fifth packet becomes zeros.
    const ChunkContext context{clip->spec, clip->scan.stream, clip->scan.rows[0]};
    const auto view = media::unpack_chunk(clip->packed[0]);
    ASSERT_TRUE(view);
    schema::Bytes damaged = clip->packed[0];
    for (std::size_t i = 4; i < view->packets.size(); i += 5) {
        const auto data = view->packets[i].data;
        std::fill_n(damaged.begin() + (data.data() - clip->packed[0].data()), data.size(), std::uint8_t(0));
    }
    const auto done = render_chunk(context, damaged, clip->before[0], clip->stepped[0], folder.make("parts"),
                                   "parts", "0.1-1", [] { return false; });
    ASSERT_TRUE(done) << done.error().text();
    const schema::Counters& c = done->counters;
    ASSERT_EQ(c.dropped.count("decode:no_frame"), 1u);
    EXPECT_GT(c.dropped.at("decode:no_frame"), 0);
    EXPECT_EQ(c.read, c.annotated + c.dropped.at("decode:no_frame"));
    EXPECT_EQ(c.decoded, c.annotated);
}

// Renders both chunks, joins the video and looks for each frame's box in its pixels.
TEST_F(Render, BoxesAreHeldBetweenSamplesAndAcrossChunks) {
    auto spec = clip->spec;
    spec.exporters = {"video"};
    std::vector<std::string> parts;
    const std::string dir = folder.make("parts"), out = folder.make("out");
    for (std::size_t chunk : {0, 1}) {
        const auto done = render(chunk, dir, spec, std::to_string(chunk));
        ASSERT_TRUE(done) << done.error().text();
        parts.push_back(dir + "/" + std::to_string(chunk) + ".mp4");
    }
    const std::vector<std::vector<schema::Alert>> alerts(2);
    const auto joined = kit::exporter_named("video").join(
        {spec, clip->scan.stream, clip->scan.rows, parts, alerts, clip->path, false}, out);
    ASSERT_TRUE(joined) << joined.error().text();

    auto scan = media::scan_file(out + "/" + joined->path, {});
    ASSERT_TRUE(scan) << scan.error().text();
    const auto cutter = media::Cutter::open(out + "/" + joined->path, scan->stream);
    ASSERT_TRUE(cutter);
    std::vector<std::int64_t> detected;
    for (const auto& stepped : clip->stepped)
        for (const auto& frame : stepped.tracked.frames) detected.push_back(frame.frame);
    std::int64_t seen = 0;
    for (const auto& row : scan->rows) {
        const auto packed = (*cutter)->cut(row);
        ASSERT_TRUE(packed);
        const auto look = [&](const media::Decoded& d) {
            const auto next = std::upper_bound(detected.begin(), detected.end(), d.ordinal);
            const schema::Box box = box_at(*std::prev(next));
            const image::Color want = image::color_of(box.class_id);
            const int y = int(box.y) + 50;  // of the left line, half-way down
            const std::uint8_t* luma = d.frame->data[0] + y * d.frame->linesize[0];
            EXPECT_NEAR(luma[int(box.x)], want.y, 30) << "frame " << d.ordinal;
            EXPECT_NEAR(d.frame->data[1][y / 2 * d.frame->linesize[1] + int(box.x) / 2], want.u, 30)
                << d.ordinal;
            ++seen;
            return true;
        };
        ASSERT_TRUE(media::decode_chunk(scan->stream, row, 0, *packed, look));
    }
    EXPECT_EQ(seen, clip->scan.rows[0].frames + clip->scan.rows[1].frames);
}

TEST_F(Render, PicturesOfAFolderHoldNothing) {
    auto stream = clip->scan.stream;
    stream.source = "images";
    auto spec = clip->spec;
    spec.exporters = {"sheet"};
    const auto pixels = [&](const schema::StreamState& before, const std::string& name) {
        const auto done = render_chunk({spec, stream, clip->scan.rows[1]}, clip->packed[1], before, {},
                                       folder.make(name), name, "1", [] { return false; });
        EXPECT_TRUE(done);
        return kit::files_in(folder / name);
    };
    EXPECT_EQ(pixels({}, "a"), pixels(clip->before[1], "b"));
}

TEST_F(Render, CancelLeavesNothing) {
    const std::string dir = folder.make("parts");
    int frames = 0;
    const auto done = render(0, dir, clip->spec, "0.1-7", [&] { return ++frames > 5; });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::canceled);
    EXPECT_TRUE(kit::files_in(dir).empty());
}

TEST_F(Render, KilledHalfWayLeavesNoFinalName) {
    const std::string dir = folder.make("parts");
    const pid_t child = fork();
    if (child == 0) {
        int frames = 0;
        (void)render(0, dir, clip->spec, "0.1-7", [&] {
            if (++frames > 5) _exit(42);
            return false;
        });
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 42);
    const auto files = kit::files_in(dir);
    EXPECT_FALSE(files.empty());
    for (const auto& [name, bytes] : files) EXPECT_TRUE(name.ends_with(".tmp")) << name;
}

TEST_F(Render, SweptFolderIsNotFoundAndNothingIsMade) {
    const auto done = render(0, folder / "gone", clip->spec);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::not_found);
    EXPECT_NE(done.error().message.find(folder / "gone"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(folder / "gone"));
}

TEST_F(Render, UnknownExporterIsRefusedWithTheList) {
    auto spec = clip->spec;
    spec.exporters = {"jsn"};
    const auto done = render(0, folder.make("parts"), spec);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::invalid_argument);
    EXPECT_NE(done.error().hint.find("json"), std::string::npos) << done.error().text();
}

}  // namespace
}  // namespace sl::annotate
