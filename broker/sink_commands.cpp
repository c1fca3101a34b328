// `sightline sinks test`: a marked alert through a target's sink, from this very process.
#include <spdlog/fmt/fmt.h>

#include <csignal>
#include <iostream>

#include "broker/program.hpp"
#include "common/ids.hpp"
#include "common/spelling.hpp"

namespace sl::program {
namespace {

// An incident that says that it is none.
schema::Alert test_alert(const std::string& id, const std::string& kind) {
    schema::Alert a;
    a.alert = id;
    a.stream = a.camera = "test";
    a.rule = "test";
    a.class_name = "person";
    a.kind = kind;
    a.box = {64, 64, 64, 128, 1, 0, 0};
    a.capture_ns = a.decided_ns = now_ns();
    a.trace = {"a test by `sightline sinks test`: nothing was seen"};
    return a;
}

int test_sink(cli::Context& c, const std::string& name) {
    auto config = c.load_client_config();
    if (!config) return c.fail(config.error());
    std::vector<std::string> names;
    for (const auto& target : alert_targets(*config)) {
        names.push_back(target.name);
        if (target.name != name) continue;
        std::signal(SIGPIPE, SIG_IGN);
        const auto host = sink_host(*config);
        auto sink = alert::open_sink(target, *host);
        if (!sink) return c.fail(sink.error());
        const std::string id = fmt::format("test-{:016x}", random_u64());
        const auto begin = Clock::now();
        for (const char* kind : {"new", "end"})
            if (auto sent = (*sink)->send(test_alert(id, kind)); !sent) return c.fail(sent.error());
        const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
        if (c.json) return c.print({{"target", name}, {"sink", target.sink}, {"alert", id}, {"ms", ms}});
        std::cout << fmt::format("{} ({}) took the test alert {}, its beginning and its end, in {:.0f} ms",
                                 name, target.sink, id, ms)
                  << std::endl;
        return cli::exit_ok;
    }
    return c.fail({Errc::not_found, "no target '" + name + "' is configured (alerts.targets)",
                   names.empty() ? "there is none" : did_you_mean(name, names)});
}

}  // namespace

void add_sink_test(CLI::App& app, cli::Context& c) {
    auto name = std::make_shared<std::string>();
    auto* cmd = app.get_subcommand("sinks")->add_subcommand(
        "test", "send a marked alert to a target, from this process, and say what came of it");
    cmd->add_option("target", *name, "its name in alerts.targets")->required();
    cmd->footer("Example:\n  sightline sinks test webhook");
    cmd->callback([&c, name] { c.exit_code = test_sink(c, *name); });
}

}  // namespace sl::program
