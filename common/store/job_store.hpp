// Where job state lives: records by key and field, and one ordered log. Two implementations, one contract
// suite: memory (the one-process mode, tests) and Redis.
//
// The job table (broker/job_table) is the only state machine: it turns a request into writes and log
// entries; the store makes them durable, atomically, and only for the broker that leads. A batch that was
// applied is never applied twice (`number`), so a broker that got no answer just sends it again.
// Keys and values are specified in schema/redis/KEYS.md. Blocking: call from the store thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schema/result.hpp"

namespace sl::store {

// Position in the log: ordered by epoch, then n. Text form "{epoch}-{n}".
struct LogId {
    std::uint64_t epoch = 0;
    std::uint64_t n = 0;
    auto operator<=>(const LogId&) const = default;
    std::string text() const { return std::to_string(epoch) + "-" + std::to_string(n); }
};
Result<LogId> parse_log_id(const std::string& text);

// An event, an audit row and an outbox entry in one: published to subscribers, copied to the audit trail,
// and, when kind is "alert", delivered by the alert stage.
struct LogEntry {
    LogId id;
    std::string topic;  // "job.{id}.state", "alert.{stream}", "pool.{name}"
    std::string kind;  // "job.queued" "job.started" "job.progress" "job.succeeded" … "alert" "worker.joined"
                       // "worker.lost"
    std::string job;  // or empty
    std::int64_t time_ns = 0;
    std::string body;   // JSON object
    bool audit = true;  // progress is for subscribers only
};

// A write of one field of one record. Records are hashes: "job:{id}" and a few of the fleet's own.
struct Write {
    enum class Kind { set, erase_field, erase_record } kind = Kind::set;
    std::string record;
    std::string field;
    std::string value;  // binary
};

struct Batch {
    std::uint64_t epoch = 0;   // of the leader that made it
    std::uint64_t number = 0;  // 1, 2, 3 … within the epoch
    std::vector<Write> writes;
    std::vector<LogEntry> log;  // ids already given, rising
};

struct Lead {
    bool leads = false;
    std::uint64_t epoch = 0;  // ours, or the leader's
    std::string leader;       // who leads
};

using Records = std::map<std::string, std::map<std::string, std::string>>;

class JobStore {
public:
    virtual ~JobStore() = default;

    // Takes or keeps the lead for ttl_ms. Free or expired (even if it was ours): epoch = max(last + 1, now in
    // ms); a leader that is given another epoch than it had must load again. Another store object counts as
    // another broker, whatever its name. `resign` gives the lead up at once (a clean shutdown); its epoch
    // commits nothing more. Expiry alone does not fence: commits pass until somebody else leads.
    virtual Result<Lead> lead(const std::string& broker, std::int64_t ttl_ms) = 0;
    virtual Result<void> resign(const std::string& broker) = 0;

    // Atomic, fenced and idempotent. Errc::stale: another epoch leads, or the store lost batches that it had
    // acknowledged; nothing was written, take the lead anew and load. Errc::unavailable: unknown whether it
    // was applied; send it again. Errc::invalid_argument: log ids that do not rise, or more than 200,000
    // writes and entries or 256 MB; nothing was written.
    virtual Result<void> commit(const Batch& batch) = 0;

    // All records. Of one moment only for the leader, while it commits nothing.
    virtual Result<Records> load() = 0;

    // Up to `limit` entries after `after`, in order.
    virtual Result<std::vector<LogEntry>> read_log(LogId after, std::size_t limit) = 0;
    // Forgets entries up to and including `upto`.
    virtual Result<void> trim_log(LogId upto) = 0;
};

// May be used by several threads.
std::unique_ptr<JobStore> memory_store();

struct RedisOptions {
    std::string url = "redis://127.0.0.1:6379/0";  // or unix:///path/redis.sock; password by redis://:pw@…
    std::string fleet = "default";                 // two fleets on one Redis do not meet
    std::int64_t timeout_ms = 2000;
};
// Connects at first use and again after a loss; only a wrong URL fails here. Refuses a Redis whose
// maxmemory-policy may evict, one older than 6.2, and what is no Redis (invalid_argument). Ignores SIGPIPE in
// the process from then on.
Result<std::unique_ptr<JobStore>> redis_store(const RedisOptions& options);

}  // namespace sl::store
