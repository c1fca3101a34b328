// Configuration: one struct a section, one YAML file, environment over it, flags over that; validated whole.
//
// compose/sightline.yaml is the annotated default: a test holds it against these structs. A key is added by
// a member here, a line in config.cpp (fields) and a line there.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "schema/result.hpp"

namespace sl::config {

struct Fleet {
    std::string name = "default";  // two fleets on one Redis or PostgreSQL do not meet
};
struct Broker {
    std::string endpoint = "ipc:///run/sightline/broker";  // jobs socket(s); the others follow
    std::string run_dir = "/run/sightline";                // sockets of workers on this host, audit file
};
struct Security {
    std::string keys;       // key file (`sightline keys`); empty: only this host can connect
    bool insecure = false;  // listen for other hosts without keys
};
struct Secrets {
    std::string file;  // users and passwords by name, YAML; empty: from the environment only
};
struct Redis {
    std::string url = "redis://127.0.0.1:6379/0";  // or unix:///path/redis.sock
};
struct Postgres {
    std::string dsn;  // empty: the audit trail is a file of JSON lines (audit.path)
};
struct Audit {
    std::string path;  // empty: {broker.run_dir}/audit.jsonl
};
struct Output {
    std::string root;              // name of a root; empty: submit must say
    std::string path = "outputs";  // folder below it
};
struct Models {
    std::vector<std::string> dirs = {".sightline/models", "/var/lib/sightline/models"};  // in order
    std::string manifests;      // folder of manifests; empty: those that come with the program
    std::string default_model;  // key "default"; empty: what scripts/setup chose, else yolox_nano
};
struct Limits {
    std::int64_t queued_jobs = 512;     // at most
    std::string when_full = "reject";   // the next job; or drop_lru: fail the one that waits longest instead
    std::int64_t chunks_in_flight = 8;  // of one job
    std::int64_t home_slots = 3;        // chunks that one annotate worker holds
};
// What is kept of what is over. 0 means no limit where days and hours are counted, nothing where things are.
struct Retention {
    std::int64_t jobs = 5000;             // ended ones, in the list
    std::int64_t job_days = 30;           // and for how long
    std::int64_t failed_work_hours = 72;  // work folder of a failed job, from which `retry` goes on; 0: none
    std::int64_t log_entries = 20'000;    // events, for subscribers that ask for what they missed
    std::int64_t log_mb = 64;             // and their size
    std::int64_t dead_letters = 10'000;   // alerts that a target never got, for `alerts retry`
    std::int64_t dead_letter_days = 30;   // and for how long
};
// Split into alert::Target and AlertFilter.
struct Target {
    std::string name;
    std::string sink;
    std::vector<std::string> classes;  // empty: all
    double min_score = 0;
    double max_per_minute = 0;                       // 0: no limit
    std::string options = "{}";                      // the sink's own settings: JSON object as text
    std::vector<std::string> cameras, rules, kinds;  // empty: all; cameras are shell patterns
    std::int64_t max_attempts = 20;                  // that the receiver answers "not now"; 0: no limit
    double connect_s = 3;                            // to reach the receiver
    double timeout_s = 10;                           // for one send, all in all
    bool operator==(const Target&) const = default;
};
struct Alerts {
    std::vector<Target> targets = {{"log", "log", {}, 0, 0, "{}", {}, {}, {}, 20, 3, 10}};
    std::int64_t max_waiting = 100'000;  // alerts for one target; then the oldest becomes a dead letter
    std::int64_t max_age_hours = 24;     // of one that waits; 0: no limit
};
// Pictures of alerts, of cameras that want them: JPEG files of one folder.
struct Snapshots {
    std::string root;                // name of a root; empty: the output's
    std::string path = "snapshots";  // folder below it
    std::int64_t max_mb = 512;       // then the oldest go
    std::int64_t max_hours = 72;     // and what is older
};
struct Log {
    std::string level = "info";   // trace debug info warn error off
    std::string format = "auto";  // auto (text on a terminal, else json), text, json
    std::int64_t max_mb = 64;     // of each process's log file below a supervisor; one older is kept
};

struct Config {
    Fleet fleet;
    Broker broker;
    Security security;
    Secrets secrets;
    Redis redis;
    Postgres postgres;
    Audit audit;
    std::map<std::string, std::string> roots;  // name → absolute folder
    Output output;
    Models models;
    Limits limits;
    Retention retention;
    Alerts alerts;
    // Without postgres.dsn the registry of cameras: JSON list of maps, fields as of schema::Camera.
    std::string cameras = "[]";
    Snapshots snapshots;
    Log log;

    std::string file;  // where it was read from; empty: built-in defaults (not a key)
};

// One value laid over the file's: {"broker.endpoint", "tcp://…"}; the value is YAML.
using Override = std::pair<std::string, std::string>;

// `file`: the one to read, or empty for the default search: $SIGHTLINE_CONFIG, ./sightline.yaml,
// /etc/sightline/sightline.yaml, built-in. Then SIGHTLINE__SECTION__KEY of the environment, then `flags`.
// All mistakes are reported at once, each with file:line (or the variable) and the keys it might have meant.
Result<Config> load(const std::string& file = "", const std::vector<Override>& flags = {});

// Every key, in the file's order. yaml::from_json of it is a file that load() reads back.
nlohmann::ordered_json to_json(const Config& config);

// The jobs sockets of broker.endpoint (',' between): clients and workers try them in turn.
std::vector<std::string> endpoints(const Config& config);
// Folders to look for model files in: those of SIGHTLINE_MODEL_PATH (':' between), then models.dirs.
std::vector<std::string> model_dirs(const Config& config);
// models.default, or what scripts/setup wrote to .sightline/model, or "yolox_nano".
std::string default_model(const Config& config);
std::string audit_path(const Config& config);
// True when logs are to be JSON lines: log.format, where auto looks at stderr.
bool log_as_json(const Config& config);

}  // namespace sl::config
