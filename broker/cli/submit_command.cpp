#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/follow.hpp"
#include "broker/cli/location.hpp"
#include "common/ids.hpp"
#include "common/yaml.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;

struct Submit {
    std::vector<std::string> files, set, tags;
    std::string pipeline = "annotate", preset = "default", rules, output, key, tenant;
    int priority = 0;
    bool wait = false, watch = false;
    double limit_s = 0;
};

std::pair<std::string, std::string> halves(const std::string& text) {
    const auto equals = std::min(text.find('='), text.size());
    return {text.substr(0, equals), equals < text.size() ? text.substr(equals + 1) : ""};
}

// "0.4" is a number, "[a, b]" a list, anything that is no JSON a text.
json value_of(const std::string& text) {
    json value = json::parse(text, nullptr, false);
    return value.is_discarded() ? json(text) : value;
}

Result<json> request_of(const Submit& o, const config::Config& config) {
    json inputs = json::array();
    for (const std::string& file : o.files) {
        const auto input = locate(config, file);
        if (!input) return input.error();
        inputs.push_back({{"root", input->root}, {"path", input->path}});
    }
    json params = json::object();
    for (const std::string& item : o.set) params[halves(item).first] = value_of(halves(item).second);
    if (!o.rules.empty()) {
        auto rules = yaml::load(o.rules);
        if (!rules) return rules.error();
        params["rules"] = json(yaml::to_json((*rules)["rules"] ? (*rules)["rules"] : *rules));
    }
    json tags = json::object();
    for (const std::string& item : o.tags) tags[halves(item).first] = halves(item).second;
    json ask{{"type", "submit"},
             {"key", o.key.empty() ? make_ulid() : o.key},
             {"inputs", inputs},
             {"pipeline", o.pipeline},
             {"preset", o.preset},
             {"params", params},
             {"priority", o.priority},
             {"tenant", o.tenant},
             {"tags", tags}};
    if (!o.output.empty()) {
        const auto output = locate(config, o.output, true);
        if (!output) return output.error();
        ask["output"] = {{"root", output->root}, {"path", output->path}};
    }
    return ask;
}

int submit(Context& c, const Submit& o) {
    const auto config = c.load_client_config();
    if (!config) return c.fail(config.error());
    const auto ask = request_of(o, *config);
    if (!ask) return c.fail(ask.error());
    const auto before = c.request({{"type", "ping"}});  // events after this are the job's whole story
    if (!before) return c.fail(before.error());
    const auto reply = c.request(*ask);
    if (!reply) return c.fail(reply.error());
    const std::string job = reply->value("job", "");
    if (c.json && !o.wait && !o.watch)
        return c.print({{"job", job},
                        {"state", reply->value("state", "")},
                        {"queue_position", reply->value("queue_position", 0)}});
    if (c.json)
        c.print_line({{"kind", "submitted"}, {"job", job}});
    else
        std::cout << "job " << job << " " << reply->value("state", "") << std::endl;
    if (!o.wait && !o.watch) return exit_ok;
    Follow what{.job = job, .since = before->value("events_last", ""), .alerts = o.watch};
    if (o.limit_s > 0) what.limit_s = o.limit_s;
    return follow(c, what);
}

}  // namespace

void add_submit(CLI::App& app, Context& c) {
    auto o = std::make_shared<Submit>();
    auto* cmd = app.add_subcommand("submit", "give the fleet a job: annotate files or folders");
    cmd->add_option("file", o->files, "videos, folders, or ROOT:PATH")->required();
    cmd->add_option("--preset", o->preset, "one of `sightline presets`")->capture_default_str();
    cmd->add_option("--pipeline", o->pipeline, "one of `sightline pipelines`")->capture_default_str();
    cmd->add_option("--set", o->set, "a parameter over the preset's: NAME=VALUE (repeatable)")
        ->allow_extra_args(false);
    cmd->add_option("--rules", o->rules, "YAML file with alert rules");
    cmd->add_option("--tag", o->tags, "KEY=VALUE or KEY, for `jobs --tag` (repeatable)")
        ->allow_extra_args(false);
    cmd->add_option("--output", o->output, "folder for the results, below a root");
    cmd->add_option("--priority", o->priority, "-100 to 100, higher first")->check(CLI::Range(-100, 100));
    cmd->add_option("--tenant", o->tenant, "whose job it is");
    cmd->add_option("--key", o->key, "your own id of this request: repeated, it is the same job");
    cmd->add_flag("--wait", o->wait, "wait for the end; the exit status is the job's");
    cmd->add_flag("--watch", o->watch, "the same, and print alerts as they arrive");
    cmd->add_option("--limit", o->limit_s, "with --wait, --watch: give up after so many seconds (exit 7)");
    cmd->footer(
        "Examples:\n"
        "  sightline submit clip.mp4 --watch\n"
        "  sightline submit *.mp4 --preset people --set detect.confidence=0.4 --tag site=north\n"
        "  sightline submit media:2024/cam1 --set model=none --set exporters=video --wait --json");
    cmd->callback([&c, o] { c.exit_code = submit(c, *o); });
}

}  // namespace sl::cli
