#include "common/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/camera_json.hpp"
#include "common/spelling.hpp"
#include "common/yaml.hpp"

extern char** environ;

namespace sl::config {
namespace {

using Json = nlohmann::ordered_json;

// The one list of keys. `v` is a Reader, a Writer, or anything else that wants them all.
template <typename V>
void fields(V& v, Target& t) {
    v("name", t.name), v("sink", t.sink), v("classes", t.classes), v("min_score", t.min_score);
    v("cameras", t.cameras), v("rules", t.rules), v("kinds", t.kinds);
    v("max_per_minute", t.max_per_minute), v("max_attempts", t.max_attempts);
    v("connect_s", t.connect_s), v("timeout_s", t.timeout_s), v.object("options", t.options);
}
template <typename V>
void fields(V& v, Fleet& s) {
    v("name", s.name);
}
template <typename V>
void fields(V& v, Broker& s) {
    v("endpoint", s.endpoint), v("run_dir", s.run_dir);
}
template <typename V>
void fields(V& v, Security& s) {
    v("keys", s.keys), v("insecure", s.insecure);
}
template <typename V>
void fields(V& v, Secrets& s) {
    v("file", s.file);
}
template <typename V>
void fields(V& v, Redis& s) {
    v("url", s.url);
}
template <typename V>
void fields(V& v, Postgres& s) {
    v("dsn", s.dsn);
}
template <typename V>
void fields(V& v, Audit& s) {
    v("path", s.path);
}
template <typename V>
void fields(V& v, Output& s) {
    v("root", s.root), v("path", s.path);
}
template <typename V>
void fields(V& v, Models& s) {
    v("dirs", s.dirs), v("manifests", s.manifests), v("default", s.default_model);
}
template <typename V>
void fields(V& v, Limits& s) {
    v("queued_jobs", s.queued_jobs), v("when_full", s.when_full);
    v("chunks_in_flight", s.chunks_in_flight), v("home_slots", s.home_slots);
}
template <typename V>
void fields(V& v, Retention& s) {
    v("jobs", s.jobs), v("job_days", s.job_days), v("failed_work_hours", s.failed_work_hours);
    v("log_entries", s.log_entries), v("log_mb", s.log_mb);
    v("dead_letters", s.dead_letters), v("dead_letter_days", s.dead_letter_days);
}
template <typename V>
void fields(V& v, Alerts& s) {
    v("max_waiting", s.max_waiting), v("max_age_hours", s.max_age_hours), v("targets", s.targets);
}
template <typename V>
void fields(V& v, Snapshots& s) {
    v("root", s.root), v("path", s.path), v("max_mb", s.max_mb), v("max_hours", s.max_hours);
}
template <typename V>
void fields(V& v, Log& s) {
    v("level", s.level), v("format", s.format), v("max_mb", s.max_mb);
}
template <typename V>
void fields(V& v, Config& c) {
    v("fleet", c.fleet), v("broker", c.broker), v("security", c.security), v("secrets", c.secrets);
    v("redis", c.redis), v("postgres", c.postgres);
    v("audit", c.audit), v("roots", c.roots), v("output", c.output), v("models", c.models);
    v("limits", c.limits), v("retention", c.retention), v("alerts", c.alerts);
    v.cameras("cameras", c.cameras), v("snapshots", c.snapshots), v("log", c.log);
}

struct Findings {
    std::vector<std::string> mistakes;
    std::map<std::string, std::string> places;  // key → "FILE:LINE", variable or flag that set it last
};

// Reads what a YAML map has, leaves the rest as it is, and notes every mistake with its place.
class Reader {
public:
    Reader(YAML::Node map, std::string origin, std::string path, Findings& findings)
        : map_(std::move(map)), origin_(std::move(origin)), path_(std::move(path)), findings_(findings) {}

    template <typename T>
    void operator()(const char* key, T& value) {
        known_.push_back(key);
        if (const YAML::Node node = take(key); node.IsDefined()) {
            findings_.places[full(key)] = place(node);
            read(node, key, value);
        }
    }
    void object(const char* key, std::string& text) {
        known_.push_back(key);
        const YAML::Node node = take(key);
        if (!node.IsDefined()) return;
        if (node.IsMap())
            text = yaml::to_json(node).dump();
        else
            mistake(node, key, "must be a map");
    }

    void cameras(const char* key, std::string& text) {
        known_.push_back(key);
        const YAML::Node node = take(key);
        if (!node.IsDefined()) return;
        if (!node.IsSequence() && !node.IsNull()) return mistake(node, key, "must be a list of cameras");
        Json list = Json::array();
        for (const auto& item : node) {
            const nlohmann::json camera(yaml::to_json(item));
            for (const auto& [field, unused] : camera.items())
                if (const auto& known = camera_fields(); !std::count(known.begin(), known.end(), field))
                    mistake(item, key, "has a '" + field + "'; " + did_you_mean(field, known));
            schema::Camera checked;
            if (const auto ok = lay_camera(camera, checked); !ok)
                mistake(item, key, "has '" + checked.camera + "': " + ok.error().text());
            list.push_back(yaml::to_json(item));
        }
        text = list.dump();
    }

