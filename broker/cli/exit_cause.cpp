#include "broker/cli/exit_cause.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>

#include "broker/cli/exit_code.hpp"

namespace sl::cli {
namespace {

// What the processor or the C library sends to a program that did wrong. SIGKILL and SIGTERM are somebody's.
constexpr std::array own_making{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

bool a_refusal(int status) {
    return (status >= exit_usage && status <= exit_bad_media) || status == exit_internal ||
           status == exit_interrupted;
}

}  // namespace

ExitCause exit_cause(int status, bool out_of_memory, const std::string& said) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        if (number == SIGKILL && out_of_memory) return {"out of memory", true, false};
        const bool own = std::find(own_making.begin(), own_making.end(), number) != own_making.end();
        return {"signal " + std::to_string(number) + " (" + strsignal(number) + ")", own, false};
    }
    const int code = WEXITSTATUS(status);
    if (code == exit_ok) return {"left", false, true};
    const bool crashed = !a_refusal(code);
    return {crashed && !said.empty() ? said : "status " + std::to_string(code), crashed, false};
}

MemoryKills::MemoryKills() : file_("/proc/vmstat") {
    std::ifstream in("/proc/self/cgroup");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("0::/")) {
            const std::string events = "/sys/fs/cgroup" + line.substr(3) + "/memory.events";
            if (std::ifstream(events)) file_ = events;
        }
    last_ = read();
}

std::uint64_t MemoryKills::read() const {
    std::ifstream in(file_);
    std::string key;
    for (std::uint64_t value = 0; in >> key >> value;)
        if (key == "oom_kill") return value;
    return 0;
}

bool MemoryKills::rose() {
    const std::uint64_t before = last_;
    last_ = read();
    return last_ > before;
}

}  // namespace sl::cli
