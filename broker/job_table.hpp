// JobTable: the one state machine of Sightline (drawn in PROTOCOL.md section 7). Pure: no clock, no socket,
// no store. Every transition writes what it changed into a Journal; the broker answers nobody before the
// journal is durable. Rebuilt from the store's records at start.
//
// Used by the broker's loop thread only. Rule numbers refer to PROTOCOL.md section 8. Split over files by
// what happens: job_table.cpp (clients, leases), job_results.cpp, job_failures.cpp, job_endings.cpp,
// job_again.cpp (retry, forget), job_table_store.cpp (records).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/job.hpp"
#include "broker/job_index.hpp"
#include "broker/noops.hpp"
#include "broker/outbox.hpp"

namespace sl::broker {

// How long what ended stays.
struct Retention {
    std::size_t jobs = 5000;                            // ended ones, in the list
    std::int64_t job_ns = 30 * 24 * 3'600'000'000'000;  // and for how long; 0: no limit
    std::int64_t work_ns = 72 * 3'600'000'000'000;  // work folder of a failed job, for `retry`; 0: none kept
};

// What peers say of a failure, as it is kept and shown: at most 1000 bytes, UTF-8.
std::string clean(const std::string& text);

class JobTable {
public:
    // Continues the log after `last`; ids are (epoch, 1), (epoch, 2) …
    JobTable(std::uint64_t epoch, store::LogId last) : epoch_(epoch), last_id_(last) {}
    void retain(const Retention& retention) { retention_ = retention; }

    // Rebuilds everything from what the store holds; alerts that wait come from its log. Then alerts go to
    // these targets; the names of those that had a place before and are configured no more.
    Result<void> load(const store::Records& records);
    void load_undelivered(const std::vector<store::LogEntry>& entries);
    std::vector<std::string> deliver_to(const OutboxOptions& options, Journal& j) {
        return outbox_.open(options, last_id_, j);
    }

    // Tests only: results of leases that are over are taken, too. Shows that the proof can fail.
    void unfence() { unfenced_ = true; }

    // --- clients
    // Errors: INVALID_PARAMS. A known key returns that job.
    Result<std::string> submit(schema::JobSpec spec, const std::string& key, Journal& j);
    // The same of a no-op, whose `spec` others may share: without id and time.
    Result<std::string> submit_noop(const std::shared_ptr<const schema::JobSpec>& spec, const std::string& id,
                                    const std::string& key);
    Result<JobState> cancel(const std::string& job, bool keep_partial, Journal& j);
    // A queued job makes room for another: it fails with QUEUE_FULL_DROP_LRU.
    void drop(Job& job, Journal& j);
    // The dead chunks of a failed job and the later ones of their streams are done again; if nothing of it
    // was done, or nothing is left of it, it begins with its scan. CONFLICT: it did not fail. UNAVAILABLE:
    // what is left of it is being removed just now.
    Result<JobState> retry(const std::string& job, Journal& j);
    // An ended job is removed, at once or when its work folder (and its results) are. CONFLICT: not ended.
    Result<void> forget(const std::string& job, bool results, Journal& j);
    // What the retention lets go: work of failed jobs, then whole jobs, oldest first.
    void prune(std::int64_t at_ns, Journal& j);

    // --- leases. The token of the new lease; the caller made sure that the unit is pending.
    schema::Token lease_scan(Job& job, const std::string& holder, Journal& j);
    schema::Token lease_chunk(Job& job, std::int32_t stream, std::int64_t seq, const std::string& holder,
                              Journal& j);
    // The engine of one of the job's detect pools, from its first chunk on.
    void pin(Job& job, const std::string& pool, const std::string& engine, Journal& j);
    schema::Token lease_final(Job& job, const std::string& holder, Journal& j);
    schema::Token lease_sweep(Job& job, const std::string& holder, Journal& j);
    // Of the first `limit` alerts that wait for a target, which `alerts` gets.
    schema::Token lease_deliver(const std::string& target, const std::string& holder, std::size_t limit,
                                std::vector<schema::Alert>& alerts);
    // The holder is gone, or no longer lists it: pending again.
    void lost(const schema::Token& token, Journal& j);
    bool current(const schema::Token& token) const;
    // Every current lease and its holder, but for those of no-ops.
    std::vector<std::pair<schema::Token, std::string>> leases() const;

