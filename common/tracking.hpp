// What tracking asks of the stages before it, in one place.
#pragma once

#include <string>

#include "schema/types.hpp"

namespace sl {

// How a stream is tracked. Pictures of a folder have nothing in common.
schema::TrackerSpec tracking_of(const schema::JobSpec& spec, const std::string& source);

// The least score that detect emits: weak boxes keep tracks alive, and are filtered by spec.confidence behind
// the tracker.
double detect_confidence(const schema::JobSpec& spec, const std::string& source = "");

}  // namespace sl
