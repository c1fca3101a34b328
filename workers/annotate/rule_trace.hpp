// Why and why not, as text: what a rule found out about a track, for alerts and for `explain`.
#pragma once

#include <string>
#include <vector>

#include "schema/types.hpp"
#include "workers/annotate/rule_memory.hpp"

namespace sl::annotate {

// A point of media time: "12.3 s" from the stream's start; of a camera "2026-11-27T16:40:22.3Z".
std::string moment(const schema::JobSpec& spec, const schema::StreamInfo& info, std::int64_t pts);

// Why a rule told nothing about a track, or what it did: at least one sentence.
std::vector<std::string> sentences(const schema::JobSpec& spec, const schema::StreamInfo& info,
                                   const schema::Rule& rule, const Finding& finding);

// The trace as JSON (PROTOCOL.md section 9.1). `track` 0: boxes that no track took. `ended`: it is complete.
std::string trace_json(const schema::JobSpec& spec, const schema::StreamInfo& info, std::int64_t track,
                       const Followed& followed, bool ended);

}  // namespace sl::annotate
