// What the job table holds of a job: its units, streams and chunks. Written to the store by job_table_store.
// Rule numbers refer to PROTOCOL.md section 8.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/reconciliation.hpp"
#include "common/ids.hpp"
#include "common/store/job_store.hpp"
#include "schema/messages.hpp"

namespace sl::broker {

// Collects what a transition changed.
struct Journal {
    std::vector<store::Write> writes;
    std::vector<store::LogEntry> log;
    std::size_t bytes = 0;  // of the values written

    bool empty() const { return writes.empty() && log.empty(); }
};

enum class JobState { queued, running, succeeded, failed, canceled };
const char* state_name(JobState state);
inline bool is_terminal(JobState s) {
    return s != JobState::queued && s != JobState::running;
}

enum class ChunkState { pending, leased, done, dead };
const char* state_name(ChunkState state);

// One reason to give a unit of work up (rule 6).
struct Strike {
    std::string stage;
    std::vector<schema::Piece> pieces;  // empty: the whole
    std::string worker;                 // that died of it; empty: it said `fail`
    std::string cause;
    MSGPACK_DEFINE_MAP(stage, pieces, worker, cause)
};

// What is held against a unit of work, and until when it rests. Only the strikes are kept over a restart.
struct Trouble {
    std::vector<Strike> strikes;
    std::int32_t waits = 0;  // times in a row that something it needs was away
    std::string waits_for;   // what it was; empty: nothing
    Clock::time_point not_before{};
};

// A chunk that was given up, and why.
struct Dead {
    std::int64_t seq = 0;
    std::string stage, piece;  // "source", "POOL/BATCH", or "": the whole chunk
    std::vector<std::string> causes;
    MSGPACK_DEFINE_MAP(seq, stage, piece, causes)
};

// A leased piece of work that is no chunk.
struct Unit {
    enum class State { none, pending, leased, done } state = State::none;
    schema::Token token;  // of the last lease
    std::string holder;
    Trouble trouble;
};

struct Chunk {
    schema::Row row;
    ChunkState state = ChunkState::pending;
    schema::Token token;  // of the last lease
    std::string holder;   // while leased: its home
    Trouble trouble;
    std::vector<schema::Part> parts;    // done
    std::vector<schema::Alert> alerts;  // stepped
    schema::Counters counters;          // done
    std::int64_t undetected = 0;        // sampled frames that D lacks, since D is recorded
};

struct Stream {
    std::string name;
    schema::StreamInfo info;
    bool scanned = false;
    std::string error_code, error;     // the stream ended early, or never began
    std::vector<Chunk> chunks;         // forgotten when the job was swept
    std::int64_t total = 0;            // how many there are, or were
    std::int64_t next = 0;             // head: highest seq whose input state exists
    std::int64_t done = 0;             // chunks done
    std::int64_t prefix = 0;           // chunks done without a gap from the start
    std::int64_t reached = 0;          // no chunk at or after it was ever leased
    std::int64_t dead_at = INT64_MAX;  // seq of the first dead chunk
    std::vector<Dead> dead;
    std::map<std::int64_t, schema::Bytes> states;      // S[s]
    std::map<std::int64_t, schema::Bytes> detections;  // D[s]
    schema::Counters counters;

    bool ended() const {
        return (scanned || !error.empty()) &&
               prefix >= std::min<std::int64_t>(std::int64_t(chunks.size()), dead_at);
    }
};

struct Job {
    schema::JobSpec spec;
    std::string key;  // the client's
    JobState state = JobState::queued;
    JobState ending = JobState::succeeded;  // what final ends it as
    std::string error_code, error;
    std::string last_error;  // the last thing that went wrong in it, whether it mattered or not
    std::int64_t started_ns = 0, ended_ns = 0;
    Unit scan, final, sweep;
    bool found = false;  // the streams are known
    bool keep_partial = false;
    bool swept = false;                                       // nothing of it is left in the work folder
    enum class Forget { no, work, all } forget = Forget::no;  // when it is swept; all: results too
    std::int32_t retries = 0;
    std::int32_t attempts = 0;      // of chunks before the last retry that began with a scan
    Reconciliation reconciliation;  // once ended
    std::vector<Stream> streams;
    std::size_t first_open = 0;  // all streams before it have ended
    std::size_t reached = 0;     // no stream at or after it has chunks that were leased
    std::string manifest_digest;
    std::map<std::string, std::string> engines;  // by detect pool: what the job is pinned to
    std::map<std::string, std::map<std::string, std::int64_t>>
        worked;                    // pool → worker → items; since this broker leads
    std::uint64_t last_grant = 0;  // number of its last chunk's lease, of all jobs; 0: none yet
    struct Share {                 // of the chunks granted, beside others of its kind; kept by dispatch
        bool taking = false;
        std::int64_t offset = 0;
    } share;

    const std::string& id() const { return spec.job; }
    std::int64_t in_flight() const;  // derived, never kept (rule 17)
    std::int64_t done() const;       // chunks
};

// sum += c
void add_counters(schema::Counters& sum, const schema::Counters& c);

}  // namespace sl::broker
