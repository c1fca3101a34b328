// The command line: every command that only speaks the client protocol (PROTOCOL.md section 3), reads local
// files, or starts and stops the fleet of this machine. broker/main.cpp adds those that are the fleet.
//
//   CLI::App app;
//   sl::cli::Context context;
//   sl::cli::add_global_options(app, context);   // first
//   sl::cli::add_client_commands(app, context);
//   sl::cli::add_fleet_commands(app, context);
//   … more commands, whose callbacks set context.exit_code …
//   return sl::cli::run(app, context, argc, argv);
#pragma once

#include <CLI/CLI.hpp>

#include "broker/cli/context.hpp"

namespace sl::cli {

// --config, --broker, --keys, --insecure, --option, --json, --timeout: before or after the command's name.
void add_global_options(CLI::App& app, Context& context);

// submit, jobs, job, watch, logs, cancel, retry, artifacts, alerts, pools, health, pipelines, presets,
// models, config, doctor, keys
void add_client_commands(CLI::App& app, Context& context);

// up, down, status, scale, supervise
void add_fleet_commands(CLI::App& app, Context& context);

// Parses, runs the command's callback, returns the exit status (exit_code.hpp). Nothing escapes it.
int run(CLI::App& app, Context& context, int argc, char** argv);

}  // namespace sl::cli
