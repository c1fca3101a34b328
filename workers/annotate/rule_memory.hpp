// What rules remember of a stream between two frames: StreamState.incidents. Ordered containers and integers
// of media time, so that equal histories give equal bytes. What is many is packed as arrays, to be small:
// fields are only added, at the end; a missing one keeps its default.
#pragma once

#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schema/types.hpp"

namespace sl::annotate {

struct Incident {  // open
    std::string alert;
    std::string class_name;
    schema::Box box;         // seen last
    std::int64_t began = 0;  // pts
    std::int64_t held = 0;   // last pts at which its condition held
    std::int64_t told = 0;   // pts of the last message about it
    std::int32_t update = 0;
    MSGPACK_DEFINE(alert, class_name, box, began, held, told, update)
};

// Whom a rule is about: a track and no class, or a class and track 0; neither: all that a rule counts.
using SubjectKey = std::pair<std::int64_t, std::string>;
struct Subject {
    std::int32_t run = 0;            // detected frames in a row on which its condition held, up to min_frames
    std::int32_t frames = 0;         // detected frames on which it was strong enough, up to min_frames
    std::int32_t away = 0;           // exit: detected frames outside in a row
    bool outside = false;            // enter: it was outside, and has not entered since
    bool inside = false;             // exit: it was inside, and has not left since
    std::int64_t since = 0;          // pts since which it holds; absences below debounce_s do not count
    std::int64_t held = INT64_MIN;   // last pts at which it held
    std::int64_t seen = 0;           // last pts at which it was in the picture
    std::vector<double> foot;        // line: x, y where it stood then
    std::optional<schema::Box> box;  // exit: seen last
    std::optional<Incident> incident;
    MSGPACK_DEFINE(run, frames, away, outside, inside, since, held, seen, foot, box, incident)
};

struct Fired {
    std::int64_t pts = 0;
    std::string alert;
    MSGPACK_DEFINE(pts, alert)
};
struct RuleMemory {
    std::map<SubjectKey, Subject> subjects;
    std::map<std::string, Fired> rests;  // by class name: what it rests from
    std::vector<std::int64_t> told;      // pts of alerts within the window of max_per_minute
    MSGPACK_DEFINE(subjects, rests, told)
};

// Why and why not: what a rule found out about a track.
struct Said {
    std::string text;
    std::int64_t pts = 0;  // the first time
    MSGPACK_DEFINE(text, pts)
};
struct Finding {
    float best = -1;          // score of a box of a class that it is about; -1: there was none
    bool inside = false;      // was in the zone, strong enough
    float outside_px = -1;    // nearest to the zone, strong enough; -1: never outside
    float share = 0;          // most of it in the zone
    std::int32_t run = 0;     // most frames in a row
    std::int64_t stayed = 0;  // longest, ticks
    std::int32_t count = 0;   // most at once
    std::int32_t sides = 0;   // crossings seen: 1 forward, 2 backward
    std::vector<Said> said;   // told, cooled down, …: each text once
    MSGPACK_DEFINE(best, inside, outside_px, share, run, stayed, count, sides, said)
};
struct Followed {  // a track; or, without findings, boxes of a class that no track took
    std::string class_name;
    std::int64_t from = 0, to = 0;  // pts
    std::int32_t frames = 0;
    float best = 0;
    std::int32_t weak_frames = 0;  // below JobSpec.confidence
    float weak_best = 0;
    std::map<std::string, Finding> findings;  // by rule
    MSGPACK_DEFINE(class_name, from, to, frames, best, weak_frames, weak_best, findings)
};

struct Memory {
    bool begun = false;  // a frame was seen
    std::map<std::string, RuleMemory> rules;
    std::map<std::int64_t, Followed> tracks;
    std::map<std::string, Followed> untracked;  // by class name
    MSGPACK_DEFINE_MAP(begun, rules, tracks, untracked)
};

}  // namespace sl::annotate
