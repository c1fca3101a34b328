// A whole fleet on this machine: a private Redis, a private PostgreSQL, and a supervisor with brokers and
// workers, as processes that outlive the command. Everything lies in one state folder, so two fleets with
// different folders do not meet: sockets only, no ports.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/cli/process.hpp"
#include "common/config.hpp"

namespace sl::cli {

struct FleetOptions {
    std::string state_dir;
    std::string model;                   // of the detect workers
    std::map<std::string, int> workers;  // stage → processes
    int brokers = 1;                     // one leads, the others stand by
    bool restart = true;                 // what ends unasked is started again
    std::string fsync = "always";        // or "everysec": see compose/redis.conf for the risk
    double ready_s = 60;                 // how long to wait for it to be ready
};

// What the state file holds: {state_dir}/fleet.json, rewritten after every start.
struct Fleet {
    std::string state_dir;           // absolute
    std::string endpoint;            // jobs sockets, ',' between
    std::vector<Process> processes;  // redis, postgres, supervisor: in the order of their start

    std::string config_file() const { return state_dir + "/sightline.yaml"; }
    bool running() const;
    // What the supervisor runs: [{name, part, pid, state, restarts, last_cause, log}]; empty when it is away.
    nlohmann::json supervised() const;
};

// The fleet of a state folder. not_found: none was started there, or it was ended.
Result<Fleet> find_fleet(const std::string& state_dir);

// Starts everything on top of `base` (its roots, models, limits, alerts) and waits until the broker says that
// it is ready and all workers have joined. On failure everything that was started is ended again; the error
// quotes the log concerned. conflict: a fleet runs in this folder.
Result<Fleet> start_fleet(const config::Config& base, const FleetOptions& options);

// Ends everything, workers first (they drain), and removes the state file. Returns the names of those that
// had to be killed.
std::vector<std::string> stop_fleet(const Fleet& fleet);

}  // namespace sl::cli
