// Rules: the ordered step of a stream, from its state before a chunk and the chunk's detections to the state
// after it and the alerts. Pure and deterministic: a stream gives the same alerts wherever it is cut.
#pragma once

#include <vector>

#include "schema/types.hpp"

namespace sl::annotate {

struct Stepped {
    schema::StreamState next;
    std::vector<schema::Alert> alerts;  // by frame, then in the order of spec.rules, then by class name
};

// Applies spec.rules to every detected frame, in order. Each rule counts per class name: a frame with a box
// of the class and at least min_score is a hit, one without begins the count anew; at min_frames hits in a
// row the rule fires, unless it rests. It rests for cooldown_s of media time from the frame that fired; hits
// count on while it rests, so what stays in the picture is reported again when the rest ends.
//
// Names of rules must be unique in a job and hold no '/' (the state's keys are "rule/class"): admission sees
// to it. Classes are known by name: the same name in two pools is one class.
Stepped step(const schema::JobSpec& spec, const schema::StreamInfo& info, const schema::StreamState& before,
             const schema::Detections& detections);

}  // namespace sl::annotate
