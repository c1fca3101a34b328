// pipelines, presets
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "common/pipeline.hpp"
#include "common/spelling.hpp"

namespace sl::cli {
namespace {

using Json = nlohmann::ordered_json;

// What the broker offers; with --local, what this installation has.
Result<Json> catalog(Context& c, const char* what, bool local) {
    if (!local) {
        const auto reply = c.request({{"type", what}});
        if (!reply) return reply.error();
        return Json(reply->value(what, nlohmann::json::array()));
    }
    const auto loaded = pipeline::load();
    if (!loaded) return loaded.error();
    Json out = Json::array();
    if (what == std::string_view("presets"))
        for (const auto& preset : loaded->presets) out.push_back(pipeline::to_json(preset));
    else
        for (const auto& line : loaded->pipelines) out.push_back(pipeline::to_json(line));
    return out;
}

std::string bounds(const Json& param) {
    if (param.contains("choices") && !param["choices"].empty())
        return join(param["choices"].get<std::vector<std::string>>(), " | ");
    if (param.contains("min") && param.contains("max"))
        return param["min"].dump() + " to " + param["max"].dump();
    return "";
}

void add(CLI::App& app, Context& c, const char* what, const char* help, const char* examples,
         void (*print)(const Json&)) {
    auto local = std::make_shared<bool>(false);
    auto* cmd = app.add_subcommand(what, help);
    cmd->add_flag("--local", *local, "those of this installation, without asking the broker");
    cmd->footer(examples);
    cmd->callback([&c, what, local, print] {
        const auto list = catalog(c, what, *local);
        if (!list) return void(c.exit_code = c.fail(list.error()));
        if (c.json) return void(c.print({{what, *list}}));
        for (const Json& item : *list) print(item);
    });
}

}  // namespace

void add_pipelines(CLI::App& app, Context& c) {
    add(app, c, "pipelines", "list pipelines and their parameters", "Example:\n  sightline pipelines --local",
        [](const Json& line) {
            std::cout << fmt::format("{}  {} (version {})\n", line.value("key", ""), line.value("label", ""),
                                     line.value("version", ""));
            for (const Json& p : line.value("params", Json::array())) {
                const std::string stage = p.value("stage", "");
                const std::string limits = bounds(p);
                std::cout << fmt::format("  {:<22} {:<8} default {}{}\n      {}\n",
                                         (stage.empty() ? "" : stage + ".") + p.value("name", ""),
                                         p.value("type", ""), p.value("default", Json()).dump(),
                                         limits.empty() ? "" : "  (" + limits + ")", p.value("help", ""));
            }
        });
}

void add_presets(CLI::App& app, Context& c) {
    add(app, c, "presets", "list presets", "Example:\n  sightline presets --json", [](const Json& preset) {
        std::cout << fmt::format("{:<12} {} (pipeline {}, version {})\n", preset.value("name", ""),
                                 preset.value("help", ""), preset.value("pipeline", ""),
                                 preset.value("version", ""));
        const Json params = preset.value("params", Json::object());
        for (const auto& [name, value] : params.items())
            std::cout << fmt::format("  {} = {}\n", name, value.dump());
    });
}

}  // namespace sl::cli
