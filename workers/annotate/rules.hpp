// Rules: which alerts a stream gives. The part of the ordered step behind the tracker, in media time. Pure
// and deterministic: a stream gives the same alerts wherever it is cut, and whoever decides.
//
//   Rules rules(spec, info);
//   rules.load(before);                          // as save() left it
//   for each detected frame, in order: rules.apply(tracked, raw, alerts, traces);
//   rules.save(after);
//
// Whom a rule is about: every track by itself; without a tracker, and in a stream of pictures, every class
// name. "count" is about all boxes together. A plain rule of a job ("present", no zone, no updates) is about
// class names even with a tracker, and tells `new` alone: it says that somebody is there, and says it again
// when its rest ends and somebody still is. Every other incident lasts until its condition has been absent
// for debounce_s, and ends with `end`. Incidents that are open when a job's stream ends stay open.
//
// PROTOCOL.md section 10 says what each kind means.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::annotate {

class Rules {
public:
    // Both are copied from. Names of rules and zones are unique: admission sees to it (common/zone_json.hpp).
    Rules(const schema::JobSpec& spec, const schema::StreamInfo& info);
    ~Rules();

    // bad_message: the state was not written by save(); invalid_argument: a time zone that this host lacks.
    Result<void> load(const schema::StreamState& state);
    void save(schema::StreamState& state) const;

    // One detected frame. `tracked`: what is shown: boxes of at least spec.confidence, with their tracks (0:
    // the box is of none). `raw`: all that was detected, with its tracks, for the traces. Appends the alerts
    // by the order of spec.rules, then by track and class name; and the traces, JSON objects as PROTOCOL.md
    // section 10 has them, of the tracks that alerted or ended.
    void apply(const schema::FrameBoxes& tracked, const schema::FrameBoxes& raw,
               std::vector<schema::Alert>& alerts, std::vector<std::string>& traces);
    // Appends the traces of what is still followed, as if it ended.
    void finish(std::vector<std::string>& traces) const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sl::annotate
