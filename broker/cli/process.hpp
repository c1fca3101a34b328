// Child processes: started with a log file, known later by pid and start time, ended for certain.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "schema/result.hpp"

namespace sl::cli {

// A process that may outlive its parent. A pid that was given to another process since is not it: the start
// time (clock ticks since boot) and the boot tell them apart.
struct Process {
    std::string name;
    int pid = 0;
    std::uint64_t started = 0;
    std::string boot;
    std::string log;
    int stop_signal = 15;
};

struct Launch {
    std::string name;
    std::vector<std::string> command;
    std::string log = {};   // stdout and stderr are appended here; empty: they are ours
    std::string user = {};  // run as this user; empty: as we are
    int stop_signal = 15;
    int keep_fd = -1;               // a descriptor that it inherits, under the same number
    bool dies_with_parent = false;  // killed when the thread that started it ends, however that ends
};

// Starts it in a session of its own (a terminal's Ctrl-C does not reach it). An unknown program is an error
// here.
Result<Process> start(const Launch& launch);
bool alive(const Process& process);  // a zombie is not
// Tells all of them to stop, waits for them, kills those that are left at the deadline. Returns their names.
std::vector<std::string> stop(const std::vector<Process>& processes, std::chrono::milliseconds grace);

// Runs a command to its end; its output becomes the error's message when it fails. `user` as above.
Result<void> run_quietly(const std::vector<std::string>& command, const std::string& user = "");

// Absolute path of a program in PATH, or of PostgreSQL's newest installation; empty: not installed.
std::string find_program(const std::string& name);

// The last lines of a file, for messages.
std::string tail(const std::string& path, std::size_t lines = 5);

}  // namespace sl::cli