    // --- results. Errc::stale: the token is not current, nothing changed. Repeats are ok.
    Result<void> found(const schema::Token& token, const std::vector<std::string>& names, Journal& j);
    Result<void> scanned(const schema::Scanned& scanned, Journal& j);
    struct Turn {
        bool turn = false;  // false: wait
        schema::Bytes state, detections;
    };
    // `undetected`: sampled frames that the detections lack.
    Result<Turn> gathered(const schema::Token& token, std::optional<schema::Bytes> detections, Journal& j,
                          std::int64_t undetected = 0);
    // Returns the token of the successor that waits for this step, if it is leased.
    Result<std::optional<schema::Token>> step(const schema::Token& token, schema::Bytes next,
                                              const std::vector<schema::Alert>& alerts, Journal& j);
    Result<void> done(const schema::Token& token, std::vector<schema::Part> parts, schema::Counters counters,
                      Journal& j);
    Result<void> final_done(const schema::Token& token, const std::string& digest, Journal& j);
    Result<void> swept(const schema::Token& token, Journal& j);
    Result<void> delivered(const schema::Delivered& report, Journal& j);
    // Its worker gives the unit back. UNAVAILABLE (no space, a store that is away): it rests, up to 30 s, as
    // often as it takes. IO, TIMEOUT, INTERNAL: a strike of that worker's stage (empty: that of the unit's
    // holders). Others: the chunk is dead, or the job fails.
    Result<void> fail(const schema::Token& token, const std::string& code, const std::string& message,
                      Journal& j, const std::string& stage = "");
    // A worker died of these pieces of a unit (none: of the whole). Five strikes on one piece in one stage
    // and it is given up; deliveries and sweeps never are. Of any lease of the unit, but once a worker.
    Result<void> strike(const schema::Token& token, const std::string& stage,
                        const std::vector<schema::Piece>& pieces, const std::string& cause,
                        const std::string& worker, Journal& j);

    // --- looking
    Job* find(const std::string& id);  // no no-op
    // No-ops have their own transitions. What they changed is in no journal until write_noops(), once a
    // batch.
    Noops& noops() { return noops_; }
    const Noops& noops() const { return noops_; }
    void write_noops(Journal& j);
    const Job* by_key(const std::string& key) const;  // of the client; empty: none. No no-op
    const Chunk* chunk(const schema::Token& token) const;
    // After a strike, or while something it needs is away: not to be leased, nor its pieces to be sent.
    bool resting(const schema::Token& token, Clock::time_point now) const;
    std::map<std::string, Job>& jobs() { return jobs_; }
    const std::map<std::string, Job>& jobs() const { return jobs_; }
    const JobIndex& index() const;
    std::int64_t repeats() const { return repeats_; }        // leases of chunks that were leased before
    std::int64_t unbalanced() const { return unbalanced_; }  // jobs whose frames did not balance
    std::vector<schema::StreamParts> stream_parts(const Job& job) const;
    Outbox& outbox() { return outbox_; }
    const Outbox& outbox() const { return outbox_; }
    store::LogId last_id() const { return last_id_; }

    // Into the log and the outbox: an alert that no chunk's step decided.
    void record_alert(schema::Alert alert, Journal& j);
    // An event that is no job transition (worker joined, lost).
    void event(Journal& j, std::string topic, std::string kind, std::string job, const std::string& body,
               bool audit = true);

private:
    schema::Token make_token(const std::string& job, const char* unit, std::int32_t attempt) const;
    Unit* unit_of(const schema::Token& token);
    Chunk* chunk_of(const schema::Token& token);
    // Current, and of this unit: a lease of one kind is no lease of another.
    Result<void> need_current(const schema::Token& token, const char* unit) const;
    static Error stale(const schema::Token& token);
    Result<void> unused(const std::string& id) const;  // CONFLICT: there is such a job
    schema::Token lease_unit(Job& job, Unit& unit, const char* name, const std::string& holder, Journal& j);

    void end_stream(Stream& stream, const std::string& code, const std::string& message);
    void give_up(const schema::Token& token, Dead why, const std::string& code, Journal& j);
    void kill_chunk(Job& job, std::int32_t stream, Dead why, const std::string& code, Journal& j);
    void fail_scan(Job& job, const std::string& code, const std::string& message, Journal& j);
    void fail_final(Job& job, const std::string& code, const std::string& message, Journal& j);
    void add_strike(const schema::Token& token, Strike strike, const std::string& code, Journal& j);
    void wait(const schema::Token& token, const std::string& message, Journal& j);
    Trouble* trouble_of(const schema::Token& token);
    void rewind(Job& job, std::size_t stream, Journal& j);
    void rescan(Job& job, Journal& j);
    void erase_job(Job& job, Journal& j);
    void balance(Job& job, Journal& j);
    void check_end(Job& job, Journal& j);
    void finish(Job& job, JobState state, Journal& j);
    void forget_chunks(Job& job, Journal& j);
    void state_event(const Job& job, const char* kind, Journal& j);
    void unit_event(const Job& job, const char* kind, const schema::Token& token, const Dead& why,
                    Journal& j);
    void progress_event(const Job& job, Journal& j);

    void write_job(Job& job, Journal& j);  // and keeps the indexes
    void write_stream(const Job& job, std::size_t stream, Journal& j) const;
    void write_chunk(const Job& job, std::size_t stream, std::int64_t seq, Journal& j) const;
    static void set(Journal& j, const Job& job, const std::string& field, const schema::Bytes& value);
    static void erase(Journal& j, const Job& job, const std::string& field);

    std::uint64_t epoch_;
    bool unfenced_ = false;
    store::LogId last_id_;
    std::uint64_t grants_ = 0;
    Retention retention_;
    std::map<std::string, Job> jobs_;
    mutable JobIndex index_;
    std::int64_t pruned_ns_ = 0;
    std::int64_t repeats_ = 0, unbalanced_ = 0;
    Noops noops_;                              // in none of the above
    std::map<std::string, std::string> keys_;  // client's key → job, but for no-ops
    Outbox outbox_;
};

}  // namespace sl::broker
