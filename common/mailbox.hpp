// Mailbox: hands values from any thread to one that sleeps in poll(). Bounded: put() blocks while full.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace sl {

template <typename T>
class Mailbox {
public:
    explicit Mailbox(std::size_t capacity = SIZE_MAX)
        : capacity_(capacity), fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    ~Mailbox() { ::close(fd_); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // False when the mailbox was closed: the value is dropped.
    bool put(T value) {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return closed_ || items_.size() < capacity_; });
        if (closed_) return false;
        items_.push_back(std::move(value));
        ring();
        filled_.notify_one();
        return true;
    }
    std::optional<T> try_take() {
        std::unique_lock lock(mutex_);
        if (items_.empty()) {
            quiet();
            return std::nullopt;
        }
        return take_front();
    }
    // Waits; nullopt once closed and empty.
    std::optional<T> take() {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, [&] { return closed_ || !items_.empty(); });
        if (items_.empty()) return std::nullopt;
        return take_front();
    }
    // Wakes everybody; what is inside may still be taken.
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        room_.notify_all();
        filled_.notify_all();
        ring();
    }
    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return items_.size();
    }
    int fd() const { return fd_; }  // readable while something may be inside

private:
    T take_front() {
        T value = std::move(items_.front());
        items_.pop_front();
        if (items_.empty()) quiet();
        room_.notify_one();
        return value;
    }
    void ring() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n = ::write(fd_, &one, sizeof one);
    }
    void quiet() {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof count);
    }

    const std::size_t capacity_;
    const int fd_;
    mutable std::mutex mutex_;
    std::condition_variable room_, filled_;
    std::deque<T> items_;
    bool closed_ = false;
};

}  // namespace sl
