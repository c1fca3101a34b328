#include "broker/program.hpp"

#include "common/cpu.hpp"
#include "common/roots.hpp"
#include "workers/alert/alert.hpp"
#include "workers/annotate/annotate.hpp"
#include "workers/annotate/exporter.hpp"
#include "workers/detect/detect.hpp"
#include "workers/detect/live_detect.hpp"
#include "workers/ingest/ingest.hpp"
#include "workers/ingest/live_ingest.hpp"
#include "workers/noop/noop.hpp"
#include "workers/preprocess/live_preprocess.hpp"
#include "workers/preprocess/operation.hpp"
#include "workers/preprocess/preprocess.hpp"

namespace sl::program {

using nlohmann::json;

namespace {

constexpr std::int32_t noop_slots = 512;  // jobs that a worker of the stage noop holds at once
constexpr std::int64_t hour_ns = 3'600'000'000'000;

Result<detect::Opened> open_model(const config::Config& config, const Catalog& catalog,
                                  const std::string& wanted, std::string& pool) {
    std::string all;
    for (const auto& m : catalog.manifests) {
        all += (all.empty() ? "" : ", ") + m.name;
        if (m.name != wanted) continue;
        pool = m.pool();
        return detect::open_backend(m, config::model_dirs(config));
    }
    return Error{Errc::not_found, "there is no model '" + wanted + "'", "there are: " + all};
}

// Where pictures of alerts go; none where neither the snapshots nor the output have a root.
Result<std::optional<annotate::Snapshots>> open_snapshots(const config::Config& config, const Roots& roots) {
    const auto& s = config.snapshots;
    const std::string root = s.root.empty() ? config.output.root : s.root;
    if (root.empty()) return std::optional<annotate::Snapshots>();
    auto folder = roots.place({root, s.path});
    if (!folder) return folder.error();
    return std::optional(annotate::Snapshots({root, s.path, *folder, s.max_mb, s.max_hours}));
}

}  // namespace

broker::Catalogue Catalog::for_broker() const {
    broker::Catalogue c;
    c.resolve = [this](const std::string& pipeline, const std::string& preset, const json& params,
                       schema::JobSpec& spec) -> Result<void> {
        if (auto ok =
                pipeline::resolve(pipelines, {manifests, default_model}, pipeline, preset, params, spec);
            !ok)
            return ok;
        return preprocess::check_operations(spec.operations);
    };
    c.pipelines = [this] {
        json list = json::array();
        for (const auto& p : pipelines.pipelines) list.push_back(json(pipeline::to_json(p)));
        return list;
    };
    c.presets = [this] {
        json list = json::array();
        for (const auto& p : pipelines.presets) list.push_back(json(pipeline::to_json(p)));
        return list;
    };
    c.models = [this] {
        json list = json::array();
        for (const auto& m : manifests)
            list.push_back(
                {{"model", m.name}, {"version", m.version}, {"pool", m.pool()}, {"licence", m.licence}});
        return list;
    };
    return c;
}

Result<std::shared_ptr<Catalog>> load_catalog(const config::Config& config) {
    auto catalog = std::make_shared<Catalog>();
    auto pipelines = pipeline::load();
    if (!pipelines) return pipelines.error();
    catalog->pipelines = std::move(*pipelines);
    // The choice of exporters is the folder of exporters: a new one needs no edit elsewhere.
    for (auto& p : catalog->pipelines.pipelines)
        for (auto& param : p.params)
            if (param.name == "exporters")
                for (const auto* row : annotate::exporter_table()) param.choices.emplace_back(row->name);
    auto manifests = model::load_manifests(config.models.manifests.empty() ? pipeline::data_dir() + "/models"
                                                                           : config.models.manifests);
    if (!manifests) return manifests.error();
    catalog->manifests = std::move(*manifests);
    catalog->default_model = config::default_model(config);
    return catalog;
}

std::vector<alert::Target> alert_targets(const config::Config& config) {
    std::vector<alert::Target> targets;
    for (const auto& t : config.alerts.targets) {
        alert::Target target;
        target.name = t.name;
        target.sink = t.sink;
        target.max_per_minute = t.max_per_minute;
        target.max_attempts = int(t.max_attempts);
        target.max_age_ns = config.alerts.max_age_hours * hour_ns;
        target.connect_s = t.connect_s;
        target.timeout_s = t.timeout_s;
        target.options = t.options;
        targets.push_back(std::move(target));
    }
    return targets;
}

std::unique_ptr<alert::SinkHost> sink_host(const config::Config& config) {
    return std::unique_ptr<alert::SinkHost>(
        new alert::SinkHost{Secrets(config.secrets.file), Roots(config.roots)});
}

broker::OutboxOptions outbox_options(const config::Config& config) {
    broker::OutboxOptions o;
    for (const auto& t : config.alerts.targets)
        o.targets.push_back({t.name, t.sink, {t.classes, t.min_score, t.cameras, t.rules, t.kinds}});
    o.waiting = std::size_t(config.alerts.max_waiting);
    o.age_ns = config.alerts.max_age_hours * hour_ns;
    o.dead = std::size_t(config.retention.dead_letters);
    o.dead_ns = config.retention.dead_letter_days * 24 * hour_ns;
    return o;
}

Result<StageSetup> make_stage(const std::string& name, const config::Config& config, const Catalog& catalog,
                              const std::string& model, annotate::LiveHome::Viewer viewer) {
    StageSetup s;
    s.options.stage = s.options.pool = name;
    for (const auto& [root, path] : config.roots) s.options.roots.push_back(root);
    const Roots roots(config.roots);
    const std::string wanted = model.empty() ? catalog.default_model : model;
    if (name == "ingest") {
        s.stage = std::make_unique<ingest::IngestStage>(roots);
    } else if (name == "preprocess") {
        s.stage = std::make_unique<preprocess::PreprocessStage>();
        s.options.engine = media::engine() + " " + cpu_class();
    } else if (name == "detect") {
        auto opened = open_model(config, catalog, wanted, s.options.pool);
        if (!opened) return opened.error();
        s.stage = std::make_unique<detect::DetectStage>(std::move(opened->backend));
        s.options.engine = opened->engine;
    } else if (name == "annotate") {
        s.stage = std::make_unique<annotate::AnnotateStage>(roots);
        s.options.slots = std::int32_t(config.limits.home_slots);
        s.options.engine = media::engine();
    } else if (name == "alert") {
        auto stage = alert::AlertStage::open(alert_targets(config), sink_host(config));
        if (!stage) return stage.error();
        s.stage = std::move(*stage);
    } else if (name == "live/ingest") {
        s.stage = std::make_unique<ingest::LiveIngestStage>(config.secrets.file);
    } else if (name == "live/preprocess") {
        s.stage = std::make_unique<preprocess::LivePreprocessStage>();
    } else if (name == "live/detect") {
        // A session of its own: batch work never makes live work wait for it. It costs the model's memory.
        auto opened = open_model(config, catalog, wanted, s.options.pool);
        if (!opened) return opened.error();
        s.stage = std::make_unique<detect::LiveDetectStage>(std::move(opened->backend));
        s.options.pool = "live/" + s.options.pool;
    } else if (name == "live/annotate") {
        auto snapshots = open_snapshots(config, roots);
        if (!snapshots) return snapshots.error();
        s.stage = std::make_unique<annotate::LiveHome>(std::move(*snapshots), std::move(viewer));
    } else if (name == "noop") {
        const char* starts = std::getenv("SIGHTLINE_NOOP_STARTS");  // bench/jobs
        s.stage = std::make_unique<noop::NoopStage>(starts ? starts : "");
        s.options.slots = noop_slots;
    } else {
        return Error{Errc::invalid_argument, "there is no stage '" + name + "'",
                     "the stages are ingest, preprocess, detect, annotate, alert and noop"};
    }
    return s;
}

}  // namespace sl::program
