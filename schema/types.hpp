// The records that cross a process boundary: on the wire, in the job store, in part files.
//
// Every record is a msgpack MAP keyed by field name. Add optional keys only; a retired key keeps a comment
// here; an unknown key is ignored; a missing key leaves the default below. PROTOCOL.md is the arbiter.
// Times: `*_ns` are int64 nanoseconds UTC; media times are ticks of the stream's time_base.
// Boxes: float pixels of the displayed (upright) source frame, top-left origin.
#pragma once

#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <string>
#include <vector>

namespace sl::schema {

using Bytes = std::vector<std::uint8_t>;

struct Rational {
    std::int32_t num = 0;
    std::int32_t den = 1;
    MSGPACK_DEFINE_MAP(num, den)
    bool operator==(const Rational&) const = default;
};

// One unit of leased work. Compared for equality only.
struct Token {
    std::string job;           // ULID
    std::string unit;          // "scan" "chunk" "final" "sweep" "deliver"
    std::int32_t stream = -1;  // chunk only: index of the stream in the job
    std::int64_t seq = 0;      // chunk only: index of the chunk in the stream
    std::int32_t attempt = 0;  // rises by one per lease
    std::uint64_t nonce = 0;   // random: two leaders never make the same token
    MSGPACK_DEFINE_MAP(job, unit, stream, seq, attempt, nonce)
    bool operator==(const Token&) const = default;
    auto operator<=>(const Token&) const = default;
};

// A file or folder by the name of a configured root and a path below it ('/' separated, never '..').
struct Input {
    std::string root;
    std::string path;
    MSGPACK_DEFINE_MAP(root, path)
    bool operator==(const Input&) const = default;
};

// What a detect pool wants to be fed. Mean and scale are not here: detect applies them from the model's
// manifest. Tensors on the wire are uint8, planar (channels × height × width).
struct PoolSpec {
    std::string name;        // "detect/yolox_nano@1"
    std::int32_t width = 0;  // model input
    std::int32_t height = 0;
    std::string color = "bgr";           // "bgr" | "rgb": order of the three planes
    std::string letterbox = "top_left";  // "top_left" | "center" | "stretch"
    std::int32_t pad = 114;              // value outside the picture, 0..255
    std::vector<std::string> classes;    // names by class_id
    MSGPACK_DEFINE_MAP(name, width, height, color, letterbox, pad, classes)
};

// One operation of the preprocess chain. "crop": x, y, width, height as fractions (0..1) of the displayed
// frame; detection sees only that part, boxes come back in the whole frame's pixels.
struct Operation {
    std::string op;
    std::map<std::string, double> args;
    MSGPACK_DEFINE_MAP(op, args)
};

struct Point {
    double x = 0, y = 0;
    MSGPACK_DEFINE_MAP(x, y)
    bool operator==(const Point&) const = default;
};

// A named place in the picture: three or more points are an area (a simple polygon, closed by itself), two
// are a line. Looking from its first point to its second, a line is crossed "forward" from left to right.
struct Zone {
    std::string name;
    std::vector<Point> points;
    bool relative = true;                  // fractions of the displayed frame; else its pixels
    std::string inside = "bottom_center";  // what of a box must lie in it: "bottom_center" "center" "overlap"
    double overlap = 0.5;                  // "overlap": at least this share of the box
    MSGPACK_DEFINE_MAP(name, points, relative, inside, overlap)
    bool operator==(const Zone&) const = default;
};

// When a rule of a camera is in force, by the clock of `timezone` (of the rule). from > to: over midnight.
struct Hours {
    std::vector<std::string> days;  // "mon" … "sun"; empty: every day
    std::string from = "00:00";
    std::string to = "24:00";
    MSGPACK_DEFINE_MAP(days, from, to)
    bool operator==(const Hours&) const = default;
};

// An alert rule, decided in the ordered step, in media time (a camera: capture time). Its condition, of a
// box of `classes` with at least `min_score`, must hold on `min_frames` detected frames in a row; then it
// fires, and its incident lasts until the condition has been absent for `debounce_s`. It rests for
// `cooldown_s` after it fired.
struct Rule {
    std::string name;
    std::vector<std::string> classes;  // empty: any
    double min_score = 0.5;
    std::int32_t min_frames = 3;
    double cooldown_s = 10;
    std::string kind = "present";     // "present" "enter" "exit" "dwell" "line" "count"
    std::string zone;                 // where; empty: the whole picture ("line" needs one of two points)
    std::vector<std::string> except;  // with `classes` empty: any but these
    double dwell_s = 0;               // dwell: inside for this long
    std::string direction = "both";   // line: "forward" "backward" "both"
    std::int32_t limit = 0;           // count: more than so many at once
    double debounce_s = 1;
    double max_per_minute = 0;     // alerts of this rule in a stream; 0: no limit
    double update_s = 0;           // while an incident lasts it is told again this often; 0: never
    std::vector<Hours> schedule;   // cameras only; empty: always
    std::string timezone = "UTC";  // of the schedule
    MSGPACK_DEFINE_MAP(name, classes, min_score, min_frames, cooldown_s, kind, zone, except, dwell_s,
                       direction, limit, debounce_s, max_per_minute, update_s, schedule, timezone)
    bool operator==(const Rule&) const = default;
};

// Multi-object tracking (workers/annotate/tracker.hpp). On: detect emits from `low`, so that weak boxes can
// keep a track alive; what is shown and what rules see is filtered by JobSpec.confidence after tracking.
struct TrackerSpec {
    std::string kind = "bytetrack";  // "bytetrack" "sort" "none"
    double high = 0.5;               // boxes of at least this are matched first, and begin tracks
    double low = 0.1;
    double match_iou = 0.1;           // the least overlap of a box and a predicted one
    double keep_s = 2;                // a track that is seen no more is kept for so long
    std::int32_t confirm_frames = 2;  // detected frames in a row until a new track counts
    MSGPACK_DEFINE_MAP(kind, high, low, match_iou, keep_s, confirm_frames)
    bool operator==(const TrackerSpec&) const = default;
};

// A job as admitted: everything resolved, pinned, and enough for any stage to work on it.
struct JobSpec {
    std::string job;
    std::vector<Input> inputs;
    Input output;  // root and folder below which outputs/{job} and work/{job} lie
    std::string pipeline;
    std::string preset;
    std::vector<PoolSpec> pools;  // empty: no detection
    std::vector<Operation> operations;
    double sample_fps = 0;  // detect on a grid of this rate; 0: every frame
    double confidence = 0.3;
    double nms = 0.45;
    std::vector<std::string> classes;  // detect only these class names; empty: all
    std::int32_t max_boxes = 300;      // a frame
    std::vector<std::string> exporters = {"json", "csv", "webvtt", "tracks", "video", "sheet"};
    std::vector<Rule> rules;
    std::string video_preset = "veryfast";  // x264
    std::int32_t video_crf = 23;
    std::int32_t priority = 0;
    std::string tenant;
    std::map<std::string, std::string> tags;
    std::int64_t submitted_ns = 0;
    std::vector<Zone> zones;
    TrackerSpec tracker;
    std::string preset_version;
    std::string camera;             // the spec of a camera; empty: of a job
    std::int32_t sample_every = 0;  // detect every so many frames; 0: by sample_fps
    MSGPACK_DEFINE_MAP(job, inputs, output, pipeline, preset, pools, operations, sample_fps, confidence, nms,
                       classes, max_boxes, exporters, rules, video_preset, video_crf, priority, tenant, tags,
                       submitted_ns, zones, tracker, preset_version, camera, sample_every)
};

// What the scan learned of one stream; carried in every chunk's header.
struct StreamInfo {
    std::string name;    // relative path of the input: the artifacts' folder
    std::string source;  // source plug-in: "file" "images" "synthetic"
    Input input;
    Input recut;  // lossless intermediate that chunks are cut from instead; path empty: none
    std::string recut_reason;
    Rational time_base{1, 1};
    Rational frame_rate{0, 1};   // average; 0: unknown
    std::int64_t start_pts = 0;  // smallest emitted pts
    std::int64_t frames = 0;     // emitted video packets counted by the scan
    std::int64_t end_pts = 0;    // end of the last frame, exclusive
    std::int32_t width = 0;      // canvas: displayed (upright) size that all frames are brought to
    std::int32_t height = 0;
    std::string fit = "scale";  // a frame of another size is "scale"d to the canvas, or "pad"ded (images)
    std::int32_t rotation = 0;  // 0 90 180 270: clockwise turn that makes decoded pixels upright
    bool flip = false;          // mirrored horizontally after the turn
    Rational sar{1, 1};         // of the upright picture
    std::string audio;          // "" none, "copy", "aac": what the join does with it
    std::string video_codec;    // names, for reports
    std::string audio_codec;
    Bytes codec;                        // packed AVCodecParameters (media/carry.hpp)
    std::vector<std::string> names;     // images: file name of each picture
    std::vector<std::string> warnings;  // "input_truncated", …
    MSGPACK_DEFINE_MAP(name, source, input, recut, recut_reason, time_base, frame_rate, start_pts, frames,
                       end_pts, width, height, fit, rotation, flip, sar, audio, video_codec, audio_codec,
                       codec, names, warnings)
};

// One chunk as the scan cut it: a function of the file and the job's sampling alone.
struct Row {
    std::int64_t seq = 0;
    std::int64_t pts = 0;          // first emitted frame
    std::int64_t end_pts = 0;      // exclusive
    std::int64_t first_frame = 0;  // ordinal of the first emitted frame in the stream
    std::int64_t prev_pts = 0;     // largest emitted pts before; INT64_MIN for the first chunk
    std::int32_t frames = 0;       // emitted packets
    std::int32_t sampled = 0;      // of them on the detection grid
    std::int32_t batches = 0;      // ceil(sampled / batch_frames)
    std::int64_t bytes = 0;        // payload of the packets
    std::string fingerprint;       // of the key packet: ingest checks it when it cuts again
    MSGPACK_DEFINE_MAP(seq, pts, end_pts, first_frame, prev_pts, frames, sampled, batches, bytes, fingerprint)
};

inline constexpr std::int32_t batch_frames = 16;

struct Box {
    float x = 0, y = 0, width = 0, height = 0;
    float score = 0;
    std::int32_t class_id = 0;
    std::int32_t pool = 0;   // index into JobSpec.pools
    std::int64_t track = 0;  // number in its stream, from 1; 0: none
    MSGPACK_DEFINE_MAP(x, y, width, height, score, class_id, pool, track)
    bool operator==(const Box&) const = default;
};

struct FrameBoxes {
    std::int64_t frame = 0;  // ordinal in the stream
    std::int64_t pts = 0;
    std::vector<Box> boxes;  // by falling score, then class, x, y
    MSGPACK_DEFINE_MAP(frame, pts, boxes)
};

// D[s]: the detections of one chunk, frames in order.
struct Detections {
    std::vector<FrameBoxes> frames;
    std::int64_t dropped = 0;  // sampled frames that the decoder did not yield
    MSGPACK_DEFINE_MAP(frames, dropped)
};

// One message about an incident (schema/json/alert.schema.json). Receivers remove doubles by key().
struct Alert {
    std::string alert;  // of the incident: {job or camera}-{16 hex}; the hex part hashes stream, rule, class,
                        // track and the frame that began it
    std::string job;    // empty: of a camera
    std::string stream;  // StreamInfo.name; the camera's id
    std::string rule;
    std::string class_name;
    std::int64_t frame = 0;
    double time_s = 0;            // media time from the stream's start
    Box box;                      // the strongest on that frame
    std::string kind = "new";     // "new" "update" "end"
    std::int32_t update = 0;      // number of the update, from 1
    std::string camera;           // empty: of a job
    std::int64_t capture_ns = 0;  // when the frame was captured; 0: a file
    std::int64_t decided_ns = 0;  // when the broker recorded it; never in artifacts
    std::string zone;
    bool roi_hit = false;            // the box lies in the rule's zone
    std::string model;               // "yolox_nano@1"
    std::string preset;              // "people@2"
    std::string snapshot;            // "root:path" of a JPEG, or empty
    std::vector<std::string> trace;  // why: what was decided on the way, a sentence each
    MSGPACK_DEFINE_MAP(alert, job, stream, rule, class_name, frame, time_s, box, kind, update, camera,
                       capture_ns, decided_ns, zone, roi_hit, model, preset, snapshot, trace)
    std::string key() const {
        return alert + ":" + kind + (update > 0 ? std::to_string(update) : std::string());
    }
};

// S[s]: the state before chunk s. Deterministic bytes.
struct RuleState {
    std::int32_t seen = 0;                // consecutive detected frames with a hit
    std::int64_t rest_until = INT64_MIN;  // pts; no alert before it
    MSGPACK_DEFINE_MAP(seen, rest_until)
};
struct StreamState {
    std::map<std::string, RuleState> rules;  // "rule/class"
    FrameBoxes last;                         // last detected frame: held on frames between samples
    std::int64_t detected = 0;               // frames with detections so far
    Bytes tracker;                           // packed by workers/annotate/tracker; deterministic
    Bytes incidents;                         // packed by workers/annotate/rules; deterministic
    MSGPACK_DEFINE_MAP(rules, last, detected, tracker, incidents)
};

// A finished file of one chunk, below work/{job}/parts/.
struct Part {
    std::string kind;  // exporter's part kind: "video" "result" "thumb"
    std::string path;  // below the output's folder
    std::int64_t bytes = 0;
    std::string sha256;
    MSGPACK_DEFINE_MAP(kind, path, bytes, sha256)
};

// Frames of one chunk or stream, by fate. read = annotated + dropped, exactly.
struct Counters {
    std::int64_t read = 0;
    std::int64_t decoded = 0;
    std::int64_t detected = 0;
    std::int64_t annotated = 0;
    std::int64_t boxes = 0;
    std::int64_t alerts = 0;
    std::map<std::string, std::int64_t> dropped;  // by "stage:reason"
    MSGPACK_DEFINE_MAP(read, decoded, detected, annotated, boxes, alerts, dropped)
};

}  // namespace sl::schema
