// Golden bytes: what each message looked like when it was released, and again when it had been given keys
// (hello, hello.2, …). Today's code reads all of them, and what it writes satisfies the oldest reader: every
// recorded key is there, with the same value of the same type; keys may be added. SIGHTLINE_RECORD_GOLDEN=1
// records what is missing; recorded ones are never changed.
#include "schema/messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>

#include "schema/delivery.hpp"
#include "schema/live.hpp"
#include "schema/small_units.hpp"

namespace sl::schema {
namespace {

std::filesystem::path folder() {
    return std::filesystem::path(std::getenv("SIGHTLINE_SOURCE_DIR")) / "schema/golden/SL1";
}

Bytes contents(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes((std::istreambuf_iterator<char>(in)), {});
}

// The recordings of a message, oldest first.
std::vector<std::filesystem::path> recordings(const std::string& type) {
    std::vector<std::filesystem::path> found;
    for (auto path = folder() / (type + ".msgpack"); std::filesystem::exists(path);
         path = folder() / (type + "." + std::to_string(found.size() + 1) + ".msgpack"))
        found.push_back(path);
    return found;
}

std::set<std::string> recorded_messages() {
    std::set<std::string> names;
    for (const auto& f : std::filesystem::directory_iterator(folder())) {
        const auto name = f.path().filename().string();
        names.insert(name.substr(0, name.find('.')));
    }
    return names;
}

// Where `written` lacks something of `recorded`, or has it otherwise; empty: nowhere.
std::string difference(const msgpack::object& written, const msgpack::object& recorded) {
    if (written.type != recorded.type) return ": another type";
    if (recorded.type == msgpack::type::MAP) {
        const std::span there(written.via.map.ptr, written.via.map.size);
        for (const auto& entry : std::span(recorded.via.map.ptr, recorded.via.map.size)) {
            const auto same = std::find_if(there.begin(), there.end(),
                                           [&](const auto& mine) { return mine.key == entry.key; });
            const auto name = "." + entry.key.as<std::string>();
            if (same == there.end()) return name + ": missing";
            if (auto deeper = difference(same->val, entry.val); !deeper.empty()) return name + deeper;
        }
        return "";
    }
    if (recorded.type == msgpack::type::ARRAY) {
        const auto &mine = written.via.array, &theirs = recorded.via.array;
        if (mine.size != theirs.size) return ": another length";
        for (std::uint32_t i = 0; i < theirs.size; ++i)
            if (auto deeper = difference(mine.ptr[i], theirs.ptr[i]); !deeper.empty())
                return "[" + std::to_string(i) + "]" + deeper;
        return "";
    }
    return written == recorded ? "" : ": another value";
}
std::string difference(const Bytes& written, const Bytes& recorded) {
    const auto mine = unpack(written, "what is written"), theirs = unpack(recorded, "what is recorded");
    if (!mine || !theirs) return ": cannot be read";
    return difference(mine->get(), theirs->get());
}

// A message with something in every field that its type brings along.
template <typename T>
struct Sample {
    static T make() { return T{}; }
};

const Token token{"01HZX5Y3KQ0000000000000000", "chunk", 2, 17, 3, 0x1122334455667788u};
const Box box{1.5f, 2.25f, 30, 40, 0.875f, 7, 1, 5};

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
    s.exporters = {"json", "csv", "webvtt", "video", "sheet"};  // what was recorded: the default has grown
    s.rules = {{"person",
                {"person"},
                0.5,
                3,
                10,
                "line",
                "gate",
                {"dog"},
                2.5,
                "forward",
                4,
                1.5,
                6,
                30,
                {{{"mon", "sun"}, "22:00", "06:00"}},
                "Europe/Zurich"}};
    s.tags = {{"site", "north"}};
    s.submitted_ns = 1700000000000000000;
    s.zones = {{"gate", {{0.25, 0.5}, {0.75, 0.5}}, true, "center", 0.25}};
    s.tracker = {"sort", 0.625, 0.125, 0.25, 2, 3};
    s.preset_version = "people@2";
    s.camera = "north-1";
    return s;
}
Row row() {
    return {17, 100, 200, 1700, 99, 50, 25, 2, 123456, "abc"};
}
Alert alert() {
    Alert a;
    a.alert = "01X-0123456789abcdef";
    a.job = "01X";
    a.stream = "cam/ä.mp4";
    a.rule = "person";
    a.class_name = "person";
    a.frame = 12;
    a.time_s = 0.48;
    a.box = box;
    a.kind = "update";
    a.update = 2;
    a.camera = "north-1";
    a.capture_ns = 1700000000000000001;
    a.decided_ns = 1700000000000000002;
    a.zone = "gate";
    a.roi_hit = true;
    a.model = "yolox_nano@1";
    a.preset = "people@2";
    a.snapshot = "out:snapshots/1.jpg";
    a.trace = {"crossed gate forward"};
    return a;
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
        m.supervisor = "01S";
        m.labels = {{"site", "north"}};
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
        m.peers = 4;
        m.bad_messages = 3;
        m.dropped = 2;
        m.last_error = "IO: no space";
        m.still_ms = 12;
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
    static Fail make() { return {"fail", 9, token, "IO", "no space", "detect/m@1", {{0, 1}}}; }
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
        m.target = "control-room";
        return m;
    }
};
template <>
struct Sample<Drain> {
    static Drain make() { return {"drain", 30000}; }
};
template <>
struct Sample<Answer> {
    static Answer make() { return {"answer", 9, "turn", "01I"}; }
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

template <>
struct Sample<Delivered> {
    static Delivered make() {
        Delivered m;
        m.req = 9;
        m.token = token;
        m.taken = 3;
        m.limited = 1;
        m.dead = {{2, 20, "cannot post: it answered 500"}};
        m.retried = 19;
        m.state = "half_open";
        m.error = "cannot post: it answered 500";
        m.ended = false;
        return m;
    }
};
Camera camera() {
    Camera c;
    c.camera = "north-1";
    c.url = "rtsp://cam.example/1";
    c.backup_url = "rtsp://cam.example/2";
    c.secret = "north";
    c.transport = "udp";
    c.fps = 12.5;
    c.policy = "deadline";
    c.deadline_s = 0.5;
    c.silence_s = 3;
    c.connect_s = 6;
    c.enabled = true;
    c.labels = {{"site", "north"}};
    c.motion = {false, 0.125, 20};
    c.snapshots = true;
    c.preset = "live";
    c.params = R"({"confidence":0.4})";
    c.revision = 8;
    return c;
}
Capture capture() {
    return {"north-1", 31, 1700000000000000001, 768, 576, "01I", {{"drop_oldest", 2}}, 0.5};
}
const Token held{"north-1", "camera", -1, 0, 3, token.nonce},
    watch{"north-1", "watch", -1, 4, 3, token.nonce};
template <>
struct Sample<CameraTask> {
    static CameraTask make() { return {"camera", 5, held, camera(), spec(), "01W", watch, 8}; }
};
template <>
struct Sample<WatchTask> {
    static WatchTask make() { return {"watch", 5, watch, camera(), spec(), 99, {0x80, 1}, 8}; }
};
template <>
struct Sample<CameraReport> {
    static CameraReport make() {
        CameraReport m;
        m.token = held;
        m.state = "waiting";
        m.url = "rtsp://cam.example/1";
        m.error = "timeout";
        m.message = "no frame for 2 s";
        m.width = 768;
        m.height = 576;
        m.codec = "h264";
        m.source_fps = 25;
        m.connects = 2;
        m.captured = 90;
        m.sampled = 31;
        m.gated = 4;
        m.sent = 25;
        m.dropped = {{"drop_oldest", 2}};
        m.in_flight = 2;
        m.age_ms = 12.5;
        return m;
    }
};
template <>
struct Sample<LiveStep> {
    static LiveStep make() {
        return {"live_step", 9, watch, 100, {alert()}, counters(), {R"({"track":5})"}, 80.5};
    }
};
template <>
struct Sample<FrameMessage> {
    static FrameMessage make() {
        const auto s = spec();
        return {"frame", watch, "01W", capture(), s.pools, s.operations, 0.375, 0.5, {"person"}, 100, true};
    }
};
template <>
struct Sample<StillMessage> {
    static StillMessage make() { return {"still", watch, capture()}; }
};
template <>
struct Sample<PictureMessage> {
    static PictureMessage make() { return {"picture", watch, capture()}; }
};
template <>
struct Sample<TensorMessage> {
    static TensorMessage make() {
        return {
            "tensor", watch, "01W",      capture(), 1, spec().pools[0], {2, 0, 1, 0, 2, 1, 0, 0, 768, 576},
            0.375,    0.5,   {"person"}, 100};
    }
};
template <>
struct Sample<FoundMessage> {
    static FoundMessage make() { return {"boxes", watch, capture(), 1, {box}, "deadline", 7.5}; }
};
template <>
struct Sample<SeenMessage> {
    static SeenMessage make() { return {"seen", watch, "north-1", 31}; }
};

template <typename T>
class Golden : public ::testing::Test {};
using Messages =
    ::testing::Types<Hello, Beat, Bye, Fetch, FoundStreams, Scanned, Gathered, Step, Done, UnitDone,
                     NoopsDone, Fail, Welcome, Refused, BeatAnswer, Peers, Expect, Task, NoopLeases, Answer,
                     Nudge, Drain, Take, Took, Exited, Reload, ReloadRefused, Die, ChunkMessage,
                     SourceMessage, BatchMessage, DetectionsMessage, CameraTask, WatchTask, CameraReport,
                     LiveStep, FrameMessage, StillMessage, PictureMessage, TensorMessage, FoundMessage,
                     SeenMessage, Delivered>;
TYPED_TEST_SUITE(Golden, Messages);

TYPED_TEST(Golden, IsReadAndWrittenForTheOldestReader) {
    const TypeParam sample = Sample<TypeParam>::make();
    const auto today = encode(sample);
    auto recorded = recordings(sample.type);
    if (std::getenv("SIGHTLINE_RECORD_GOLDEN") &&
        (recorded.empty() || !difference(contents(recorded.back()), today).empty())) {
        const auto number = recorded.empty() ? std::string() : "." + std::to_string(recorded.size() + 1);
        recorded.push_back(folder() / (sample.type + number + ".msgpack"));
        std::filesystem::create_directories(folder());
        std::ofstream(recorded.back(), std::ios::binary)
            .write(reinterpret_cast<const char*>(today.data()), std::streamsize(today.size()));
    }
    ASSERT_FALSE(recorded.empty()) << sample.type << ": a message without golden bytes; record it";
    for (const auto& path : recorded) {
        const auto released = contents(path);
        EXPECT_EQ(difference(today, released), "") << path;
        const auto read = decode<TypeParam>(released, sample.type);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->type, sample.type);
        // Read and written again nothing is lost.
        EXPECT_EQ(difference(encode(*read), released), "") << path;
    }
}

