// SIGTERM and SIGINT as a file descriptor: make one in main, before the first thread.
#pragma once

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace sl {

class StopSignal {
public:
    StopSignal() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        pthread_sigmask(SIG_BLOCK, &set, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
        fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    ~StopSignal() { ::close(fd_); }
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    int fd() const { return fd_; }
    // The signal that came, or 0.
    int take() const {
        signalfd_siginfo info{};
        return ::read(fd_, &info, sizeof info) == ssize_t(sizeof info) ? int(info.ssi_signo) : 0;
    }

private:
    int fd_ = -1;
};

}  // namespace sl
