// Golden bytes: what each message looked like when SL1 was released. Today's code must read every one of
// them and, while nothing was added, write the same. SIGHTLINE_RECORD_GOLDEN=1 records those that are
// missing; recorded ones are never changed.
#include "schema/messages.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "schema/small_units.hpp"

namespace sl::schema {
namespace {

std::filesystem::path folder() {
    return std::filesystem::path(std::getenv("SIGHTLINE_SOURCE_DIR")) / "schema/golden/SL1";
}

// A message with something in every field that its type brings along.
template <typename T>
struct Sample {
    static T make() { return T{}; }
};

const Token token{"01HZX5Y3KQ0000000000000000", "chunk", 2, 17, 3, 0x1122334455667788u};
const Box box{1.5f, 2.25f, 30, 40, 0.875f, 7, 1};

StreamInfo stream() {
    StreamInfo s;
    s.name = "cam/ä.mp4";
    s.source = "file";
    s.input = {"media", "cam/ä.mp4"};
    s.time_base = {1, 12800};
    s.frame_rate = {25, 1};
    s.frames = 250;
    s.end_pts = 128000;
    s.width = 768;
    s.height = 576;
    s.codec = {0, 1, 255};
    s.warnings = {"input_truncated"};
    return s;
}
JobSpec spec() {
    JobSpec s;
    s.job = token.job;
    s.inputs = {{"media", "cam"}};
    s.output = {"out", "results"};
    s.pipeline = "annotate";
    s.preset = "default";
    s.pools = {{"detect/yolox_nano@1", 416, 416, "bgr", "top_left", 114, {"person"}}};
    s.operations = {{"crop", {{"x", 0.25}, {"width", 0.5}}}};
    s.rules = {{"person", {"person"}, 0.5, 3, 10}};
    s.tags = {{"site", "north"}};
    s.submitted_ns = 1700000000000000000;
    return s;
}
Row row() {
    return {17, 100, 200, 1700, 99, 50, 25, 2, 123456, "abc"};
}
Alert alert() {
    return {"01X-0123456789abcdef", "01X", "cam/ä.mp4", "person", "person", 12, 0.48, box};
}
Counters counters() {
    return {50, 49, 25, 49, 7, 1, {{"decode:missing", 1}}};
}
Detections detections() {
    return {{{12, 480, {box}}}, 1};
}

template <>
struct Sample<Hello> {
    static Hello make() {
        Hello m;
        m.worker = "01W";
        m.stage = "detect";
        m.pool = "detect/yolox_nano@1";
        m.host = "h/1";
        m.process = "p";
        m.pid = 42;
        m.endpoints = {"ipc:///run/x"};
        m.slots = 3;
        m.engine = "onnxruntime 1.30.0 avx512";
        m.roots = {"media"};
        m.version = "abc";
        return m;
    }
};
template <>
struct Sample<Beat> {
    static Beat make() {
        Beat m;
        m.epoch = 5;
        m.last = 6;
        m.held = {token};
        m.busy_ms = 7;
        m.items = 8;
        m.job_items = {{"01X", 3}};
        m.draining = true;
        return m;
    }
};
template <>
struct Sample<Fetch> {
    static Fetch make() { return {"fetch", 9, token, {{-1, 0}, {0, 3}}}; }
};
template <>
struct Sample<FoundStreams> {
    static FoundStreams make() { return {"found", 9, token, {"a", "b"}}; }
};
template <>
struct Sample<Scanned> {
    static Scanned make() { return {"scanned", 9, token, 1, stream(), {row()}, "", ""}; }
};
template <>
struct Sample<Gathered> {
    static Gathered make() { return {"gathered", 9, token}; }
};
template <>
struct Sample<Step> {
    static Step make() { return {"step", 9, token, {alert()}}; }
};
template <>
struct Sample<Done> {
    static Done make() { return {"done", 9, token, {{"video", "parts/0/17.mp4", 1000, "ff"}}, counters()}; }
};
template <>
struct Sample<UnitDone> {
    static UnitDone make() { return {"unit_done", 9, token, "ff"}; }
};
template <>
struct Sample<NoopsDone> {
    static NoopsDone make() { return {"noops_done", 9, token.nonce, {token.job, "named"}}; }
};
template <>
struct Sample<NoopLeases> {
    static NoopLeases make() { return {"noop_leases", 5, token.nonce, {token.job, "named"}, {3, 1}}; }
};
template <>
struct Sample<Fail> {
    static Fail make() { return {"fail", 9, token, "IO", "no space", "", {}}; }
};
template <>
struct Sample<Welcome> {
    static Welcome make() { return {"welcome", 5}; }
};
template <>
struct Sample<Refused> {
    static Refused make() { return {"refused", "CONFLICT", "why"}; }
};
template <>
struct Sample<BeatAnswer> {
    static BeatAnswer make() { return {"beat_answer", 5, true, {token}, 4}; }
};
template <>
struct Sample<Peers> {
    static Peers make() {
        return {"peers", 5, 2, {{"01W", "detect", "detect/m@1", "h", "p", {"tcp://h:1"}}}};
    }
};
template <>
struct Sample<Expect> {
    static Expect make() { return {"expect", 5, 2, token, spec(), stream(), row(), true}; }
};
template <>
struct Sample<Task> {
    static Task make() {
        Task m;
        m.epoch = 5;
        m.token = token;
        m.spec = spec();
        m.home = "01W";
        m.stream = stream();
        m.row = row();
        m.pieces = {{0, 1}};
        m.streams = {{stream(), true, "", {row()}, {{{"video", "p", 1, "ff"}}}, {{alert()}}, counters()}};
        m.state = "succeeded";
        m.engines = {{"detect/m@1", "e"}};
        m.alerts = {alert()};
        return m;
    }
};
template <>
struct Sample<Answer> {
    static Answer make() { return {"answer", 9, "turn", ""}; }
};
template <>
struct Sample<Nudge> {
    static Nudge make() { return {"nudge", token}; }
};
template <>
struct Sample<Take> {
    static Take make() { return {"take", 9, token, "01H", "01W", {{0, 1}}}; }
};
template <>
struct Sample<Took> {
    static Took make() { return {"took", 9, "01W", {{0, 1}}}; }
};
template <>
struct Sample<Exited> {
    static Exited make() {
        return {"exited", 9, "01W", "signal 11 (Segmentation fault)", true, token, "detect", {{0, 1}}};
    }
};
template <>
struct Sample<ReloadRefused> {
    static ReloadRefused make() { return {"reload_refused", "INVALID_PARAMS", "line 7"}; }
};
template <>
struct Sample<Reload> {
    static Reload make() { return {"reload", 30000}; }
};
template <>
struct Sample<Die> {
    static Die make() { return {"die", "61 s on one batch"}; }
};
template <>
struct Sample<ChunkMessage> {
    static ChunkMessage make() { return {"chunk", token, "01W", spec(), stream(), row(), {{-1, 0}}}; }
};
template <>
struct Sample<SourceMessage> {
    static SourceMessage make() { return {"source", token}; }
};
template <>
struct Sample<BatchMessage> {
    static BatchMessage make() {
        BatchMessage m;
        m.token = token;
        m.home = "01W";
        m.batch = 1;
        m.spec = spec().pools[0];
        m.frames = {{12, 480, Mapping{}}};
        m.canvas_width = 768;
        m.canvas_height = 576;
        m.classes = {"person"};
        return m;
    }
};
template <>
struct Sample<DetectionsMessage> {
    static DetectionsMessage make() { return {"detections", token, 0, 1, detections(), "", ""}; }
};

template <typename T>
class Golden : public ::testing::Test {};
using Messages =
    ::testing::Types<Hello, Beat, Bye, Fetch, FoundStreams, Scanned, Gathered, Step, Done, UnitDone,
                     NoopsDone, Fail, Welcome, Refused, BeatAnswer, Peers, Expect, Task, NoopLeases, Answer,
                     Nudge, Drain, Take, Took, Exited, Reload, ReloadRefused, Die, ChunkMessage,
                     SourceMessage, BatchMessage, DetectionsMessage>;
TYPED_TEST_SUITE(Golden, Messages);

TYPED_TEST(Golden, IsReadAndWrittenAsReleased) {
    const TypeParam sample = Sample<TypeParam>::make();
    const auto path = folder() / (sample.type + ".msgpack");
    const auto today = encode(sample);
    if (!std::filesystem::exists(path) && std::getenv("SIGHTLINE_RECORD_GOLDEN")) {
        std::filesystem::create_directories(folder());
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(today.data()), std::streamsize(today.size()));
    }
    std::ifstream in(path, std::ios::binary);
    ASSERT_TRUE(in) << path << " is missing: a message without golden bytes; record it";
    const Bytes released((std::istreambuf_iterator<char>(in)), {});
    const auto read = decode<TypeParam>(released, sample.type);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->type, sample.type);
    // Read and written again it must be what today's sample is: nothing was renamed, retyped or lost.
    EXPECT_EQ(encode(*read), today);
}

