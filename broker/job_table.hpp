// JobTable: the one state machine of Sightline (drawn in PROTOCOL.md section 7). Pure: no clock, no socket,
// no store. Every transition writes what it changed into a Journal; the broker answers nobody before the
// journal is durable. Rebuilt from the store's records at start.
//
// Used by the broker's loop thread only. Rule numbers refer to PROTOCOL.md section 8.
#pragma once

#include <deque>
#include <map>
#include <optional>
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

class JobTable {
public:
    // Continues the log after `last`; ids are (epoch, 1), (epoch, 2) …
    JobTable(std::uint64_t epoch, store::LogId last) : epoch_(epoch), last_id_(last) {}

    // Rebuilds everything from what the store holds; undelivered alerts come from its log.
    Result<void> load(const store::Records& records);
    void load_undelivered(const std::vector<store::LogEntry>& entries);

    // Tests only: results of leases that are over are taken, too. Shows that the proof can fail.
    void unfence() { unfenced_ = true; }

    // --- clients
    // Errors: INVALID_PARAMS. A known key returns that job.
    Result<std::string> submit(schema::JobSpec spec, const std::string& key, Journal& j);
    Result<JobState> cancel(const std::string& job, bool keep_partial, Journal& j);

    // --- leases. The token of the new lease; the caller made sure that the unit is pending.
    schema::Token lease_scan(Job& job, const std::string& holder, Journal& j);
    schema::Token lease_chunk(Job& job, std::int32_t stream, std::int64_t seq, const std::string& holder,
                              Journal& j);
    // The engine of one of the job's detect pools, from its first chunk on.
    void pin(Job& job, const std::string& pool, const std::string& engine, Journal& j);
    schema::Token lease_final(Job& job, const std::string& holder, Journal& j);
    schema::Token lease_sweep(Job& job, const std::string& holder, Journal& j);
    // Of the first `limit` undelivered alerts.
    schema::Token lease_deliver(const std::string& holder, std::size_t limit);
    // The holder is gone, or no longer lists it: pending again.
    void lost(const schema::Token& token, Journal& j);
    bool current(const schema::Token& token) const;
    // Every current lease and its holder.
    std::vector<std::pair<schema::Token, std::string>> leases() const;

    // --- results. Errc::stale: the token is not current, nothing changed. Repeats are ok.
    Result<void> found(const schema::Token& token, const std::vector<std::string>& names, Journal& j);
    Result<void> scanned(const schema::Scanned& scanned, Journal& j);
    struct Turn {
        bool turn = false;  // false: wait
        schema::Bytes state, detections;
    };
    Result<Turn> gathered(const schema::Token& token, std::optional<schema::Bytes> detections, Journal& j);
    // Returns the token of the successor that waits for this step, if it is leased.
    Result<std::optional<schema::Token>> step(const schema::Token& token, schema::Bytes next,
                                              const std::vector<schema::Alert>& alerts, Journal& j);
    Result<void> done(const schema::Token& token, std::vector<schema::Part> parts, schema::Counters counters,
                      Journal& j);
    Result<void> final_done(const schema::Token& token, const std::string& digest, Journal& j);
    Result<void> swept(const schema::Token& token, Journal& j);
    Result<void> delivered(const schema::Token& token, Journal& j);
    // Retryable codes (IO, UNAVAILABLE, TIMEOUT, INTERNAL): pending again after a back-off, five times.
    // Others, or the fifth: the chunk is dead, or the job fails.
    Result<void> fail(const schema::Token& token, const std::string& code, const std::string& message,
                      Journal& j);

    // --- looking
    Job* find(const std::string& id);
    const Job* by_key(const std::string& key) const;  // of the client; empty: none
    const Chunk* chunk(const schema::Token& token) const;
    std::map<std::string, Job>& jobs() { return jobs_; }
    const std::map<std::string, Job>& jobs() const { return jobs_; }
    std::vector<schema::StreamParts> stream_parts(const Job& job) const;
    Unit& deliver() { return deliver_; }
    std::vector<schema::Alert> undelivered(std::size_t limit) const;
    std::size_t undelivered_count() const { return undelivered_.size(); }
    store::LogId delivered_upto() const { return delivered_; }
    store::LogId last_id() const { return last_id_; }

    // An event that is no job transition (worker joined, lost).
    void event(Journal& j, std::string topic, std::string kind, std::string job, const std::string& body,
               bool audit = true);

private:
    struct Undelivered {
        store::LogId id;
        schema::Alert alert;
    };
    schema::Token make_token(const std::string& job, const char* unit, std::int32_t attempt) const;
    Unit* unit_of(const schema::Token& token);
    Chunk* chunk_of(const schema::Token& token);
    // Current, and of this unit: a lease of one kind is no lease of another.
    Result<void> need_current(const schema::Token& token, const char* unit) const;
    schema::Token lease_unit(Job& job, Unit& unit, const char* name, const std::string& holder, Journal& j);

    void end_stream(Stream& stream, const std::string& code, const std::string& message);
    void kill_chunk(Job& job, std::int32_t stream, std::int64_t seq, const std::string& code,
                    const std::string& message, Journal& j);
    void forget_old(Journal& j);
    Result<void> fail_scan(Job& job, const std::string& code, const std::string& message, Journal& j);
    void check_end(Job& job, Journal& j);
    void finish(Job& job, JobState state, Journal& j);
    void forget_chunks(Job& job, Journal& j);
    void state_event(const Job& job, const char* kind, Journal& j);
    void progress_event(const Job& job, Journal& j);

    void write_job(const Job& job, Journal& j) const;
    void write_stream(const Job& job, std::size_t stream, Journal& j) const;
    void write_chunk(const Job& job, std::size_t stream, std::int64_t seq, Journal& j) const;
    static void set(Journal& j, const Job& job, const std::string& field, const schema::Bytes& value);
    static void erase(Journal& j, const Job& job, const std::string& field);

    std::uint64_t epoch_;
    bool unfenced_ = false;
    store::LogId last_id_;
    std::uint64_t grants_ = 0;
    std::map<std::string, Job> jobs_;
    std::map<std::string, std::string> keys_;  // client's key → job
    Unit deliver_;
    store::LogId delivered_, delivering_;
    std::deque<Undelivered> undelivered_;
};

}  // namespace sl::broker
