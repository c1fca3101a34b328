// Threads of one process that is broker and workers at once (`run`, `live`), told to stop by one eventfd.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "schema/result.hpp"

namespace sl::program {

class Threads {
public:
    Threads();
    ~Threads();
    int fd() const { return stop_; }
    void add(std::function<Result<void>()> f);
    std::optional<Error> error() const;  // the first that one of them ended with
    void stop();                         // and waits for all

private:
    const int stop_;
    mutable std::mutex mutex_;
    std::optional<Error> error_;
    std::vector<std::jthread> all_;
};

// SIG_BLOCK or SIG_UNBLOCK for SIGINT and SIGTERM, which go to the main thread alone: the others are started
// while they are blocked.
void mask_signals(int how);

}  // namespace sl::program
