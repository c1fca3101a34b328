// sinks list; alerts dead, alerts retry (subcommands of `alerts`, which event_commands adds)
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/job_text.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;

int list_sinks(Context& c) {
    const auto reply = c.request({{"type", "sinks"}});
    if (!reply) return c.fail(reply.error());
    const json targets = reply->value("targets", json::array());
    if (c.json) return c.print({{"targets", targets}});
    if (targets.empty()) std::cout << "no targets are configured (alerts.targets)" << std::endl;
    for (const json& t : targets) {
        const auto n = [&](const char* key) { return t.value(key, std::int64_t{0}); };
        std::cout << fmt::format(
            "{:16} {:12} {:9} waiting {}  sent {}  filtered {}  limited {}  retried {}  dead {}\n",
            t.value("target", ""), t.value("sink", ""), t.value("state", ""), n("waiting"), n("sent"),
            n("filtered"), n("limited"), n("retried"), n("dead"));
        if (n("oldest_ns") > 0) std::cout << "    the oldest since " << time_text(n("oldest_ns")) << "\n";
        if (const std::string error = t.value("last_error", ""); !error.empty())
            std::cout << "    " << error << "\n";
    }
    std::cout << std::flush;
    return exit_ok;
}

int list_dead(Context& c, const std::string& target, std::int64_t limit) {
    const auto reply = c.request({{"type", "alerts_dead"}, {"target", target}, {"limit", limit}});
    if (!reply) return c.fail(reply.error());
    const json dead = reply->value("dead", json::array());
    if (c.json) return c.print({{"dead", dead}});
    if (dead.empty()) std::cout << "no dead letters" << std::endl;
    for (const json& letter : dead)
        std::cout << fmt::format(
            "{}  {:16} {}  after {} attempts{}\n    {}\n",
            time_text(letter.value("time_ns", std::int64_t{0})), letter.value("target", ""),
            letter.value("key", ""), letter.value("attempts", std::int64_t{0}),
            letter.value("again", false) ? ", being sent again" : "", letter.value("error", ""));
    std::cout << std::flush;
    return exit_ok;
}

int retry(Context& c, const std::string& target, const std::string& key) {
    const auto reply = c.request({{"type", "alerts_retry"}, {"target", target}, {"key", key}});
    if (!reply) return c.fail(reply.error());
    const auto n = reply->value("retried", std::int64_t{0});
    if (c.json) return c.print({{"target", target}, {"retried", n}});
    std::cout << fmt::format("{} alert{} sent to {} again", n, n == 1 ? " is" : "s are", target) << std::endl;
    return exit_ok;
}

}  // namespace

void add_dead_letters(CLI::App& alerts, Context& c) {
    struct Options {
        std::string target, key;
        std::int64_t limit = 100;
    };
    auto o = std::make_shared<Options>();
    auto* dead = alerts.add_subcommand("dead", "list alerts that their target never got, the last first");
    dead->add_option("target", o->target, "only of this one");
    dead->add_option("--limit", o->limit, "so many at most")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    dead->footer("Example:\n  sightline alerts dead webhook");
    dead->callback([&c, o] { c.exit_code = list_dead(c, o->target, o->limit); });
    auto* again = alerts.add_subcommand("retry", "send dead letters of a target again");
    again->add_option("target", o->target, "whose")->required();
    again->add_option("key", o->key, "one of them; none: all");
    again->footer("Example:\n  sightline alerts retry webhook");
    again->callback([&c, o] { c.exit_code = retry(c, o->target, o->key); });
}

void add_sinks(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("sinks", "targets of alerts: how they do, and whether one can be reached");
    cmd->require_subcommand(1);
    auto* list = cmd->add_subcommand("list", "each target, what it got and what waits for it");
    list->footer("Example:\n  sightline sinks list");
    list->callback([&c] { c.exit_code = list_sinks(c); });
}

}  // namespace sl::cli