TEST(GoldenFiles, EachBelongsToAMessageOfToday) {
    const std::set<std::string> gone{"tasks", "units_done"};  // messages that were retired; their bytes stay
    std::set<std::string> names;
    for (const char* n :
         {"hello",  "beat",   "bye",         "fetch",     "found",   "scanned", "gathered",
          "step",   "done",   "unit_done",   "fail",      "welcome", "refused", "beat_answer",
          "peers",  "expect", "task",        "answer",    "nudge",   "drain",   "chunk",
          "source", "batch",  "detections",  "take",      "took",    "exited",  "reload_refused",
          "reload", "die",    "noop_leases", "noops_done"})
        names.insert(n);
    std::size_t n = 0;
    for (const auto& f : std::filesystem::directory_iterator(folder())) {
        EXPECT_TRUE(names.contains(f.path().stem().string()) || gone.contains(f.path().stem().string()))
            << f.path();
        ++n;
    }
    EXPECT_EQ(n, names.size() + gone.size());
}

// The document names every message, and the code has every message that it names.
TEST(ProtocolDocument, NamesEveryMessage) {
    std::ifstream in(std::filesystem::path(std::getenv("SIGHTLINE_SOURCE_DIR")) / "schema/PROTOCOL.md");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (const auto& f : std::filesystem::directory_iterator(folder())) {
        const auto name = f.path().stem().string();
        EXPECT_TRUE(text.find("`" + name + "{") != std::string::npos ||
                    text.find("`" + name + "`") != std::string::npos ||
                    text.find("`" + name + " ") != std::string::npos)
            << name;
    }
}

}  // namespace
}  // namespace sl::schema
