// Lane: the thread of one target. It works its lease off in order and reports how far it came; a target that
// is slow, or away, holds up this thread and no other.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "schema/delivery.hpp"
#include "schema/messages.hpp"
#include "workers/alert/delivery.hpp"

namespace sl::alert {

class Lane {
public:
    // `report` is called on the lane's thread.
    Lane(Target target, std::unique_ptr<Sink> sink, std::function<void(schema::Delivered)> report);
    ~Lane();  // after the send that is under way
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    const std::string& name() const { return name_; }
    // --- bus thread
    void take(schema::Task task);           // what it had in hand is over
    void drop(const schema::Token& token);  // the lease is over: no more of it, and no report
    void hand_back();                       // this lease, and all later ones, end after the send under way
    bool idle() const;

private:
    void run();
    void deliver(const schema::Task& task);
    bool goes_on(const schema::Token& token) const;  // mutex_ is held

    const std::string name_;
    const std::function<void(schema::Delivered)> report_;
    Delivery delivery_;  // lane's thread

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<schema::Task> next_;                             // guarded by mutex_
    std::optional<schema::Token> at_work_;                         // guarded by mutex_; reset: dropped
    bool handing_back_ = false, ended_ = false, working_ = false;  // guarded by mutex_
    std::jthread thread_;                                          // last: starts when the rest is there
};

}  // namespace sl::alert
