// A server that a test runs for itself: a child process that ends with it, a scratch folder, a skip rule.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace sl::test {

// Runs argv[0] with its output in `log`, as `uid`/`gid` when not 0. Dies with the calling thread.
class ServerProcess {
public:
    ServerProcess() = default;
    ServerProcess(const std::vector<std::string>& argv, const std::string& log, uid_t uid = 0, gid_t gid = 0);
    ~ServerProcess() { stop(SIGKILL); }
    ServerProcess(ServerProcess&& other) noexcept { std::swap(pid_, other.pid_); }
    ServerProcess& operator=(ServerProcess&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    // Signals and waits for the end; the exit status, or -1 when there is no process or a signal ended it.
    int stop(int number);
    int wait();
    bool ended();

private:
    pid_t pid_ = -1;
};

// A fresh folder under the system's temporary folder, removed with all below it.
class ScratchFolder {
public:
    explicit ScratchFolder(const std::string& name);
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// A loopback port that was free a moment ago.
int free_port();

// True as soon as `ready` is; false when it was not for `seconds`.
bool eventually(const std::function<bool()>& ready, double seconds = 20);

std::string read_text(const std::string& path);

// True when tests may not skip for want of a server or of data.
bool require_everything();

}  // namespace sl::test

// Skips the test with the reason, or fails it where everything must be there.
#define SL_SKIP_OR_FAIL(why)                    \
    do {                                        \
        if (::sl::test::require_everything()) { \
            FAIL() << (why);                    \
        }                                       \
        GTEST_SKIP() << (why);                  \
    } while (false)