// What the test above goes by: it must see what an old reader would trip over.
TEST(GoldenDifference, SeesWhatIsLostChangedOrRetypedAndNotWhatIsAdded) {
    const auto old = encode(Box{1, 2, 3, 4, 0.5f, 6, 7, 0});
    EXPECT_EQ(difference(encode(Box{1, 2, 3, 4, 0.5f, 6, 7, 0}), old), "");
    EXPECT_EQ(difference(encode(Box{1, 2, 3, 4, 0.5f, 6, 8, 0}), old), ".pool: another value");
    const auto size = encode(std::map<std::string, int>{{"w", 1}});
    EXPECT_EQ(difference(encode(std::map<std::string, int>{{"w", 1}, {"h", 2}}), size), "");
    EXPECT_EQ(difference(size, encode(std::map<std::string, int>{{"w", 1}, {"h", 2}})), ".h: missing");
    EXPECT_EQ(difference(encode(std::map<std::string, double>{{"w", 1.5}}), size), ".w: another type");
    const auto two = encode(std::map<std::string, std::vector<int>>{{"a", {1, 2}}});
    EXPECT_EQ(difference(encode(std::map<std::string, std::vector<int>>{{"a", {1, 3}}}), two),
              ".a[1]: another value");
    EXPECT_EQ(difference(encode(std::map<std::string, std::vector<int>>{{"a", {1, 2, 3}}}), two),
              ".a: another length");
}

