// The loop that every worker runs: joins one Stage to the broker and to its peers until told to stop.
//
// HELLO, a beat each round, requests repeated until answered, links to peers as PEERS says, drain, BYE.
// See PROTOCOL.md sections 5 and 6.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/bus/endpoint.hpp"
#include "common/bus/security.hpp"
#include "common/worker/crumb.hpp"
#include "common/worker/stage.hpp"

namespace sl::worker {

struct Options {
    std::vector<std::string> brokers;  // endpoints of the jobs sockets; one of them leads
    bus::Security security;
    std::string stage;
    std::string pool;         // default: the stage
    std::string run_dir;      // where the ipc socket of this worker goes; empty: none
    std::string bind_host;    // tcp: address to bind on and to announce; empty: no tcp
    bool in_process = false;  // inproc only (`sightline run`)
    std::string engine;       // see schema::Hello
    std::vector<std::string> roots;
    std::int32_t slots = 0;  // annotate
    std::int64_t round_ms = 250;
    std::string supervisor;                     // routing id of the supervisor; empty: none
    mutable Crumb crumb;                        // shared with it; written by the work thread
    std::map<std::string, std::string> labels;  // see schema::Hello
    // Between the loops of one process: set once a loop has live work; from then on the work threads of
    // those that are `background` give way to all others. (There is no way back without privileges.)
    std::shared_ptr<std::atomic<bool>> live_work;
    bool background = false;
    // `reload`: can today's configuration be served? On a thread of its own. Null: never.
    std::function<Result<void>()> check_reload;
};

enum class Ended { left, reload };  // reload: begin again with the configuration of today

// Returns when stop_fd became readable, or the broker asked for it, and everything held was finished or
// handed back (`drain_s` at the latest; 0: at once). An error: the broker refused this worker.
Result<Ended> run_worker(zmq::context_t& context, Stage& stage, const Options& options, int stop_fd,
                         double drain_s = 10);

}  // namespace sl::worker
