// Supervisor: the brokers and workers of this host, as processes that it starts, restarts and drains.
//
// One thread. What ends unasked is started again, at once the first time, then with a growing pause; the
// brokers hear of a worker's end in milliseconds, with the crumb it left (PROTOCOL.md rule 6). What ends with
// status 0 was told to leave (`pools drain`) and stays away until `scale`. No process outlives its
// supervisor.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "broker/cli/exit_cause.hpp"
#include "broker/cli/exit_reports.hpp"
#include "broker/cli/process.hpp"
#include "common/bus/security.hpp"
#include "common/worker/crumb.hpp"

namespace sl::cli {

// "broker", a stage, or "detect/MODEL" → how many.
using PartCounts = std::map<std::string, int>;
// From "detect=4", "broker=2" …; the names are checked.
Result<PartCounts> part_counts(const std::vector<std::string>& words);

class Supervisor {
public:
    struct Options {
        std::string program;                 // this one
        std::vector<std::string> settings;   // options that every process is given: --config FILE …
        std::vector<std::string> endpoints;  // jobs sockets: one for each broker, all for workers
        bus::Security security;
        std::string control;                  // path of the socket for `scale` and `status`; empty: none
        std::string log_dir;                  // a log file for each process; empty: they write to ours
        std::int64_t log_bytes = 64ll << 20;  // of each *.log there; then it goes on anew, the old one as .1
        std::vector<std::string> labels;      // NAME=VALUE, of the ingest workers
        std::string bind;                     // address of this host that workers are reached at; empty: ipc
        double drain_s = 10;                  // what a worker may take to leave
        bool restart = true;
        std::chrono::milliseconds most_pause{5000}, healthy{10000};  // a life this long forgets earlier ends
    };
    explicit Supervisor(Options options) : options_(std::move(options)) {}

    // Until SIGTERM, SIGINT or SIGHUP comes out of `signal_fd` (a signalfd of these and SIGCHLD, blocked
    // before the first thread): then workers drain, brokers after them. A second signal kills at once.
    Result<void> run(zmq::context_t& context, const PartCounts& counts, int signal_fd);

private:
    enum class State { waiting, running, leaving, left, gone };  // gone: forgotten at the next turn
    struct Slot {
        std::string part, name;
        int number = 0;
        State state = State::waiting;
        Process process;
        worker::Crumb crumb;
        Clock::time_point start_at{}, started{}, kill_at{};
        int ends_in_a_row = 0, restarts = 0;
        std::string last_cause;
    };

    Result<void> open(zmq::context_t& context);
    Result<void> scale(const PartCounts& counts);
    void add(const std::string& part);
    void leave(Slot& slot);
    void start_due(Clock::time_point now);
    Launch launch_of(const Slot& slot) const;
    void reap();
    void ended(Slot& slot, int status, bool out_of_memory);
    void rest(Slot& slot);
    void stop_next();
    Clock::time_point wake(Clock::time_point now);
    void take_signals(int fd);
    void bound_logs(Clock::time_point now);
    void serve_control();
    nlohmann::json answer(const nlohmann::json& request);
    nlohmann::json processes() const;

    const Options options_;
    std::list<Slot> slots_;  // oldest first
    std::optional<ExitReports> reports_;
    std::optional<zmq::socket_t> control_;
    MemoryKills memory_kills_;
    int stops_ = 0;  // signals that told to
    Clock::time_point logs_at_{};
};

// What a supervisor's control socket answers to `request`: {type: "status"} or {type: "scale", parts: {…}}.
// unavailable: nobody listens there.
Result<nlohmann::json> ask_supervisor(zmq::context_t& context, const std::string& control,
                                      const nlohmann::json& request);

}  // namespace sl::cli
