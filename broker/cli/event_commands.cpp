// watch, logs, alerts
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/events.hpp"
#include "broker/cli/follow.hpp"
#include "broker/cli/interrupt.hpp"
#include "broker/cli/job_text.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::string event_line(const json& e) {
    const json body = e.value("body", json::object());
    const std::string kind = e.value("kind", "");
    std::string text = kind == "alert" ? alert_line(body) : kind + "  " + e.value("job", "");
    if (kind.starts_with("worker."))
        text = fmt::format("{}  {} ({} on {})", kind, body.value("worker", ""), body.value("stage", ""),
                           body.value("host", ""));
    if (kind.starts_with("camera.")) {
        text = kind + "  " + body.value("camera", "");
        if (const auto error = body.value("error", ""); !error.empty())
            text += ": " + error + " " + body.value("message", "");
    }
    if (kind == "job.progress")
        text += fmt::format("  {}/{} frames", body.value("frames_done", std::int64_t{0}),
                            body.value("frames_total", std::int64_t{0}));
    if (kind == "job.strike" || kind == "job.dead")
        text +=
            fmt::format("  {} {} at {}: {}", body.value("unit", "chunk"), body.value("seq", std::int64_t{0}),
                        body.value("stage", ""), body.value("cause", ""));
    if (kind == "job.failed") {
        const json error = body.value("error", json::object());
        text += fmt::format("  {}: {}", error.value("code", ""), error.value("message", ""));
    }
    return time_text(e.value("time_ns", std::int64_t{0})) + "  " + text;
}

struct Stream {
    std::vector<std::string> topics;
    std::string job = {};    // only of this job
    std::string since = {};  // begin after this id ("all": with everything kept)
    bool live = true;        // go on until interrupted
    std::int64_t count = 0;  // end after so many; 0: never
};

int stream(Context& c, const Stream& what) {
    auto client = c.client();
    if (!client) return c.fail(client.error());
    catch_interrupts();
    Events events(**client, what.topics);
    if (what.live)
        if (auto ok = events.start(milliseconds(static_cast<std::int64_t>(c.timeout_s * 1000))); !ok)
            return c.fail(ok.error());
    if (!what.since.empty())
        if (auto ok = events.replay(what.since == "all" ? "" : what.since); !ok) return c.fail(ok.error());
    if (what.live && !c.json) std::cerr << "subscribed; Ctrl-C ends it" << std::endl;
    for (std::int64_t shown = 0; what.count == 0 || shown < what.count;) {
        auto event = events.next(milliseconds(what.live ? 1000 : 0));
        if (!event) return c.fail(event.error());
        if (interrupted()) return exit_interrupted;
        if (!*event && !what.live) break;
        if (!*event) continue;
        const json& e = **event;
        if (!what.job.empty() && e.value("job", e.value("body", json::object()).value("job", "")) != what.job)
            continue;
        if (c.json)
            c.print_line(e);
        else
            std::cout << event_line(e) << std::endl;
        ++shown;
    }
    return exit_ok;
}

}  // namespace

void add_watch(CLI::App& app, Context& c) {
    struct Options {
        std::string job;
        double limit_s = 0;
    };
    auto o = std::make_shared<Options>();
    auto* cmd =
        app.add_subcommand("watch", "follow a job with its alerts to its end, or everything there is");
    cmd->add_option("job", o->job, "its id; none: events of all jobs, alerts and workers");
    cmd->add_option("--limit", o->limit_s, "give up after so many seconds (exit 7)");
    cmd->footer("Examples:\n  sightline watch\n  sightline watch 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --json");
    cmd->callback([&c, o] {
        if (o->job.empty())
            return void(c.exit_code = stream(c, {.topics = {"job.", "alert.", "pool.", "broker."}}));
        Follow what{.job = o->job};
        if (o->limit_s > 0) what.limit_s = o->limit_s;
        c.exit_code = follow(c, what);
    });
}

void add_logs(CLI::App& app, Context& c) {
    struct Options {
        std::string job, since = "all";
        bool follow = false;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = app.add_subcommand("logs", "print the events that the broker kept: of one job, or of all");
    cmd->add_option("job", o->job, "its id");
    cmd->add_option("--since", o->since, "only after the event with this id");
    cmd->add_flag("-f,--follow", o->follow, "go on with new ones");
    cmd->footer("Examples:\n  sightline logs\n  sightline logs 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --json");
    cmd->callback([&c, o] {
        std::vector<std::string> topics{"job.", "alert.", "pool.", "broker."};
        if (!o->job.empty()) topics = {"job." + o->job + ".", "alert."};
        c.exit_code = stream(c, {.topics = topics, .job = o->job, .since = o->since, .live = o->follow});
    });
}

void add_alerts(CLI::App& app, Context& c) {
    struct Options {
        std::string job, stream, since;
        bool list = false, follow = false;
        std::int64_t count = 0;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = app.add_subcommand("alerts", "print alerts as they arrive; dead letters");
    cmd->add_option("--stream", o->stream, "only of streams whose name begins so");
    cmd->add_option("--job", o->job, "only of this job");
    cmd->add_option("--since", o->since, "begin after the event with this id; `all`: with everything kept");
    auto* list = cmd->add_flag("--list", o->list, "print those that were kept, and end");
    cmd->add_flag("-f,--follow", o->follow,
                  "go on with new ones: what it does anyway, unless --list is given")
        ->excludes(list);
    cmd->add_option("--count", o->count, "end after so many");
    cmd->footer(
        "Examples:\n  sightline alerts --follow\n"
        "  sightline alerts --list --job 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --json\n"
        "  sightline alerts dead");
    add_dead_letters(*cmd, c);
    cmd->callback([&c, o, cmd] {
        if (!cmd->get_subcommands().empty()) return;  // dead, retry: they did it
        const std::string since = o->since.empty() && o->list ? "all" : o->since;
        c.exit_code = stream(c, {.topics = {"alert." + o->stream},
                                 .job = o->job,
                                 .since = since,
                                 .live = !o->list,
                                 .count = o->count});
    });
}

}  // namespace sl::cli
