// config show, doctor
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/process.hpp"
#include "common/bus/security.hpp"
#include "common/model/manifest.hpp"
#include "common/pipeline.hpp"
#include "common/yaml.hpp"

namespace sl::cli {

void add_config(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("config", "the configuration");
    cmd->require_subcommand(1);
    auto* show =
        cmd->add_subcommand("show", "print what is in force, with every default, as a file that can be used");
    show->footer("Example:\n  sightline config show --option limits.queued_jobs=100 > sightline.yaml");
    show->callback([&c] {
        const auto config = c.load_client_config();
        if (!config) return void(c.exit_code = c.fail(config.error()));
        if (c.json) return void(c.print(config::to_json(*config)));
        std::cout << "# from " << (config->file.empty() ? "built-in defaults" : config->file) << '\n'
                  << yaml::from_json(config::to_json(*config));
    });
}

namespace {

struct Finding {
    std::string name;
    bool ok = false;
    std::string detail;
    bool warning = false;  // it works, but somebody should know
};
using Findings = std::vector<Finding>;

std::string why(const Error& error) {
    return error.text();
}

void check_security(const config::Config& config, Findings& out) {
    const auto security = bus::Security::open(config.security.keys, config.security.insecure);
    if (!security) return out.push_back({"security", false, why(security.error())});
    if (security->keys)
        return out.push_back(
            {"security", true,
             security->keys->file + (security->keys->of_fleet()
                                         ? ", for a host of the fleet"
                                         : ", for a client: no broker or worker can use it")});
    if (!security->insecure)
        return out.push_back({"security", true, "no keys: brokers and workers listen for this host alone"});
    out.push_back(
        {"security", true,
         "INSECURE: no keys, and security.insecure is set: whoever reaches a broker or worker may use "
         "it, be a worker and read everything; `sightline keys new DIR` makes keys",
         true});
}

void check_files(const config::Config& config, Findings& out) {
    const auto catalog = pipeline::load();
    out.push_back(
        {"data", static_cast<bool>(catalog), catalog ? pipeline::data_dir() : why(catalog.error())});
    for (const auto& [name, folder] : config.roots) {
        const bool there = std::filesystem::is_directory(folder);
        const bool writable = access(folder.c_str(), W_OK) == 0;
        out.push_back(
            {"root " + name, there && (writable || name != config.output.root),
             folder + (!there                                    ? " is not there: mount or create it"
                       : !writable && name == config.output.root ? " is not writable, but results go there"
                                                                 : "")});
    }
    if (config.roots.empty())
        out.push_back({"roots", false,
                       "none configured: no file can be submitted; see roots: in compose/sightline.yaml"});
    const std::string dir =
        config.models.manifests.empty() ? pipeline::data_dir() + "/models" : config.models.manifests;
    const auto manifests = model::load_manifests(dir);
    if (!manifests) return out.push_back({"models", false, why(manifests.error())});
    const std::string wanted = config::default_model(config);
    for (const auto& m : *manifests) {
        if (m.name != wanted) continue;
        const auto file = m.file.empty() ? Result<std::string>("needs no weights")
                                         : model::find_model_file(m, config::model_dirs(config));
        return out.push_back({"model " + m.name, static_cast<bool>(file), file ? *file : why(file.error())});
    }
    out.push_back({"model " + wanted, false, "no manifest in " + dir + " describes it"});
}

void check_broker(Context& c, const config::Config& config, Findings& out) {
    const auto ping = c.request({{"type", "ping"}});
    if (!ping) return out.push_back({"broker", false, why(ping.error())});
    out.push_back({"broker", true,
                   fmt::format("{}, version {}, fleet {}", config.broker.endpoint,
                               ping->value("version", "?"), ping->value("fleet", "?"))});
    const auto health = c.request({{"type", "health"}});
    if (!health) return out.push_back({"health", false, why(health.error())});
    for (const auto& part : health->value("parts", nlohmann::json::array()))
        out.push_back({"fleet " + part.value("name", ""), part.value("ok", false), part.value("detail", "")});
}

void doctor(Context& c, bool offline) {
    const auto config = c.load_client_config();
    if (!config) return void(c.exit_code = c.fail(config.error()));
    Findings findings{{"configuration", true, config->file.empty() ? "built-in defaults" : config->file}};
    check_security(*config, findings);
    check_files(*config, findings);
    for (const char* program : {"redis-server", "postgres", "initdb"}) {
        const std::string path = find_program(program);
        findings.push_back(
            {program, !path.empty(), path.empty() ? "not installed; `sightline up` needs it" : path});
    }
    if (!offline) check_broker(c, *config, findings);
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Finding& f : findings) {
        list.push_back({{"name", f.name}, {"ok", f.ok}, {"warning", f.warning}, {"detail", f.detail}});
        if (!f.ok) c.exit_code = exit_job_failed;
        if (!c.json)
            std::cout << fmt::format("{}  {:<20} {}\n",
                                     !f.ok       ? "FAIL"
                                     : f.warning ? "WARN"
                                                 : "ok  ",
                                     f.name, f.detail);
    }
    if (c.json) c.print({{"ok", c.exit_code == exit_ok}, {"checks", list}});
}

}  // namespace

void add_doctor(CLI::App& app, Context& c) {
    auto offline = std::make_shared<bool>(false);
    auto* cmd = app.add_subcommand("doctor", "check configuration, files and fleet, and say what to do");
    cmd->add_flag("--offline", *offline, "do not ask the broker");
    cmd->footer("Exit status 1 when a check failed.\nExample:\n  sightline doctor --offline");
    cmd->callback([&c, offline] { doctor(c, *offline); });
}

}  // namespace sl::cli
