// Zones and rules as JSON and YAML: of a job's and a camera's parameters, of the requests zone_set and
// rule_set, of zones.yaml. The one place that says what a good zone and a good rule are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl {

// invalid_argument names the key, the value and what is allowed. Keys that are missing keep the defaults of
// schema::Zone and schema::Rule; unknown ones are refused. A zone is a simple polygon or a line; points of a
// relative zone lie in the picture.
Result<schema::Zone> zone_from_json(const nlohmann::json& value);
Result<schema::Rule> rule_from_json(const nlohmann::json& value);

// Every field, in the order of the records.
nlohmann::ordered_json to_json(const schema::Zone& zone);
nlohmann::ordered_json to_json(const schema::Rule& rule);

// What they must be together: names are unique, and the zone of each rule exists and is of its kind.
Result<void> check_zones(const std::vector<schema::Zone>& zones, const std::vector<schema::Rule>& rules);

// A zones file, YAML, for a camera or for all streams of a job:
//
//   zones:
//     - {name: yard, points: [[0.1, 0.5], [0.9, 0.5], [0.9, 1], [0.1, 1]]}
//   rules:
//     - {name: intruder, classes: [person], zone: yard}
//
// As parameters: {"zones": […], "rules": […]}, only those that the file has. A file that is a list is one of
// rules. Checked; a file without zones may have rules about zones that are known elsewhere.
Result<nlohmann::json> load_zones_file(const std::string& path);

}  // namespace sl
