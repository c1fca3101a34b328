// The audit trail: job life cycle, alerts, worker joins and losses, in order, exactly once.
// Fed from the job store's log; the position is kept with the rows, in one transaction.
// Blocking: call from the audit thread only.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/store/job_store.hpp"

namespace sl::store {

// The cameras and zones that a trail keeps beside its rows.
struct Registry {
    bool kept = false;                 // false: this trail keeps none
    std::vector<std::string> cameras;  // bodies as of camera.set
    std::vector<std::string> zones;    // bodies as of zones.set
};

class Audit {
public:
    virtual ~Audit() = default;
    // The id of the last entry that was kept; {} when none.
    virtual Result<LogId> position() = 0;
    // Keeps every entry with audit == true and moves the position to the last entry of the span, atomically.
    // Entries at or before the position are skipped.
    virtual Result<void> append(std::span<const LogEntry> entries) = 0;
    // From any thread: the call that is under way, if it waits for a server, fails soon.
    virtual void interrupt() {}
    // What the rows so far say is registered.
    virtual Result<Registry> registry() { return Registry{}; }
};

// JSON lines, appended and fsynced; a torn last line of a crash is cut off at open, and the position is that
// of the last line left: entries behind it that are not kept (audit == false) are passed over again,
// harmlessly. Errc::conflict: another process writes the file, or it is somebody else's.
Result<std::unique_ptr<Audit>> jsonl_audit(const std::string& path);

struct PostgresOptions {
    std::string dsn;  // libpq connection string or URI
    std::string fleet = "default";
    std::int64_t answer_ms = 5000;  // a call that takes longer has failed: the server may be frozen
    bool dedup =
        true;  // false: entries at or before the position are written again. For a test that must fail
};
// Applies the numbered migrations (compiled in from schema/postgres/*.sql) under an advisory lock at the
// first connection, which is made at first use, and again after a loss; Errc::unavailable until then. What
// waiting cannot mend (password, database, a newer schema) is invalid_argument or unsupported_version.
// The tables of cameras and zones are kept in the same transaction. Writers that compete take turns. A text
// that PostgreSQL refuses (broken UTF-8, NUL, a body that is no JSON) is mended.
Result<std::unique_ptr<Audit>> postgres_audit(const PostgresOptions& options);

}  // namespace sl::store
