#include "common/pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "common/spelling.hpp"
#include "common/yaml.hpp"
#include "common/zone_json.hpp"

namespace sl::pipeline {
namespace {

namespace fs = std::filesystem;

Error wrong(const std::string& message, const std::string& hint = "") {
    return Error{Errc::invalid_argument, message, hint};
}

// Of sample_fps -1: enough to follow who walks (bench/tracking), and a third of the work for most videos.
constexpr double auto_fps = 10;

using Values = std::map<std::string, Json>;

// A pipeline need not offer every parameter: what it leaves out keeps the default of JobSpec.
template <typename T>
T get(const Values& values, const std::string& name, const T& otherwise) {
    const auto at = values.find(name);
    return at == values.end() ? otherwise : at->second.get<T>();
}

template <typename List, typename Name>
auto find(const List& list, const std::string& wanted, Name name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& item) { return name(item) == wanted; });
}
template <typename List, typename Name>
std::vector<std::string> names_of(const List& list, Name name) {
    std::vector<std::string> out;
    for (const auto& item : list) out.push_back(name(item));
    return out;
}
const auto key_of = [](const Pipeline& p) { return p.key; };
const auto preset_name = [](const Preset& p) { return p.name; };
const auto param_name = [](const Param& p) { return p.name; };

const Param* find_param(const Pipeline& pipeline, const std::string& name) {
    for (const Param& p : pipeline.params)
        if (name == p.name || name == p.stage + "." + p.name) return &p;
    return nullptr;
}

Result<void> check_number(const Param& p, const Json& value) {
    const bool whole = value.is_number() && value.get<double>() == std::floor(value.get<double>());
    if (!value.is_number() || (p.type == "int" && !whole))
        return wrong("parameter " + p.name + " is " + value.dump() + ", which is no " +
                         (p.type == "int" ? "whole number" : "number"),
                     "write " + p.name + "=N");
    const double x = value.get<double>();
    if (!std::isfinite(x) || (p.min && x < *p.min) || (p.max && x > *p.max))
        return wrong("parameter " + p.name + " is " + value.dump() + ", out of range",
                     "give " + (p.min ? "at least " + Json(*p.min).dump() : "any number") +
                         (p.max ? ", at most " + Json(*p.max).dump() : ""));
    return {};
}

Result<void> check_choice(const Param& p, const Json& value) {
    if (!value.is_string())
        return wrong("parameter " + p.name + " has " + value.dump() + ", which is no text");
    const auto text = value.get<std::string>();
    if (!p.choices.empty() && std::find(p.choices.begin(), p.choices.end(), text) == p.choices.end())
        return wrong("parameter " + p.name + " has '" + text + "', which is no choice",
                     did_you_mean(text, p.choices));
    return {};
}

Error in_param(const Param& p, const Error& e) {
    return wrong("parameter " + p.name + ": " + e.message, e.hint);
}

// `value` as the parameter's type has it, or what is wrong with it.
Result<Json> checked(const Param& p, Json value) {
    const bool list = p.type == "strings" || p.type == "numbers" || p.type == "rules" || p.type == "zones";
    if (list && value.is_string()) {
        Json items = Json::array();
        for (const std::string& word : split(value.get<std::string>(), ','))
            items.push_back(p.type == "strings" ? Json(word) : Json::parse(word, nullptr, false));
        value = items;
    }
    if (p.type == "strings" && value.is_number()) value = value.dump();
    if (list && !value.is_array())
        return wrong("parameter " + p.name + " is " + value.dump() + ", which is no list",
                     "give [a, b] or \"a,b\"");
    for (const Json& item : list ? value : Json::array({value})) {
        Result<void> ok;
        if (p.type == "rules") {
            if (auto rule = rule_from_json(item); !rule) ok = in_param(p, rule.error());
        } else if (p.type == "zones") {
            if (auto zone = zone_from_json(item); !zone) ok = in_param(p, zone.error());
        } else {
            const bool number = p.type == "int" || p.type == "number" || p.type == "numbers";
            ok = number ? check_number(p, item) : check_choice(p, item);
        }
        if (!ok) return ok.error();
    }
    return value;
}

