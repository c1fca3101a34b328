// A camera's registration as JSON: in requests, in configuration, in the event camera.set and the registry
// (PROTOCOL.md section 9.3). The fields are those of schema::Camera, by name; `params` and `motion` are maps.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "schema/live.hpp"
#include "schema/result.hpp"

namespace sl {

nlohmann::json camera_json(const schema::Camera& camera);

// The fields that a registration may say: all but `revision`.
const std::vector<std::string>& camera_fields();

// Lays what `map` says over `camera` and checks the whole. What it does not say stays, in `motion` and
// `params` too (there null takes a parameter away); what is no field of a camera is ignored.
// invalid_argument names the field. A URL is never quoted: it may hold what it must not.
Result<void> lay_camera(const nlohmann::json& map, schema::Camera& camera);

}  // namespace sl
