// Router: which alert goes to which target, when, and what became of it.
//
// Never waits: a target that is away rests (0.25 s after the first failure, doubling to 30 s), and what is
// due to it comes back to the caller with the time to try again. Pure but for the sinks: the clock is passed
// in. Used by one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"
#include "workers/alert/sink.hpp"

namespace sl::alert {

// Alerts of one call, by what one target did with them. Every alert is in exactly one; those that must be
// tried again are in `retry` once more with each further try.
struct Outcome {
    std::int64_t sent = 0;
    std::int64_t filtered = 0;  // not of its classes, or below its min_score
    std::int64_t limited = 0;   // over its max_per_minute
    std::int64_t retry = 0;     // handed back in Delivery.retry
    std::int64_t dead = 0;      // refused for good, or tried max_attempts times: dead letter
    std::string last_error;     // of retry or dead; empty: none
    bool operator==(const Outcome&) const = default;
};

// What the caller holds and passes to deliver() at or after `due_ns`.
struct Retry {
    schema::Alert alert;
    std::string target;
    int attempts = 0;         // sends that failed so far
    std::int64_t due_ns = 0;  // same clock as now_ns
};

struct Delivery {
    std::map<std::string, Outcome> targets;  // by target name, all targets
    std::vector<Retry> retry;
};

class Router {
public:
    struct Options {
        int max_attempts = 20;  // of one alert at one target, then dead; 0: never give up
    };

    // Opens a sink for each target. invalid_argument: an unknown sink (the hint lists all), a name twice, or
    // settings that the sink refuses.
    static Result<Router> open(const std::vector<Target>& targets, Options options,
                               std::span<const SinkPlugin* const> table = sink_table());
    static Result<Router> open(const std::vector<Target>& targets) { return open(targets, Options{}); }

    // Offers each alert to each target. `now_ns` is wall-clock time, never media time: rates and rests go by
    // it.
    Delivery deliver(std::span<const schema::Alert> alerts, std::int64_t now_ns);
    // Tries again what an earlier call handed back. What is not yet due is handed back as it is. A retry
    // passed the filter and the rate before and does not pass them again.
    Delivery deliver(std::span<const Retry> retries, std::int64_t now_ns);

private:
    struct Lane {
        Target target;
        std::unique_ptr<Sink> sink;
        std::deque<std::int64_t> admitted;  // times within the last window, for the rate
        int failures = 0;                   // in a row
        std::int64_t rest_until_ns = INT64_MIN;
    };

    explicit Router(Options options) : options_(options) {}
    Delivery empty() const;
    void send(Lane& lane, Retry item, std::int64_t now_ns, Delivery& out);

    Options options_;
    std::vector<Lane> lanes_;
};

}  // namespace sl::alert
