// Delivery: when the alerts of one target are sent, again and again until it has them or they are given up.
//
// In order: the alert that is first in line is offered until its fate is known. A target that fails rests:
// 0.25 s after the first failure, doubling to 30 s, each a random part (at least half) of that, so that the
// targets of many workers do not come back at once. After three failures in a row its breaker is open:
// nothing is sent but one alert at the end of each rest (half open), until one gets through. Never waits, and
// pure but for the sink: the clock is passed in. Used by one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>

#include "workers/alert/sink.hpp"

namespace sl::alert {

class Delivery {
public:
    // `seed`: of the random part of rests.
    Delivery(Target target, std::unique_ptr<Sink> sink, std::uint64_t seed)
        : target_(std::move(target)), sink_(std::move(sink)), random_(seed) {}

    enum class Fate { sent, limited, dead, wait };
    struct Outcome {
        Fate fate = Fate::wait;
        std::int64_t due_ns = 0;  // wait: offer it again then
        bool tried = false;       // it was sent, well or not
        int attempts = 0;         // sends of this alert so far
        std::string error;        // dead, or tried and wait
    };
    // `now_ns`: wall-clock time, never media time: rates and rests go by it.
    Outcome offer(const schema::Alert& alert, std::int64_t now_ns);

    const char* state(std::int64_t now_ns) const;  // of the breaker: "closed" "open" "half_open"
    const std::string& last_error() const { return last_error_; }  // of the last send; empty: it went well
    Sink& sink() { return *sink_; }

private:
    bool admit(const schema::Alert& alert, std::int64_t now_ns);
    std::int64_t rest_ns();

    Target target_;
    std::unique_ptr<Sink> sink_;
    std::uint64_t random_;
    std::string first_;  // key of the alert that is first in line; empty: none was offered
    int attempts_ = 0;   // of it
    int not_now_ = 0;    // of them answered "not now"
    int failures_ = 0;   // of the target, in a row
    std::int64_t rest_until_ns_ = INT64_MIN;
    std::string last_error_;
    std::deque<std::int64_t> admitted_;  // times within the last window, for the rate
    std::set<std::string> held_back_;    // incidents whose beginning was over the rate
    std::deque<std::string> held_order_;
};

}  // namespace sl::alert
