// The messages between workers and broker, and between workers (PROTOCOL.md sections 5 and 6).
// Each struct is one header map; `type` is its key of the same name. Payload frames are named in comments.
#pragma once

#include <optional>

#include "schema/codec.hpp"
#include "schema/mapping.hpp"
#include "schema/types.hpp"

namespace sl::schema {

// --- worker → broker ---------------------------------------------------------------------------------

struct Hello {
    std::string type = "hello";
    std::string worker;   // ULID, also the routing id of its DEALER
    std::string stage;    // "ingest" "preprocess" "detect" "annotate" "alert"
    std::string pool;     // stage, or "detect/{model}@{version}"
    std::string host;     // same text: same machine, ipc reaches
    std::string process;  // same text: same process, inproc reaches
    std::int64_t pid = 0;
    std::vector<std::string> endpoints;  // of its PULL socket: inproc, ipc, tcp, whichever it bound
    std::int32_t slots = 0;              // annotate: chunks it is home to at once
    std::string engine;                  // versions that decide the bytes of its results
    std::vector<std::string> roots;      // names of the roots it has mounted
    std::string version;
    std::string supervisor;  // routing id of its supervisor, whose `exited` is believed; empty: none
    std::map<std::string, std::string> labels;  // live/ingest: cameras that ask for labels go to who has them
    MSGPACK_DEFINE_MAP(type, worker, stage, pool, host, process, pid, endpoints, slots, engine, roots,
                       version, supervisor, labels)
};

struct Beat {  // each round
    std::string type = "beat";
    std::uint64_t epoch = 0;   // of the leader it follows
    std::uint64_t last = 0;    // number of the last EXPECT it took in
    std::vector<Token> held;   // every lease it holds
    std::int64_t busy_ms = 0;  // age of the item in the work thread, without time blocked in a send
    std::int64_t items = 0;    // items worked on so far
    std::map<std::string, std::int64_t> job_items;  // the same by job
    bool draining = false;                          // takes nothing more; will say bye
    std::uint64_t peers = 0;                        // number of the last PEERS of this epoch that it took in
    std::int64_t bad_messages = 0;                  // refused so far
    std::int64_t dropped = 0;                       // messages for peers that were gone
    std::string last_error;                         // the last unit that failed here, and why
    std::int64_t still_ms = 0;                      // since the last sign of life of the item at work
    MSGPACK_DEFINE_MAP(type, epoch, last, held, busy_ms, items, job_items, draining, peers, bad_messages,
                       dropped, last_error, still_ms)
};

struct Bye {
    std::string type = "bye";
    MSGPACK_DEFINE_MAP(type)
};

// Requests carry `req`; they are repeated every two rounds until an `answer` with the same number came.
struct Piece {
    std::int32_t pool = -1;  // -1: the source; else index into JobSpec.pools
    std::int32_t batch = 0;
    MSGPACK_DEFINE_MAP(pool, batch)
    auto operator<=>(const Piece&) const = default;
};
struct Fetch {  // home: send me these pieces of this chunk
    std::string type = "fetch";
    std::uint64_t req = 0;
    Token token;
    std::vector<Piece> pieces;  // empty: all
    MSGPACK_DEFINE_MAP(type, req, token, pieces)
};
struct FoundStreams {  // scan: the inputs hold these streams
    std::string type = "found";
    std::uint64_t req = 0;
    Token token;
    std::vector<std::string> names;
    MSGPACK_DEFINE_MAP(type, req, token, names)
};
struct Scanned {  // scan: one stream is cut, or cannot be read
    std::string type = "scanned";
    std::uint64_t req = 0;
    Token token;
    std::int32_t stream = 0;
    StreamInfo info;
    std::vector<Row> rows;
    std::string error_code;  // empty: fine
    std::string error;
    MSGPACK_DEFINE_MAP(type, req, token, stream, info, rows, error_code, error)
};
struct Gathered {  // payload[0]: D as Detections; none when repeated after "wait"
    std::string type = "gathered";
    std::uint64_t req = 0;
    Token token;
    MSGPACK_DEFINE_MAP(type, req, token)
};
struct Step {  // payload[0]: S[s+1] as StreamState
    std::string type = "step";
    std::uint64_t req = 0;
    Token token;
    std::vector<Alert> alerts;
    MSGPACK_DEFINE_MAP(type, req, token, alerts)
};
struct Done {
    std::string type = "done";
    std::uint64_t req = 0;
    Token token;
    std::vector<Part> parts;
    Counters counters;
    MSGPACK_DEFINE_MAP(type, req, token, parts, counters)
};
struct UnitDone {  // final, sweep, deliver
    std::string type = "unit_done";
    std::uint64_t req = 0;
    Token token;
    std::string digest;  // final: sha256 of the manifest
    MSGPACK_DEFINE_MAP(type, req, token, digest)
};
struct Fail {
    std::string type = "fail";
    std::uint64_t req = 0;
    Token token;
    std::string code;
    std::string message;
    std::string pool;           // where it failed; empty: in the sender's
    std::vector<Piece> pieces;  // on which; empty: on the whole unit
    MSGPACK_DEFINE_MAP(type, req, token, code, message, pool, pieces)
};
// May I work on these pieces? From a worker of preprocess or detect to the broker, from there to the home.
// Never repeated: a worker that hears nothing for 50 ms works on all of them (rule 9).
struct Take {
    std::string type = "take";
    std::uint64_t req = 0;
    Token token;
    std::string home;
    std::string worker;  // who asks; the broker fills it in
    std::vector<Piece> pieces;
    MSGPACK_DEFINE_MAP(type, req, token, home, worker, pieces)
};
struct Took {  // the home's answer, by the broker to `worker`: work on these, and on no other
    std::string type = "took";
    std::uint64_t req = 0;
    std::string worker;
    std::vector<Piece> pieces;
    MSGPACK_DEFINE_MAP(type, req, worker, pieces)
};
// From a supervisor, which is no worker: one of its workers ended. Repeated until answered (rule 6).
struct Exited {
    std::string type = "exited";
    std::uint64_t req = 0;
    std::string worker;
    std::string cause;          // "signal 11 (Segmentation fault)", "out of memory", "stuck for 61 s"
    bool crashed = false;       // by what it worked on: not ended by its operator. Then the crumb strikes
    Token token;                // the crumb; job empty: it worked on nothing
    std::string stage;          // of the crumb
    std::vector<Piece> pieces;  // of the crumb
    MSGPACK_DEFINE_MAP(type, req, worker, cause, crashed, token, stage, pieces)
};
struct ReloadRefused {  // the worker goes on as it was
    std::string type = "reload_refused";
    std::string code;
    std::string message;
    MSGPACK_DEFINE_MAP(type, code, message)
};

// --- broker → worker ---------------------------------------------------------------------------------

struct Welcome {
    std::string type = "welcome";
    std::uint64_t epoch = 0;
    MSGPACK_DEFINE_MAP(type, epoch)
};
struct Refused {  // the worker must not serve; it ends with this reason
    std::string type = "refused";
    std::string code;
    std::string message;
    MSGPACK_DEFINE_MAP(type, code, message)
};
struct BeatAnswer {
    std::string type = "beat_answer";
    std::uint64_t epoch = 0;
    bool who = false;         // "I do not know you": say hello again
    std::vector<Token> drop;  // listed, but not current: let go
    std::uint64_t last = 0;   // number of the last EXPECT that was sent to it
    MSGPACK_DEFINE_MAP(type, epoch, who, drop, last)
};
struct Peer {
    std::string worker;
    std::string stage;
    std::string pool;
    std::string host;
    std::string process;
    std::vector<std::string> endpoints;
    MSGPACK_DEFINE_MAP(worker, stage, pool, host, process, endpoints)
};
struct Peers {  // the full set, at each change
    std::string type = "peers";
    std::uint64_t epoch = 0;
    std::uint64_t n = 0;
    std::vector<Peer> workers;
    MSGPACK_DEFINE_MAP(type, epoch, n, workers)
};
struct Expect {  // you are the home of this chunk
    std::string type = "expect";
    std::uint64_t epoch = 0;
    std::uint64_t n = 0;  // numbers the EXPECTs to one worker
    Token token;
    JobSpec spec;
    StreamInfo stream;
    Row row;
    bool recorded = false;  // D is in the store already: fetch the source alone
    MSGPACK_DEFINE_MAP(type, epoch, n, token, spec, stream, row, recorded)
};
struct StreamParts {  // a stream as the final unit gets it
    StreamInfo info;
    bool complete = false;
    std::string error;
    std::vector<Row> rows;                   // the finished prefix, in order
    std::vector<std::vector<Part>> parts;    // by row
    std::vector<std::vector<Alert>> alerts;  // by row
    Counters counters;
    MSGPACK_DEFINE_MAP(info, complete, error, rows, parts, alerts, counters)
};
struct Task {
    std::string type = "task";
    std::uint64_t epoch = 0;
    Token token;       // its unit says what to do: "scan" "chunk" (send a chunk to its home) "final" "sweep"
                       // "deliver"
    JobSpec spec;      // all but deliver
    std::string home;  // chunk
    StreamInfo stream;
    Row row;
    std::vector<Piece> pieces;         // chunk; empty: all
    std::vector<StreamParts> streams;  // final
    std::string state;                 // final: how the job ends: "succeeded" "failed" "canceled"
    std::string error;
    std::map<std::string, std::string> engines;  // final: by pool, what detected there
    bool keep_outputs = true;                    // sweep
    std::vector<Alert> alerts;                   // deliver
    std::string target;                          // deliver: to whom, by the name in alerts.targets
    MSGPACK_DEFINE_MAP(type, epoch, token, spec, home, stream, row, pieces, streams, state, error, engines,
                       keep_outputs, alerts, target)
};
struct Answer {  // turn: payload S[s], D[s]
    std::string type = "answer";
    std::uint64_t req = 0;
    std::string status;  // "ok" "stale" "wait" "turn"
    std::string from;    // to a fetch: the ingest worker that was told
    MSGPACK_DEFINE_MAP(type, req, status, from)
};
struct Nudge {  // it may be this waiting chunk's turn: ask again
    std::string type = "nudge";
    Token token;
    MSGPACK_DEFINE_MAP(type, token)
};
struct Drain {  // finish what you hold, take nothing more, say bye
    std::string type = "drain";
    std::int64_t deadline_ms = 0;  // from now; then what is left is handed back. 0: the worker's own
    MSGPACK_DEFINE_MAP(type, deadline_ms)
};
struct Reload {  // check the configuration of today, drain, and begin again with it
    std::string type = "reload";
    std::int64_t deadline_ms = 0;
    MSGPACK_DEFINE_MAP(type, deadline_ms)
};
struct Die {  // the item in your work thread is over its age limit: end, so that others get the work
    std::string type = "die";
    std::string message;
    MSGPACK_DEFINE_MAP(type, message)
};

// --- worker → worker ---------------------------------------------------------------------------------

struct ChunkMessage {  // ingest → preprocess. payload[0]: packets
    std::string type = "chunk";
    Token token;
    std::string home;
    JobSpec spec;
    StreamInfo stream;
    Row row;
    std::vector<Piece> pieces;  // empty: all
    MSGPACK_DEFINE_MAP(type, token, home, spec, stream, row, pieces)
};
struct SourceMessage {  // preprocess → home. payload[0]: packets
    std::string type = "source";
    Token token;
    MSGPACK_DEFINE_MAP(type, token)
};
struct BatchFrame {
    std::int64_t frame = 0;
    std::int64_t pts = 0;
    Mapping mapping;  // model pixels → displayed pixels
    MSGPACK_DEFINE_MAP(frame, pts, mapping)
};
struct BatchMessage {  // preprocess → detect. payload[0]: frames.size() tensors, uint8, 3 × height × width
    std::string type = "batch";
    Token token;
    std::string home;
    std::int32_t pool = 0;
    std::int32_t batch = 0;
    PoolSpec spec;
    std::vector<BatchFrame> frames;
    std::int32_t dropped = 0;  // sampled frames of this batch that did not decode
    std::int32_t canvas_width = 0;
    std::int32_t canvas_height = 0;
    double confidence = 0.3;
    double nms = 0.45;
    std::vector<std::string> classes;
    std::int32_t max_boxes = 300;
    MSGPACK_DEFINE_MAP(type, token, home, pool, batch, spec, frames, dropped, canvas_width, canvas_height,
                       confidence, nms, classes, max_boxes)
};
struct DetectionsMessage {  // detect → home
    std::string type = "detections";
    Token token;
    std::int32_t pool = 0;
    std::int32_t batch = 0;
    Detections detections;
    std::string error_code;  // the model failed on it
    std::string error;
    MSGPACK_DEFINE_MAP(type, token, pool, batch, detections, error_code, error)
};

}  // namespace sl::schema
