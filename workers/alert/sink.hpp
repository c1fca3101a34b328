// Alert sink: one way to hand an alert to somebody. One file in sinks/ is one plug-in: it defines a row
// `extern const SinkPlugin sink_<file stem>` and hides all else.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::alert {

// One configured receiver: `alerts.targets` in the configuration.
struct Target {
    std::string name;
    std::string sink;                  // plug-in name
    std::vector<std::string> classes;  // empty: all
    double min_score = 0;
    double max_per_minute = 0;  // 0: no limit; what is over it is counted, not sent
    std::string options;        // the sink's own settings, JSON object as text
};

// Used by one thread. Delivery is at least once: send must be harmless when repeated with the same alert id.
class Sink {
public:
    virtual ~Sink() = default;
    // Bounded time. Errc::unavailable / timeout / io: worth a retry; anything else: dead letter.
    virtual Result<void> send(const schema::Alert& alert) = 0;
};

struct SinkPlugin {
    const char* name;
    const char* help;
    Result<std::unique_ptr<Sink>> (*open)(const Target& target);
};

std::span<const SinkPlugin* const> sink_table();

}  // namespace sl::alert
