// The broker: admission, queue, leases, topology, events. One loop thread owns its sockets and the job
// table; the store and the audit trail have threads of their own, because their calls block.
//
// Nothing that a transition promises is told to anybody before the store has it: replies and messages wait
// behind the batch that carries the transition's writes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "broker/dispatch.hpp"
#include "common/bus/security.hpp"
#include "common/store/audit.hpp"
#include "common/store/job_store.hpp"
#include "schema/messages.hpp"

namespace sl::broker {

// What the broker needs to know of pipelines; given by the program.
struct Catalogue {
    // pipeline, preset, params → the resolved fields of spec.
    std::function<Result<void>(const std::string& pipeline, const std::string& preset,
                               const nlohmann::json& params, schema::JobSpec& spec)>
        resolve;
    std::function<nlohmann::json()> pipelines, presets, models;
};

struct Options {
    std::string endpoint;    // of the jobs socket
    bus::Security security;  // keys of its sockets, and whether others than this host may reach them
    std::string fleet = "default";
    std::map<std::string, std::string> roots;  // name → absolute folder
    schema::Input output;                      // where results go unless a submit says otherwise
    std::int64_t queued_jobs = 512;
    bool drop_lru = false;  // when so many wait the next one takes the place of the one that waits longest
    DispatchLimits limits;
    Retention retention;
    OutboxOptions alerts;
    std::vector<std::string> cameras;  // laid over the registry at the start: JSON maps as of camera_set
    std::int64_t round_ms = 250;
    bool judge = true;                   // false: workers are threads of this process and cannot die alone
    std::int64_t sweep_delay_ms = 5000;  // a zombie may still write a part for this long
    std::int64_t stuck_ms = 60'000;      // an item without a sign of life for this long: its worker dies
    std::int64_t lead_ttl_ms = 1500;
    std::size_t max_log = 500'000;           // entries that wait for the audit trail: then no new jobs
    std::size_t keep_log = 20000;            // entries kept for replay once the audit trail has them
    std::size_t keep_log_bytes = 64u << 20;  // and their size
    // Tests only, from SIGHTLINE_TEST_OFF: "fencing", "reissue", "dedup". Shows that the proof can fail.
    std::set<std::string> test_off;
};

// Waits for the lead, serves until stop_fd is readable, then gives the lead up. `serving` is called once
// the sockets are bound. Errors: sockets cannot be bound, the store is not usable.
Result<void> run_broker(zmq::context_t& context, store::JobStore& jobs, store::JobStore& audit_log,
                        store::Audit& audit, const Catalogue& catalogue, const Options& options, int stop_fd,
                        const std::function<void()>& serving = {});

}  // namespace sl::broker
