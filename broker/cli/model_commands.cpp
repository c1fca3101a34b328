// models list, models pull
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/interrupt.hpp"
#include "common/model/fetch.hpp"
#include "common/pipeline.hpp"
#include "common/spelling.hpp"

namespace sl::cli {
namespace {

Result<std::vector<model::Manifest>> manifests(const config::Config& config) {
    return model::load_manifests(config.models.manifests.empty() ? pipeline::data_dir() + "/models"
                                                                 : config.models.manifests);
}

void list(Context& c) {
    const auto config = c.load_client_config();
    if (!config) return void(c.exit_code = c.fail(config.error()));
    const auto all = manifests(*config);
    if (!all) return void(c.exit_code = c.fail(all.error()));
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const auto& m : *all) {
        // A wrong checksum is told, not passed over.
        const auto file =
            m.file.empty() ? Result<std::string>("") : model::find_model_file(m, config::model_dirs(*config));
        const std::string state = m.file.empty() ? "needs no weights"
                                  : file         ? *file
                                  : file.error().code == Errc::not_found
                                      ? "not here: sightline models pull " + m.name
                                      : file.error().message;
        const bool chosen = m.name == config::default_model(*config);
        out.push_back({{"model", m.name},
                       {"version", m.version},
                       {"pool", m.pool()},
                       {"licence", m.licence},
                       {"default", chosen},
                       {"usable", static_cast<bool>(file)},
                       {"file", file ? *file : ""},
                       {"detail", state}});
        if (!c.json)
            std::cout << fmt::format("{}{:<16} {:<14} {}\n", chosen ? "* " : "  ", m.name + "@" + m.version,
                                     m.licence, state);
    }
    if (c.json) c.print({{"models", out}});
}

void pull(Context& c, const std::string& name, std::string dir) {
    const auto config = c.load_client_config();
    if (!config) return void(c.exit_code = c.fail(config.error()));
    const auto all = manifests(*config);
    if (!all) return void(c.exit_code = c.fail(all.error()));
    std::vector<std::string> names;
    for (const auto& m : *all) {
        names.push_back(m.name);
        if (name != m.name && name != m.name + "@" + m.version) continue;
        if (dir.empty())
            dir = config->models.dirs.empty() ? ".sightline/models" : config->models.dirs.front();
        auto path = model::find_model_file(m, {dir});
        if (!path && path.error().code == Errc::not_found) {
            catch_interrupts();
            model::FetchOptions options;
            options.progress = [](std::int64_t, std::int64_t) { return !interrupted(); };
            std::cerr << "fetching " << m.file << " into " << dir << std::endl;
            path = model::fetch_model(m, dir, options);
            if (interrupted()) path = interrupted_error();
        }
        if (!path) return void(c.exit_code = c.fail(path.error()));
        if (c.json)
            c.print({{"model", m.name}, {"file", *path}, {"licence", m.licence}});
        else
            std::cout << fmt::format("{} is there, licence {}\n", *path, m.licence);
        return;
    }
    c.exit_code = c.fail(
        Error{Errc::not_found, "no manifest describes a model '" + name + "'", did_you_mean(name, names)});
}

}  // namespace

void add_models(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("models", "list models, or fetch one");
    cmd->require_subcommand(1);
    cmd->footer("Examples:\n  sightline models list\n  sightline models pull yolox_nano");
    auto* lister = cmd->add_subcommand("list", "models with a manifest, and whether their file is here");
    lister->callback([&c] { list(c); });
    struct Options {
        std::string name, dir;
    };
    auto o = std::make_shared<Options>();
    auto* puller =
        cmd->add_subcommand("pull", "fetch a model's file from where its manifest says, and verify it");
    puller->add_option("model", o->name, "its name")->required();
    puller->add_option("--dir", o->dir, "folder to put it in (else the first of models.dirs)");
    puller->callback([&c, o] { pull(c, o->name, o->dir); });
}

}  // namespace sl::cli
