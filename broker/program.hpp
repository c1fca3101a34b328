// The parts of the program that link broker and stages together: shared by `broker`, `worker` and `run`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "broker/broker.hpp"
#include "broker/cli/context.hpp"
#include "common/pipeline.hpp"
#include "common/worker/worker.hpp"
#include "workers/alert/sink.hpp"
#include "workers/annotate/live_home.hpp"

namespace sl::program {

// Pipelines, presets and model manifests, loaded and checked.
struct Catalog {
    pipeline::Catalog pipelines;
    std::vector<model::Manifest> manifests;
    std::string default_model;

    broker::Catalogue for_broker() const;  // refers to this object
};
Result<std::shared_ptr<Catalog>> load_catalog(const config::Config& config);

struct StageSetup {
    std::unique_ptr<worker::Stage> stage;
    worker::Options options;
};
// A stage ready to run: a detector opened and warmed up, alert targets opened. `name`: a stage, or "live/"
// and a stage. `model`: of detect. `viewer`: of live/annotate.
Result<StageSetup> make_stage(const std::string& name, const config::Config& config, const Catalog& catalog,
                              const std::string& model, annotate::LiveHome::Viewer viewer = {});

// alerts.targets, as the alert stage and as the broker see them.
std::vector<alert::Target> alert_targets(const config::Config& config);
std::unique_ptr<alert::SinkHost> sink_host(const config::Config& config);
broker::OutboxOptions outbox_options(const config::Config& config);

void add_broker(CLI::App& app, cli::Context& context);
void add_worker(CLI::App& app, cli::Context& context);
void add_run(CLI::App& app, cli::Context& context);
void add_replay(CLI::App& app, cli::Context& context);
void add_sink_test(CLI::App& app, cli::Context& context);    // a subcommand of `sinks`
void add_camera_test(CLI::App& app, cli::Context& context);  // a subcommand of `cameras`
void add_live(CLI::App& app, cli::Context& context);

}  // namespace sl::program
