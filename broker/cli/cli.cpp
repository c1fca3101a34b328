#include "broker/cli/cli.hpp"

#include <iostream>

#include "broker/cli/commands.hpp"

namespace sl::cli {

void add_global_options(CLI::App& app, Context& c) {
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option(
        "--config", c.config_file,
        "configuration file (else $SIGHTLINE_CONFIG, ./sightline.yaml, /etc/sightline/sightline.yaml)");
    app.add_option("--broker", c.broker, "the broker's jobs socket, tcp://HOST:PORT or ipc:///PATH");
    app.add_option("--keys", c.keys, "key file of this host or client, for a fleet that has keys");
    app.add_flag("--insecure", c.insecure, "let brokers and workers listen for other hosts without keys");
    app.add_option("--option", c.settings, "one value of the configuration: SECTION.KEY=VALUE (repeatable)")
        ->allow_extra_args(false)
        ->check([](const std::string& text) {
            return text.find('=') == std::string::npos ? "write SECTION.KEY=VALUE" : "";
        });
    app.add_flag("--json", c.json, "machine-readable output on stdout");
    app.add_option("--timeout", c.timeout_s, "seconds to wait for the broker's answer to one request")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.footer(
        "Exit status: 0 ok, 1 job failed, 2 usage, parameter or configuration, 3 not found, 4 broker or "
        "server\n"
        "unavailable, 5 conflict, 6 canceled, 7 timeout, 8 bad media, 70 internal, 130 interrupted.\n"
        "`sightline COMMAND --help` has examples.");
}

void add_client_commands(CLI::App& app, Context& c) {
    for (const auto add :
         {add_submit,    add_jobs,      add_job,     add_watch,   add_logs,   add_cancel,  add_retry,
          add_artifacts, add_alerts,    add_sinks,   add_cameras, add_zones,  add_explain, add_pools,
          add_health,    add_pipelines, add_presets, add_models,  add_config, add_doctor,  add_keys})
        add(app, c);
}

void add_fleet_commands(CLI::App& app, Context& c) {
    for (const auto add : {add_up, add_down, add_status, add_scale, add_supervise}) add(app, c);
}

int run(CLI::App& app, Context& c, int argc, char** argv) {
    try {
        app.parse(argc, argv);
        return c.exit_code;
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? exit_ok : exit_usage;
    } catch (const std::exception& e) {
        return c.fail(Error{Errc::internal, std::string("the command ended by an exception: ") + e.what(),
                            "this is a bug: please report it with the command line"});
    }
}

}  // namespace sl::cli
