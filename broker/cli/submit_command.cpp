#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/follow.hpp"
#include "broker/cli/location.hpp"
#include "broker/cli/params.hpp"
#include "common/ids.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;

struct Submit {
    std::vector<std::string> files, tags;
    JobParams params;
    std::string output, key, tenant;
    int priority = 0;
    bool wait = false, watch = false;
    double limit_s = 0;
};

Result<json> request_of(const Submit& o, const config::Config& config) {
    json inputs = json::array();
    for (const std::string& file : o.files) {
        const auto input = locate(config, file);
        if (!input) return input.error();
        inputs.push_back({{"root", input->root}, {"path", input->path}});
    }
    auto params = o.params.to_json();
    if (!params) return params.error();
    json tags = json::object();
    for (const std::string& item : o.tags) tags[halves(item).first] = halves(item).second;
    json ask{{"type", "submit"},
             {"key", o.key.empty() ? make_ulid() : o.key},
             {"inputs", inputs},
             {"pipeline", o.params.pipeline},
             {"preset", o.params.preset},
             {"params", *params},
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

// With a key that was used before the broker shows the job of then, whatever is asked for now.
void say_if_old(Context& c, const Submit& o, const std::string& job, const std::string& since) {
    if (o.key.empty() || since.empty()) return;
    const auto reply =
        c.request({{"type", "log"}, {"topics", {"job." + job + ".state"}}, {"since", since}, {"limit", 1}});
    if (reply && reply->value("entries", json::array()).empty())
        std::cerr << "note: the key '" << o.key
                  << "' was used before; this is the job of then, with its inputs and "
                  << "parameters. Another key submits a new one.\n";
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
    say_if_old(c, o, job, before->value("events_last", ""));
    if (c.json && !o.wait && !o.watch) {
        nlohmann::ordered_json out{{"job", job},
                                   {"state", reply->value("state", "")},
                                   {"queue_position", reply->value("queue_position", 0)}};
        if (reply->contains("predicted_start_s")) out["predicted_start_s"] = (*reply)["predicted_start_s"];
        return c.print(out);
    }
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
    o->params.add_to(*cmd);
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
