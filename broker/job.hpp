// What the job table holds of a job: its units, streams and chunks. Written to the store by job_table_store.
// Rule numbers refer to PROTOCOL.md section 8.
#pragma once

#include <map>
#include <string>
#include <vector>

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

// A leased piece of work that is no chunk.
struct Unit {
    enum class State { none, pending, leased, done } state = State::none;
    schema::Token token;  // of the last lease
    std::string holder;
    std::int32_t failures = 0;
    Clock::time_point not_before{};  // back-off; not kept over a restart
};

struct Chunk {
    schema::Row row;
    ChunkState state = ChunkState::pending;
    schema::Token token;  // of the last lease
    std::string holder;   // while leased: its home
    std::int32_t failures = 0;
    std::vector<schema::Part> parts;    // done
    std::vector<schema::Alert> alerts;  // stepped
    schema::Counters counters;          // done
    Clock::time_point not_before{};
};

struct Stream {
    std::string name;
    schema::StreamInfo info;
    bool scanned = false;
    std::string error_code, error;                     // the stream ended early, or never began
    std::vector<Chunk> chunks;                         // forgotten when the job was swept
    std::int64_t total = 0;                            // how many there are, or were
    std::int64_t next = 0;                             // head: highest seq whose input state exists
    std::int64_t done = 0;                             // chunks done
    std::int64_t prefix = 0;                           // chunks done without a gap from the start
    std::int64_t reached = 0;                          // no chunk at or after it was ever leased
    std::int64_t dead_at = INT64_MAX;                  // seq of the dead chunk
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
    std::int64_t started_ns = 0, ended_ns = 0;
    Unit scan, final, sweep;
    bool found = false;  // the streams are known
    bool keep_partial = false;
    bool swept = false;  // nothing of it is left in the work folder
    std::vector<Stream> streams;
    std::string manifest_digest;
    std::map<std::string, std::string> engines;  // by detect pool: what the job is pinned to
    std::map<std::string, std::map<std::string, std::int64_t>>
        worked;                    // pool → worker → items; since this broker leads
    std::uint64_t last_grant = 0;  // number of its last chunk's lease, of all jobs; 0: none yet

    const std::string& id() const { return spec.job; }
    std::int64_t in_flight() const;  // derived, never kept (rule 17)
};

// sum += c
void add_counters(schema::Counters& sum, const schema::Counters& c);

}  // namespace sl::broker
