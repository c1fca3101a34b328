// Pipelines and presets: what a job may be asked to do, declared in YAML (schema/pipelines.yaml,
// schema/presets/), and how a submit's parameters become the fields of a JobSpec.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/model/manifest.hpp"
#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::pipeline {

using Json = nlohmann::ordered_json;

struct Param {
    std::string name;
    std::string stage;  // "detect": the parameter may also be called detect.{name}
    std::string type;   // int number string strings numbers rules zones
    Json default_value;
    std::optional<double> min, max;    // of a number, or of each of numbers
    std::vector<std::string> choices;  // of a string, or of each of strings; empty: any
    std::string help;
};

struct Pipeline {
    std::string key, label, version;
    std::vector<Param> params;
};

struct Preset {
    std::string name, version, pipeline, help;
    Json params = Json::object();
};

struct Catalog {
    std::vector<Pipeline> pipelines;
    std::vector<Preset> presets;
};

// The folder of the program's data (pipelines.yaml, presets/, models/): $SIGHTLINE_DATA_DIR, or
// ../share/sightline beside the installed program, or schema/ of the source tree it was built from.
std::string data_dir();

// Reads and checks the pipelines and presets of `dir`: every preset resolves.
Result<Catalog> load(const std::string& dir = data_dir());

// As PROTOCOL.md lists them.
Json to_json(const Pipeline& pipeline);
Json to_json(const Preset& preset);

// What resolving needs to know of the fleet.
struct Fleet {
    std::span<const model::Manifest> manifests;  // models that jobs may name
    std::string default_model = "yolox_nano";    // what model "default" means
};

// Default ← preset ← params, checked against the pipeline's declaration, into `spec`: pipeline, preset,
// pools, operations, thresholds, exporters, zones, rules and video settings; the rest of `spec` is left
// alone. invalid_argument names the parameter, the value and what is allowed. A list may be given as "a,b".
Result<void> resolve(const Catalog& catalog, const Fleet& fleet, const std::string& pipeline,
                     const std::string& preset, const nlohmann::json& params, schema::JobSpec& spec);

}  // namespace sl::pipeline
