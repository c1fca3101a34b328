// Rules: which alerts a stream gives. The part of the ordered step behind the tracker, in media time. Pure
// and deterministic: a stream gives the same alerts wherever it is cut, and whoever decides.
//
//   Rules rules(spec, info);
//   rules.load(before);                          // as save() left it
//   for each detected frame, in order: rules.apply(tracked, raw, alerts, traces);
//   rules.save(after);
#pragma once

#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::annotate {

class Rules {
public:
    // Both are copied from. Names of rules and zones are unique: admission sees to it (common/zone_json.hpp).
    Rules(const schema::JobSpec& spec, const schema::StreamInfo& info);

    // bad_message: the state was not written by save().
    Result<void> load(const schema::StreamState& state);
    void save(schema::StreamState& state) const;

    // One detected frame. `tracked`: what is shown: boxes of at least spec.confidence, with their tracks (0
    // everywhere: there is no tracker, and rules work by class). `raw`: all that was detected, for the
    // traces. Appends the alerts by the order of spec.rules, then by track and class name; and the traces,
    // JSON objects as PROTOCOL.md section 9.1 has them, of the tracks that ended or alerted.
    void apply(const schema::FrameBoxes& tracked, const schema::FrameBoxes& raw,
               std::vector<schema::Alert>& alerts, std::vector<std::string>& traces);

private:
    const schema::JobSpec spec_;
    const schema::StreamInfo info_;
    schema::StreamState state_;
};

}  // namespace sl::annotate
