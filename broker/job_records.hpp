// What the job table keeps in the store: one record "job:{id}" a job, its fields as msgpack maps
// (schema/redis/KEYS.md section "Records"). Add optional keys only. Field "reconciliation" is a
// Reconciliation.
#pragma once

#include "broker/job.hpp"

namespace sl::broker {

struct UnitRecord {
    std::int32_t state = 0;  // 0 none, 1 pending, 2 leased, 3 done
    std::int32_t attempt = 0;
    std::uint64_t nonce = 0;
    std::string holder;
    std::vector<Strike> strikes;
    // "failures": int, until strikes were counted by stage and piece
    MSGPACK_DEFINE_MAP(state, attempt, nonce, holder, strikes)
};

struct JobRecord {  // field "job"
    schema::JobSpec spec;
    std::string key;
    std::string state = "queued";
    std::string ending = "succeeded";
    std::string error_code, error;
    std::int64_t started_ns = 0, ended_ns = 0;
    UnitRecord scan, final, sweep;
    bool found = false, keep_partial = false, swept = false;
    std::int32_t streams = 0;
    std::string manifest_digest;
    std::map<std::string, std::string> engines;  // by detect pool
    std::string last_error;
    std::int32_t forget = 0;  // 1: when it is swept, 2: and its results
    std::int32_t retries = 0;
    std::int32_t attempts = 0;
    MSGPACK_DEFINE_MAP(spec, key, state, ending, error_code, error, started_ns, ended_ns, scan, final, sweep,
                       found, keep_partial, swept, streams, manifest_digest, engines, last_error, forget,
                       retries, attempts)
};

// A field of the record "noops": what a batch changed of the jobs of the pipeline noop, the fields numbered
// in order. Of a job's entries the last one counts.
struct NoopSpec {
    std::string preset, tenant;
    std::int32_t priority = 0;
    std::map<std::string, std::string> tags;
    MSGPACK_DEFINE_MAP(preset, tenant, priority, tags)
};
struct NoopEntry {  // an array, for there may be ten thousands a second
    std::string id, key;
    std::uint64_t spec = 0;  // which of the page's
    std::int32_t state = 0;  // JobState
    std::int64_t submitted_ns = 0, started_ns = 0, ended_ns = 0;
    std::int32_t attempt = 0;
    std::uint64_t nonce = 0;
    std::string holder;
    MSGPACK_DEFINE(id, key, spec, state, submitted_ns, started_ns, ended_ns, attempt, nonce, holder)
};
struct NoopPage {
    std::vector<NoopSpec> specs;
    std::vector<NoopEntry> jobs;
    std::vector<std::string> forgotten;  // ids
    MSGPACK_DEFINE_MAP(specs, jobs, forgotten)
};

struct StreamRecord {  // field "stream/{i}"
    std::string name;
    schema::StreamInfo info;
    bool scanned = false;
    std::string error_code, error;
    std::int64_t chunks = 0;
    std::int64_t dead_at = INT64_MAX;
    std::int64_t done = 0;  // with the counters: what is left to show when the chunks were forgotten
    schema::Counters counters;
    std::vector<Dead> dead;
    MSGPACK_DEFINE_MAP(name, info, scanned, error_code, error, chunks, dead_at, done, counters, dead)
};

struct ChunkRecord {  // field "chunk/{i}/{seq}"
    schema::Row row;
    std::string state = "pending";
    std::int32_t attempt = 0;
    std::uint64_t nonce = 0;
    std::string holder;
    std::vector<schema::Part> parts;
    std::vector<schema::Alert> alerts;
    schema::Counters counters;
    std::vector<Strike> strikes;
    std::int64_t undetected = 0;
    // "failures": int, until strikes were counted by stage and piece
    MSGPACK_DEFINE_MAP(row, state, attempt, nonce, holder, parts, alerts, counters, strikes, undetected)
};

}  // namespace sl::broker
