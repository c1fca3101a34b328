// Which alerts a target wants: the part of alerts.targets that needs no memory.
#pragma once

#include <string>
#include <vector>

#include "schema/types.hpp"

namespace sl {

struct AlertFilter {
    std::vector<std::string> classes;  // empty: all
    double min_score = 0;              // of the alert that begins an incident
    std::vector<std::string>
        cameras;                     // shell patterns (* ? [a-z]) of cameras and of jobs' streams; empty: all
    std::vector<std::string> rules;  // empty: all
    std::vector<std::string> kinds;  // "new" "update" "end"; empty: all
    bool operator==(const AlertFilter&) const = default;
};

// Everything but min_score: what follows in an incident goes where its beginning went, whatever its score.
bool wanted(const AlertFilter& filter, const schema::Alert& alert);

}  // namespace sl
