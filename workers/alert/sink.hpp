// Alert sink: one way to hand an alert to somebody. One file in sinks/ is one plug-in: it defines a row
// `extern const SinkPlugin sink_<file stem>` and hides all else.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/roots.hpp"
#include "common/secrets.hpp"
#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::alert {

// One configured receiver: `alerts.targets` in the configuration. (Which alerts it wants the broker knows.)
struct Target {
    std::string name;
    std::string sink;             // plug-in name
    double max_per_minute = 0;    // 0: no limit; what is over it is counted, not sent
    int max_attempts = 20;        // answers "not now" to one alert, then dead letter; 0: no limit
    std::int64_t max_age_ns = 0;  // since it was recorded, then dead letter; 0: no limit
    double connect_s = 3;         // time to reach the receiver
    double timeout_s = 10;        // time for one send, all in all
    std::string options;          // the sink's own settings, JSON object as text
};

// Used by one thread. Delivery is at least once: the receiver knows a repeated alert by its key().
class Sink {
public:
    virtual ~Sink() = default;
    // Returns when the receiver has it, within timeout_s. Errors say whether it is worth another try, and
    // hold no secret:
    //   unavailable, timeout   the receiver is away, or does not let us in: tried until the alert is too old
    //   io                     it answered that it cannot now: tried max_attempts times
    //   anything else          it will never take this alert: dead letter
    virtual Result<void> send(const schema::Alert& alert) = 0;
    // Called while there is nothing to send, when `idle_every` has passed since the last send or idle call:
    // connections that must be kept, heartbeats. Within timeout_s.
    virtual void idle() {}
    virtual std::chrono::milliseconds idle_every() const { return std::chrono::milliseconds(0); }  // 0: never
};

// What a sink may ask of the program that it runs in. Outlives the sinks.
struct SinkHost {
    Secrets secrets{""};  // users and passwords, by the names in options
    Roots roots;          // of snapshots
};

struct SinkPlugin {
    const char* name;
    const char* help;
    // Checks the options; connects to nobody: the first send does.
    Result<std::unique_ptr<Sink>> (*open)(const Target& target, const SinkHost& host);
};

std::span<const SinkPlugin* const> sink_table();

// By target.sink. invalid_argument: there is no such sink (the hint lists all), or it refuses its options.
Result<std::unique_ptr<Sink>> open_sink(const Target& target, const SinkHost& host,
                                        std::span<const SinkPlugin* const> table = sink_table());

}  // namespace sl::alert