// Lays `params` over `values`.
Result<void> lay(const Pipeline& pipeline, const Json& params, const std::string& whose, Values& values) {
    if (!params.is_object()) return wrong(whose + ": parameters must be a map, not " + params.dump());
    for (const auto& [name, value] : params.items()) {
        const Param* param = find_param(pipeline, name);
        if (!param)
            return wrong(whose + ": pipeline " + pipeline.key + " has no parameter '" + name + "'",
                         did_you_mean(name, names_of(pipeline.params, param_name)));
        auto good = checked(*param, value);
        if (!good) return wrong(whose + ": " + good.error().message, good.error().hint);
        values[param->name] = *good;
    }
    return {};
}

Result<Values> values_of(const Pipeline& pipeline, const Preset& preset, const Json& params) {
    Values values;
    for (const Param& p : pipeline.params) values[p.name] = p.default_value;
    if (auto ok = lay(pipeline, preset.params, "preset " + preset.name, values); !ok) return ok.error();
    if (auto ok = lay(pipeline, params, "cannot take the job", values); !ok) return ok.error();
    return values;
}

Result<std::vector<schema::PoolSpec>> pools_of(const std::vector<std::string>& models, const Fleet& fleet) {
    std::vector<schema::PoolSpec> pools;
    if (models == std::vector<std::string>{"none"}) return pools;
    if (models.empty())
        return wrong("parameter model is empty", "name a model, or \"none\" for no detection");
    for (const std::string& name : models) {
        const std::string wanted = name == "default" ? fleet.default_model : name;
        const auto at = std::find_if(fleet.manifests.begin(), fleet.manifests.end(), [&](const auto& m) {
            return wanted == m.name || wanted == m.name + "@" + m.version;
        });
        if (at == fleet.manifests.end()) {
            auto known = names_of(fleet.manifests, [](const auto& m) { return m.name; });
            known.insert(known.end(), {"default", "none"});
            return wrong("parameter model has '" + wanted + "', which no manifest describes",
                         did_you_mean(wanted, known));
        }
        const bool twice =
            std::any_of(pools.begin(), pools.end(), [&](const auto& p) { return p.name == at->pool(); });
        if (twice) return wrong("parameter model has '" + wanted + "' twice");
        pools.push_back(at->input);
        pools.back().name = at->pool();
    }
    return pools;
}

Result<std::vector<schema::Operation>> operations_of(const std::vector<double>& crop) {
    std::vector<schema::Operation> out;
    if (crop.empty()) return out;
    if (crop.size() != 4 || crop[2] <= 0 || crop[3] <= 0 || crop[0] + crop[2] > 1 || crop[1] + crop[3] > 1)
        return wrong("parameter crop is " + Json(crop).dump() + ", which is no part of the frame",
                     "give [x, y, width, height] as fractions, x + width and y + height at most 1");
    out.push_back({"crop", {{"x", crop[0]}, {"y", crop[1]}, {"width", crop[2]}, {"height", crop[3]}}});
    return out;
}

Result<Param> read_param(const YAML::Node& node, const std::string& file) {
    static const std::vector<std::string> types{"int",     "number", "string", "strings",
                                                "numbers", "rules",  "zones"};
    const Json map = yaml::to_json(node);
    Param p;
    p.name = map.value("name", "");
    p.stage = map.value("stage", "");
    p.type = map.value("type", "");
    p.help = map.value("help", "");
    p.default_value = map.value("default", Json());
    p.choices = map.value("choices", p.choices);
    if (map.contains("min")) p.min = map["min"].get<double>();
    if (map.contains("max")) p.max = map["max"].get<double>();
    const std::string where = yaml::place(file, node) + ": parameter '" + p.name + "' ";
    if (p.name.empty() || std::find(types.begin(), types.end(), p.type) == types.end())
        return wrong(where + "needs a name and a type", "types: " + join(types));
    if (auto good = checked(p, p.default_value); !good)
        return wrong(where + "has a bad default: " + good.error().text());
    return p;
}

