// Cameras, and the messages of live work (PROTOCOL.md section 9). A live frame travels alone, decoded, from
// the worker that is connected to the camera (live/ingest) by live/preprocess and live/detect to the camera's
// home (live/annotate), which alone decides. Data messages carry the home's token.
#pragma once

#include "schema/mapping.hpp"
#include "schema/types.hpp"

namespace sl::schema {

// A camera as registered. What is worked out from `preset` and `params` is its JobSpec.
struct MotionSpec {  // still scenes are not detected
    bool on = true;
    double threshold = 0.004;  // share of the picture that has to change
    double full_every_s = 10;  // detected at least this often
    MSGPACK_DEFINE_MAP(on, threshold, full_every_s)
    bool operator==(const MotionSpec&) const = default;
};
struct Camera {
    std::string camera;             // id: letters, digits, '-', '_', '.'
    std::string url;                // rtsp:// http(s):// file:// v4l2:// synthetic://; never with credentials
    std::string backup_url;         // taken while the first does not answer; empty: none
    std::string secret;             // name of its user and password among the secrets; empty: none
    std::string transport = "tcp";  // of rtsp: "tcp" "udp"
    double fps = 5;                 // looked at; 0: every frame
    std::string policy =
        "drop_oldest";      // when work cannot keep up: "wait" "drop_oldest" "drop_latest" "deadline"
    double deadline_s = 1;  // policy deadline: a frame older than this is dropped wherever it is
    double silence_s = 2;   // without a frame for so long the connection is given up
    double connect_s = 5;   // until the first frame
    bool enabled = true;
    std::map<std::string, std::string> labels;  // only workers that carry all of these
    MotionSpec motion;
    bool snapshots = false;  // a JPEG beside each alert
    std::string preset = "live";
    std::string params = "{}";  // JSON object: parameters over the preset's, zones and rules among them
    std::int64_t revision = 0;  // rises with each change
    MSGPACK_DEFINE_MAP(camera, url, backup_url, secret, transport, fps, policy, deadline_s, silence_s,
                       connect_s, enabled, labels, motion, snapshots, preset, params, revision)
    bool operator==(const Camera&) const = default;
};

// --- broker → worker ---------------------------------------------------------------------------------

// A lease of the unit "camera", to a live/ingest worker; again with a higher revision when the camera's
// settings or its home changed: the connection is kept if url, secret and transport are the same.
struct CameraTask {
    std::string type = "camera";
    std::uint64_t epoch = 0;
    Token token;
    Camera camera;
    JobSpec spec;
    std::string home;  // worker; empty: none yet
    Token watch;       // the home's token, carried by every frame
    std::int64_t revision = 0;
    MSGPACK_DEFINE_MAP(type, epoch, token, camera, spec, home, watch, revision)
};
// A lease of the unit "watch", to a live/annotate worker: be this camera's home.
struct WatchTask {
    std::string type = "watch";
    std::uint64_t epoch = 0;
    Token token;  // seq: the session, which rises with each lease
    Camera camera;
    JobSpec spec;
    std::int64_t step = 0;  // number of the last recorded step
    Bytes state;            // LiveState after it, packed; empty: none yet
    std::int64_t revision = 0;
    MSGPACK_DEFINE_MAP(type, epoch, token, camera, spec, step, state, revision)
};

// --- worker → broker ---------------------------------------------------------------------------------

// The connection's state, whenever it changes, and each second.
struct CameraReport {
    std::string type = "camera_report";
    Token token;
    std::string state;  // "connecting" "streaming" "waiting"
    std::string url;    // which one, without credentials
    std::string error;  // typed: "auth_failed" "tls" "not_found" "timeout" "codec_unsupported" "refused"
                        // "ended" "io"; empty: none
    std::string message;
    std::int64_t width = 0, height = 0;
    std::string codec;
    double source_fps = 0;
    std::int64_t connects = 0;                    // since the lease
    std::int64_t captured = 0;                    // frames that arrived
    std::int64_t sampled = 0;                     // of them looked at
    std::int64_t gated = 0;                       // of the sampled: still, not detected
    std::int64_t sent = 0;                        // of the sampled: sent to be detected
    std::map<std::string, std::int64_t> dropped;  // of the sampled, by reason
    std::int64_t in_flight = 0;
    double age_ms = 0;  // of the last frame when it was sent
    MSGPACK_DEFINE_MAP(type, token, state, url, error, message, width, height, codec, source_fps, connects,
                       captured, sampled, gated, sent, dropped, in_flight, age_ms)
};
// The home records a step: at once when it has alerts, else each second. Answered like every request.
struct LiveStep {  // payload[0]: LiveState after it, packed
    std::string type = "live_step";
    std::uint64_t req = 0;
    Token token;
    std::int64_t step = 0;  // one above the last recorded: compared, then set
    std::vector<Alert> alerts;
    Counters counters;                // of the session so far
    std::vector<std::string> traces;  // JSON objects: tracks that ended, with what was decided about them
    double latency_ms = 0;            // capture → decided, of the last frame
    MSGPACK_DEFINE_MAP(type, req, token, step, alerts, counters, traces, latency_ms)
};

// --- worker → worker ---------------------------------------------------------------------------------

struct Capture {  // of one sampled frame; rides along to the home
    std::string camera;
    std::int64_t seq = 0;  // of the sampled frames of this lease, from 1, without gaps
    std::int64_t capture_ns = 0;
    std::int32_t width = 0, height = 0;
    std::string ingest;                           // worker that waits for `seen`
    std::map<std::string, std::int64_t> dropped;  // sampled frames dropped since the lease, by reason
    double deadline_s = 0;                        // 0: none
    MSGPACK_DEFINE_MAP(camera, seq, capture_ns, width, height, ingest, dropped, deadline_s)
};
struct FrameMessage {  // live/ingest → live/preprocess. payload[0]: I420, planes without padding
    std::string type = "frame";
    Token token;
    std::string home;
    Capture capture;
    std::vector<PoolSpec> pools;
    std::vector<Operation> operations;
    double confidence = 0.3, nms = 0.45;
    std::vector<std::string> classes;
    std::int32_t max_boxes = 300;
    bool picture = false;  // the home wants the picture, too
    MSGPACK_DEFINE_MAP(type, token, home, capture, pools, operations, confidence, nms, classes, max_boxes,
                       picture)
};
struct StillMessage {  // live/ingest → home: nothing moved since the last frame, nothing is detected
    std::string type = "still";
    Token token;
    Capture capture;
    MSGPACK_DEFINE_MAP(type, token, capture)
};
struct PictureMessage {  // live/preprocess → home. payload[0]: I420, planes without padding
    std::string type = "picture";
    Token token;
    Capture capture;
    MSGPACK_DEFINE_MAP(type, token, capture)
};
struct TensorMessage {  // live/preprocess → live/detect. payload[0]: one tensor, uint8, 3 × height × width
    std::string type = "tensor";
    Token token;
    std::string home;
    Capture capture;
    std::int32_t pool = 0;  // index into the camera's pools
    PoolSpec spec;
    Mapping mapping;
    double confidence = 0.3, nms = 0.45;
    std::vector<std::string> classes;
    std::int32_t max_boxes = 300;
    MSGPACK_DEFINE_MAP(type, token, home, capture, pool, spec, mapping, confidence, nms, classes, max_boxes)
};
struct FoundMessage {  // live/detect → home; live/preprocess → home when the frame cannot be worked on
    std::string type = "boxes";
    Token token;
    Capture capture;
    std::int32_t pool = -1;  // -1: the whole frame was dropped
    std::vector<Box> boxes;
    std::string dropped;  // reason; empty: detected
    double detect_ms = 0;
    MSGPACK_DEFINE_MAP(type, token, capture, pool, boxes, dropped, detect_ms)
};
struct SeenMessage {  // home → live/ingest: the frame is decided or given up, send another
    std::string type = "seen";
    Token token;  // the home's
    std::string camera;
    std::int64_t seq = 0;
    MSGPACK_DEFINE_MAP(type, token, camera, seq)
};

}  // namespace sl::schema
