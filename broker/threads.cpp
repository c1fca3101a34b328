#include "broker/threads.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

namespace sl::program {

Threads::Threads() : stop_(eventfd(0, EFD_CLOEXEC)) {}

Threads::~Threads() {
    stop();
    ::close(stop_);
}

void Threads::add(std::function<Result<void>()> f) {
    all_.emplace_back([this, f = std::move(f)] {
        if (auto ok = f(); !ok) {
            const std::lock_guard lock(mutex_);
            if (!error_) error_ = ok.error();
        }
    });
}

std::optional<Error> Threads::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

void Threads::stop() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(stop_, &one, sizeof one);
    all_.clear();  // joins
}

void mask_signals(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(how, &set, nullptr);
}

}  // namespace sl::program
