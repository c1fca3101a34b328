// Why a process ended, as its supervisor tells it: in words, and whether its own work is to be blamed.
#pragma once

#include <cstdint>
#include <string>

namespace sl::cli {

struct ExitCause {
    std::string text;      // "signal 11 (Segmentation fault)", "out of memory", "status 3", "stopped"
    bool crashed = false;  // a fatal signal of its own making, out of memory, or a status that no refusal has
    bool left = false;     // ended as it was told to: status 0
};

// `status` as waitpid gives it; `out_of_memory`: the kernel killed for memory here since the last look;
// `said`: the cause that the process itself noted, empty: none.
ExitCause exit_cause(int status, bool out_of_memory, const std::string& said = "");

// How often the kernel killed a process for want of memory: in our control group, or on this host where the
// group does not say. Rises only.
class MemoryKills {
public:
    MemoryKills();
    bool rose();  // since the last call

private:
    std::uint64_t read() const;
    std::string file_;
    std::uint64_t last_ = 0;
};

}  // namespace sl::cli
