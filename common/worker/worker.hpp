// The loop that every worker runs: joins one Stage to the broker and to its peers until told to stop.
//
// HELLO, a beat each round, requests repeated until answered, links to peers as PEERS says, drain, BYE.
// See PROTOCOL.md sections 5 and 6.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/bus/endpoint.hpp"
#include "common/worker/stage.hpp"

namespace sl::worker {

struct Options {
    std::string broker;  // endpoint of the jobs socket
    std::string stage;
    std::string pool;         // default: the stage
    std::string run_dir;      // where the ipc socket of this worker goes; empty: none
    std::string bind_host;    // tcp: address to bind on and to announce; empty: no tcp
    bool in_process = false;  // inproc only (`sightline run`)
    std::string engine;       // see schema::Hello
    std::vector<std::string> roots;
    std::int32_t slots = 0;  // annotate
    std::int64_t round_ms = 250;
};

// Returns when stop_fd became readable and everything held was finished or handed back (`drain_s` at the
// latest; 0: at once), or when the broker refused this worker.
Result<void> run_worker(zmq::context_t& context, Stage& stage, const Options& options, int stop_fd,
                        double drain_s = 10);

}  // namespace sl::worker