Result<std::vector<Pipeline>> read_pipelines(const std::string& file) {
    auto root = yaml::load(file);
    if (!root) return root.error();
    std::vector<Pipeline> out;
    for (const auto& node : (*root)["pipelines"]) {
        const Json map = yaml::to_json(node);
        Pipeline p{map.value("key", ""), map.value("label", ""), map.value("version", ""), {}};
        if (p.key.empty() || p.version.empty())
            return wrong(yaml::place(file, node) + ": needs a key and a version");
        for (const auto& item : node["params"]) {
            auto param = read_param(item, file);
            if (!param) return param.error();
            p.params.push_back(*param);
        }
        out.push_back(std::move(p));
    }
    return out;
}

Result<Preset> read_preset(const std::string& file, const std::vector<Pipeline>& pipelines) {
    auto node = yaml::load(file);
    if (!node) return node.error();
    const Json map = yaml::to_json(*node);
    Preset p{map.value("name", ""), map.value("version", ""), map.value("pipeline", ""),
             map.value("help", ""), map.value("params", Json::object())};
    if (p.name != fs::path(file).stem() || p.version.empty())
        return wrong(file + ": needs a version, and the name '" + fs::path(file).stem().string() + "'");
    const auto pipeline = find(pipelines, p.pipeline, key_of);
    if (pipeline == pipelines.end())
        return wrong(file + ": there is no pipeline '" + p.pipeline + "'",
                     did_you_mean(p.pipeline, names_of(pipelines, key_of)));
    if (auto ok = values_of(*pipeline, p, Json::object()); !ok)
        return wrong(file + ": " + ok.error().message, ok.error().hint);
    return p;
}

}  // namespace

std::string data_dir() {
    if (const char* named = std::getenv("SIGHTLINE_DATA_DIR"); named && *named) return named;
    std::error_code ec;
    const fs::path program = fs::read_symlink("/proc/self/exe", ec);
    const fs::path installed = program.parent_path().parent_path() / "share" / "sightline";
    return fs::exists(installed / "pipelines.yaml", ec) ? installed.string() : SIGHTLINE_SCHEMA_DIR;
}

Result<Catalog> load(const std::string& dir) {
    try {
        auto pipelines = read_pipelines(dir + "/pipelines.yaml");
        if (!pipelines) return pipelines.error();
        Catalog catalog{std::move(*pipelines), {}};
        std::error_code ec;
        for (const auto& entry : fs::directory_iterator(dir + "/presets", ec)) {
            if (entry.path().extension() != ".yaml") continue;
            auto preset = read_preset(entry.path().string(), catalog.pipelines);
            if (!preset) return preset.error();
            catalog.presets.push_back(std::move(*preset));
        }
        std::sort(catalog.presets.begin(), catalog.presets.end(),
                  [](const Preset& a, const Preset& b) { return a.name < b.name; });
        return catalog;
    } catch (const std::exception& e) {  // a value of another type than its key wants
        return wrong("cannot read pipelines and presets in " + dir + ": " + e.what());
    }
}

Json to_json(const Pipeline& pipeline) {
    Json params = Json::array();
    for (const Param& p : pipeline.params) {
        Json map{{"name", p.name}, {"stage", p.stage}, {"type", p.type}, {"default", p.default_value}};
        if (p.min) map["min"] = *p.min;
        if (p.max) map["max"] = *p.max;
        if (!p.choices.empty()) map["choices"] = p.choices;
        map["help"] = p.help;
        params.push_back(std::move(map));
    }
    return {
        {"key", pipeline.key}, {"label", pipeline.label}, {"version", pipeline.version}, {"params", params}};
}

Json to_json(const Preset& preset) {
    return {{"name", preset.name},
            {"version", preset.version},
            {"pipeline", preset.pipeline},
            {"help", preset.help},
            {"params", preset.params}};
}

