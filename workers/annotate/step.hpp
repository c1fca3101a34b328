// The ordered step of a stream: from its state before a chunk and the chunk's detections to the state after
// it. Tracks first (tracker.hpp), then rules (rules.hpp). Pure and deterministic: a stream gives the same
// tracks and alerts wherever it is cut. Live work makes the same step, a frame at a time.
#pragma once

#include <string>
#include <vector>

#include "schema/types.hpp"

namespace sl::annotate {

struct Stepped {
    schema::StreamState next;
    std::vector<schema::Alert> alerts;  // by frame, then as Rules::apply orders them
    // What is shown, counted and exported of each detected frame: boxes of at least spec.confidence. Those
    // that no track counts (yet) have track 0: only rules about class names see them.
    schema::Detections tracked;
    std::vector<std::string> traces;  // JSON objects: as Rules::apply tells them
};

// A state that nobody's step made is told in the log, and the stream goes on as if it began.
Stepped step(const schema::JobSpec& spec, const schema::StreamInfo& info, const schema::StreamState& before,
             const schema::Detections& detections);

}  // namespace sl::annotate