    template <typename T>
    void section(T& value) {
        if (map_.IsDefined() && !map_.IsNull() && !map_.IsMap())
            return mistake(map_, "", "must be a map of keys");
        fields(*this, value);
        if (!map_.IsMap()) return;
        for (const auto& item : map_) {
            const std::string key = item.first.Scalar();
            if (std::find(known_.begin(), known_.end(), key) == known_.end())
                mistake(item.first, key, "is no key; " + did_you_mean(key, known_));
        }
    }

private:
    YAML::Node take(const char* key) const {
        return map_.IsMap() ? static_cast<const YAML::Node&>(map_)[key]
                            : YAML::Node(YAML::NodeType::Undefined);
    }
    std::string full(const std::string& key) const {
        return path_.empty() ? key : key.empty() ? path_ : path_ + "." + key;
    }
    std::string place(const YAML::Node& node) const {
        const bool in_file = origin_.rfind("SIGHTLINE__", 0) != 0 && origin_.rfind("--", 0) != 0;
        return in_file ? yaml::place(origin_, node) : origin_;
    }
    void mistake(const YAML::Node& node, const std::string& key, const std::string& why) {
        findings_.mistakes.push_back(place(node) + ": " + full(key) + " " + why);
    }

    template <typename T>
    void scalar(const YAML::Node& node, const char* key, T& value, const char* kind) {
        if (T read; node.IsScalar() && YAML::convert<T>::decode(node, read))
            value = read;
        else
            mistake(node, key, std::string("must be ") + kind);
    }
    void read(const YAML::Node& node, const char* key, std::string& value) {
        if (node.IsScalar())
            value = node.Scalar();
        else if (node.IsNull())
            value.clear();
        else
            mistake(node, key, "must be a text");
    }
    void read(const YAML::Node& node, const char* key, std::int64_t& value) {
        scalar(node, key, value, "a whole number");
    }
    void read(const YAML::Node& node, const char* key, bool& value) {
        scalar(node, key, value, "true or false");
    }
    void read(const YAML::Node& node, const char* key, double& value) {
        scalar(node, key, value, "a number");
    }
    void read(const YAML::Node& node, const char* key, std::vector<std::string>& value) {
        if (!node.IsSequence() && !node.IsNull()) return mistake(node, key, "must be a list, as [a, b]");
        value.clear();
        for (const auto& item : node) read(item, key, value.emplace_back());
    }
    void read(const YAML::Node& node, const char* key, std::map<std::string, std::string>& value) {
        if (!node.IsMap() && !node.IsNull()) return mistake(node, key, "must be a map of name: value");
        for (const auto& item : node) read(item.second, key, value[item.first.Scalar()]);
    }
    void read(const YAML::Node& node, const char* key, std::vector<Target>& value) {
        if (!node.IsSequence() && !node.IsNull()) return mistake(node, key, "must be a list of targets");
        value.clear();
        for (const auto& item : node) {
            Reader(item, origin_, full(key) + "[" + std::to_string(value.size()) + "]", findings_)
                .section(value.emplace_back());
        }
    }
    template <typename T>
    void read(const YAML::Node& node, const char* key, T& value) {
        Reader(node, origin_, full(key), findings_).section(value);
    }

    const YAML::Node map_;
    const std::string origin_;  // file, variable or flag
    const std::string path_;    // of this section
    std::vector<std::string> known_;
    Findings& findings_;
};

class Writer {
public:
    Json out = Json::object();