Result<void> resolve(const Catalog& catalog, const Fleet& fleet, const std::string& pipeline,
                     const std::string& preset, const nlohmann::json& params, schema::JobSpec& spec) {
    const auto line = find(catalog.pipelines, pipeline, key_of);
    if (line == catalog.pipelines.end())
        return wrong("cannot take the job: there is no pipeline '" + pipeline + "'",
                     did_you_mean(pipeline, names_of(catalog.pipelines, key_of)));
    const auto set = find(catalog.presets, preset, preset_name);
    if (set == catalog.presets.end())
        return wrong("cannot take the job: there is no preset '" + preset + "'",
                     did_you_mean(preset, names_of(catalog.presets, preset_name)));
    if (set->pipeline != pipeline)
        return wrong("cannot take the job: preset '" + preset + "' is for pipeline " + set->pipeline +
                     ", not " + pipeline);
    auto values = values_of(*line, *set, Json(params));
    if (!values) return values.error();
    const Values& v = *values;
    const schema::JobSpec defaults;

    auto pools = pools_of(get(v, "model", std::vector<std::string>{"none"}), fleet);
    if (!pools) return wrong("cannot take the job: " + pools.error().message, pools.error().hint);
    auto operations = operations_of(get(v, "crop", std::vector<double>{}));
    if (!operations)
        return wrong("cannot take the job: " + operations.error().message, operations.error().hint);
    spec.classes = get(v, "classes", defaults.classes);
    for (const std::string& name : spec.classes) {
        std::vector<std::string> known;
        for (const auto& pool : *pools) known.insert(known.end(), pool.classes.begin(), pool.classes.end());
        if (!pools->empty() && std::find(known.begin(), known.end(), name) == known.end())
            return wrong(
                "cannot take the job: parameter classes has '" + name + "', which no model of it knows",
                did_you_mean(name, known));
    }
    spec.pipeline = pipeline;
    spec.preset = preset;
    spec.preset_version = set->version;
    spec.pools = std::move(*pools);
    spec.operations = std::move(*operations);
    spec.sample_fps = get(v, "sample_fps", defaults.sample_fps);
    if (spec.sample_fps < 0) spec.sample_fps = auto_fps;
    spec.sample_every = get(v, "sample_every", defaults.sample_every);
    spec.tracker.kind = get(v, "tracker", defaults.tracker.kind);
    spec.tracker.high = get(v, "track_high", defaults.tracker.high);
    spec.tracker.low = get(v, "track_low", defaults.tracker.low);
    spec.tracker.keep_s = get(v, "track_keep_s", defaults.tracker.keep_s);
    if (spec.tracker.low > spec.tracker.high)
        return wrong("cannot take the job: track_low is above track_high",
                     "give track_low at most track_high");
    spec.confidence = get(v, "confidence", defaults.confidence);
    spec.nms = get(v, "nms", defaults.nms);
    spec.max_boxes = get(v, "max_boxes", defaults.max_boxes);
    spec.exporters = get(v, "exporters", defaults.exporters);
    spec.rules.clear();
    for (const Json& item : get(v, "rules", Json::array())) spec.rules.push_back(*rule_from_json(item));
    spec.zones.clear();
    for (const Json& item : get(v, "zones", Json::array())) spec.zones.push_back(*zone_from_json(item));
    if (auto ok = check_zones(spec.zones, spec.rules); !ok)
        return wrong("cannot take the job: " + ok.error().message, ok.error().hint);
    for (const schema::Rule& rule : spec.rules)
        if (rule.kind == "line" && spec.tracker.kind == "none")
            return wrong(
                "cannot take the job: rule '" + rule.name + "' is of kind line, and there is no tracker",
                "set tracker=bytetrack");
    spec.video_preset = get(v, "video_preset", defaults.video_preset);
    spec.video_crf = get(v, "video_crf", defaults.video_crf);
    return {};
}

}  // namespace sl::pipeline