TEST(GoldenFiles, EachBelongsToAMessageOfToday) {
    const std::set<std::string> gone{"tasks", "units_done"};  // messages that were retired; their bytes stay
    std::set<std::string> names;
    for (const char* n :
         {"hello",     "beat",   "bye",         "fetch",      "found",   "scanned", "gathered",
          "step",      "done",   "unit_done",   "fail",       "welcome", "refused", "beat_answer",
          "peers",     "expect", "task",        "answer",     "nudge",   "drain",   "chunk",
          "source",    "batch",  "detections",  "take",       "took",    "exited",  "reload_refused",
          "reload",    "die",    "noop_leases", "noops_done", "camera",  "watch",   "camera_report",
          "live_step", "frame",  "still",       "picture",    "tensor",  "boxes",   "seen",
          "delivered"})
        names.insert(n);
    names.insert(gone.begin(), gone.end());
    EXPECT_EQ(recorded_messages(), names);
}

// The document names every message, and the code has every message that it names.
TEST(ProtocolDocument, NamesEveryMessage) {
    std::ifstream in(std::filesystem::path(std::getenv("SIGHTLINE_SOURCE_DIR")) / "schema/PROTOCOL.md");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (const auto& name : recorded_messages()) {
        EXPECT_TRUE(text.find("`" + name + "{") != std::string::npos ||
                    text.find("`" + name + "`") != std::string::npos ||
                    text.find("`" + name + " ") != std::string::npos)
            << name;
    }
}

}  // namespace
}  // namespace sl::schema
