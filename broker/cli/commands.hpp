// One function a command: each adds a subcommand whose callback parses, calls and prints. See cli.hpp.
#pragma once

#include <CLI/CLI.hpp>

#include "broker/cli/context.hpp"

namespace sl::cli {

void add_submit(CLI::App& app, Context& context);
void add_jobs(CLI::App& app, Context& context);
void add_job(CLI::App& app, Context& context);
void add_watch(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
void add_cancel(CLI::App& app, Context& context);
void add_retry(CLI::App& app, Context& context);
void add_artifacts(CLI::App& app, Context& context);
void add_alerts(CLI::App& app, Context& context);
void add_dead_letters(CLI::App& alerts, Context& context);  // subcommands of `alerts`
void add_sinks(CLI::App& app, Context& context);
void add_cameras(CLI::App& app, Context& context);
void add_zones(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_pools(CLI::App& app, Context& context);
void add_health(CLI::App& app, Context& context);
void add_pipelines(CLI::App& app, Context& context);
void add_presets(CLI::App& app, Context& context);
void add_models(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_keys(CLI::App& app, Context& context);

void add_up(CLI::App& app, Context& context);
void add_down(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_supervise(CLI::App& app, Context& context);
void add_scale(CLI::App& app, Context& context);

}  // namespace sl::cli