    template <typename T>
    void operator()(const char* key, T& value) {
        out[key] = write(value);
    }
    void object(const char* key, std::string& text) { out[key] = Json::parse(text); }
    void cameras(const char* key, std::string& text) { out[key] = Json::parse(text); }

private:
    template <typename T>
    static Json write(T& value) {
        if constexpr (std::is_constructible_v<Json, T> && !std::is_same_v<T, std::vector<Target>> &&
                      !std::is_class_v<T>) {
            return value;
        } else {
            Writer w;
            fields(w, value);
            return w.out;
        }
    }
    static Json write(std::string& value) { return value; }
    static Json write(std::vector<std::string>& value) { return value; }
    static Json write(std::map<std::string, std::string>& value) {
        Json map = Json::object();
        for (const auto& [name, folder] : value) map[name] = folder;
        return map;
    }
    static Json write(std::vector<Target>& value) {
        Json list = Json::array();
        for (Target& target : value) list.push_back(write(target));
        return list;
    }
};

// {"a.b", "value"} as the map {a: {b: value}}.
YAML::Node nest(const Override& item) {
    YAML::Node value;
    try {
        value = YAML::Load(item.second);
    } catch (const YAML::Exception&) {
        value = YAML::Node(item.second);
    }
    if (value.IsNull()) value = YAML::Node(item.second);
    std::string path = item.first;
    while (!path.empty()) {
        const auto dot = path.rfind('.');
        YAML::Node map(YAML::NodeType::Map);
        map[path.substr(dot == std::string::npos ? 0 : dot + 1)] = value;
        value = map;
        path.resize(dot == std::string::npos ? 0 : dot);
    }
    return value;
}

// SIGHTLINE__BROKER__ENDPOINT=x → {"SIGHTLINE__BROKER__ENDPOINT", {"broker.endpoint", "x"}}, sorted by name.
std::map<std::string, Override> environment() {
    std::map<std::string, Override> out;
    for (char** entry = environ; *entry; ++entry) {
        const std::string text = *entry;
        const auto equals = text.find('=');
        if (equals == std::string::npos || text.rfind("SIGHTLINE__", 0) != 0) continue;
        const std::string name = text.substr(0, equals);
        std::string path = name.substr(std::string_view("SIGHTLINE__").size());
        for (std::size_t at; (at = path.find("__")) != std::string::npos;) path.replace(at, 2, ".");
        std::transform(path.begin(), path.end(), path.begin(),
                       [](unsigned char c) { return std::tolower(c); });
        out[name] = {path, text.substr(equals + 1)};
    }
    return out;
}

std::string find_file() {
    if (const char* named = std::getenv("SIGHTLINE_CONFIG"); named && *named) return named;
    for (const char* path : {"sightline.yaml", "/etc/sightline/sightline.yaml"})
        if (std::filesystem::exists(path)) return path;
    return "";
}

void check(const Config& c, Findings& findings) {
    const auto require = [&](bool ok, const std::string& key, const std::string& what) {
        const auto at = findings.places.find(key);
        if (!ok)
            findings.mistakes.push_back((at == findings.places.end() ? "" : at->second + ": ") + key + " " +
                                        what);
    };
    const auto quoted = [](const std::string& value) { return "'" + value + "' "; };
    const auto one_of = [&](const std::string& key, const std::string& value,
                            const std::vector<std::string>& names) {
        require(std::find(names.begin(), names.end(), value) != names.end(), key,
                quoted(value) + "is not known; " + did_you_mean(value, names));
    };
    const auto plain = [](const std::string& name) {
        return !name.empty() &&
               name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
    };
    require(plain(c.fleet.name), "fleet.name", quoted(c.fleet.name) + "must be of a-z, 0-9, _ and -");
    for (const std::string& endpoint : endpoints(c))
        require(endpoint.rfind("tcp://", 0) == 0 || endpoint.rfind("ipc:///", 0) == 0, "broker.endpoint",
                quoted(endpoint) + "must be tcp://HOST:PORT or ipc:///PATH");
    std::vector<std::string> names;
    for (const auto& [name, folder] : c.roots) {
        names.push_back(name);
        require(plain(name), "roots", "has a name " + quoted(name) + "that is not of a-z, 0-9, _ and -");
        require(!folder.empty() && folder[0] == '/', "roots",
                "names " + quoted(folder) + "for '" + name + "', which is not an absolute folder");
    }
    if (!c.output.root.empty()) one_of("output.root", c.output.root, names);
    const std::filesystem::path out(c.output.path);
    require(out.is_relative() && std::find(out.begin(), out.end(), "..") == out.end(), "output.path",
            quoted(c.output.path) + "must be a folder below output.root, without '..'");
    require(c.limits.queued_jobs > 0, "limits.queued_jobs", "must be at least 1");
    one_of("limits.when_full", c.limits.when_full, {"reject", "drop_lru"});
    const auto at_least = [&](const std::string& key, std::int64_t value, std::int64_t least) {
        require(value >= least && value <= 100'000'000, key,
                "must be " + std::to_string(least) + " to 100000000");
    };
    at_least("retention.jobs", c.retention.jobs, 1);
    at_least("retention.job_days", c.retention.job_days, 0);
    at_least("retention.failed_work_hours", c.retention.failed_work_hours, 0);
    at_least("retention.log_entries", c.retention.log_entries, 1000);
    at_least("retention.log_mb", c.retention.log_mb, 1);
    at_least("retention.dead_letters", c.retention.dead_letters, 0);
    at_least("retention.dead_letter_days", c.retention.dead_letter_days, 0);
    at_least("alerts.max_waiting", c.alerts.max_waiting, 1);
    at_least("alerts.max_age_hours", c.alerts.max_age_hours, 0);
    if (!c.snapshots.root.empty()) one_of("snapshots.root", c.snapshots.root, names);
    const std::filesystem::path pictures(c.snapshots.path);
    require(pictures.is_relative() && std::find(pictures.begin(), pictures.end(), "..") == pictures.end(),
            "snapshots.path", quoted(c.snapshots.path) + "must be a folder below its root, without '..'");
    at_least("snapshots.max_mb", c.snapshots.max_mb, 1);
    at_least("snapshots.max_hours", c.snapshots.max_hours, 1);
    at_least("log.max_mb", c.log.max_mb, 1);
    require(c.limits.chunks_in_flight > 0, "limits.chunks_in_flight", "must be at least 1");
    require(c.limits.home_slots > 1, "limits.home_slots",
            "must be at least 2: the last one is kept for the chunk whose turn it is");
    for (const Target& target : c.alerts.targets) {
        const std::string it = "has '" + target.name + "', ";
        require(!target.name.empty() && !target.sink.empty(), "alerts.targets",
                it + "which needs a name and a sink");
        require(target.min_score >= 0 && target.min_score <= 1, "alerts.targets",
                it + "whose min_score is not 0 to 1");
        require(target.max_per_minute >= 0, "alerts.targets", it + "whose max_per_minute is negative");
        require(target.max_attempts >= 0 && target.max_attempts <= 1'000'000, "alerts.targets",
                it + "whose max_attempts is not 0 to 1000000");
        require(
            target.connect_s > 0 && target.connect_s <= 60 && target.timeout_s > 0 && target.timeout_s <= 60,
            "alerts.targets", it + "whose connect_s or timeout_s is not above 0 and at most 60");
        for (const std::string& kind : target.kinds)
            require(kind == "new" || kind == "update" || kind == "end", "alerts.targets",
                    it + "whose kinds name '" + kind + "'; there are new, update and end");
        require(target.name.find('/') == std::string::npos, "alerts.targets", it + "whose name holds a '/'");
        require(std::count_if(c.alerts.targets.begin(), c.alerts.targets.end(),
                              [&](const Target& other) { return other.name == target.name; }) == 1,
                "alerts.targets", it + "twice");
    }
    require(c.cameras == "[]" || c.postgres.dsn.empty(), "cameras",
            "must be [] where postgres.dsn is set: the registry is there (`sightline cameras add`)");
    one_of("log.level", c.log.level, {"trace", "debug", "info", "warn", "error", "off"});
    one_of("log.format", c.log.format, {"auto", "text", "json"});
}

}  // namespace

Result<Config> load(const std::string& file, const std::vector<Override>& flags) {
    Config config;
    Findings findings;
    config.file = file.empty() ? find_file() : file;
    if (!config.file.empty()) {
        auto node = yaml::load(config.file);
        if (!node)
            return Error{Errc::invalid_argument, "cannot use the configuration: " + node.error().message,
                         node.error().hint};
        Reader(*node, config.file, "", findings).section(config);
    }
    for (const auto& [name, item] : environment()) Reader(nest(item), name, "", findings).section(config);
    for (const Override& item : flags) Reader(nest(item), "--" + item.first, "", findings).section(config);
    if (findings.mistakes.empty()) check(config, findings);
    if (findings.mistakes.empty()) return config;
    return Error{
        Errc::invalid_argument, "cannot use the configuration: " + join(findings.mistakes, "\n  "),
        "compose/sightline.yaml explains every key; `sightline config show` prints what is in force"};
}

nlohmann::ordered_json to_json(const Config& config) {
    Config copy = config;
    Writer writer;
    fields(writer, copy);
    return writer.out;
}

std::vector<std::string> endpoints(const Config& config) {
    return split(config.broker.endpoint, ',');
}

std::vector<std::string> model_dirs(const Config& config) {
    const char* path = std::getenv("SIGHTLINE_MODEL_PATH");
    std::vector<std::string> out = split(path ? path : "", ':');
    out.insert(out.end(), config.models.dirs.begin(), config.models.dirs.end());
    return out;
}

std::string default_model(const Config& config) {
    if (!config.models.default_model.empty()) return config.models.default_model;
    std::ifstream chosen(".sightline/model");
    if (std::string name; chosen >> name) return name;
    return "yolox_nano";
}

std::string audit_path(const Config& config) {
    return config.audit.path.empty() ? config.broker.run_dir + "/audit.jsonl" : config.audit.path;
}

bool log_as_json(const Config& config) {
    return config.log.format == "json" || (config.log.format == "auto" && ::isatty(STDERR_FILENO) == 0);
}

}  // namespace sl::config
