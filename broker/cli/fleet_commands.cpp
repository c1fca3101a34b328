// up, down, status
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/fleet.hpp"
#include "broker/cli/interrupt.hpp"

namespace sl::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Up {
    FleetOptions fleet{.state_dir = default_state_dir, .model = "", .workers = {}};
    int ingest = 1, preprocess = 1, detect = 2, annotate = 1, alert = 1;
    bool foreground = false, no_restart = false;
};

// Servers and supervisor, then what the supervisor runs.
Json report_of(const Fleet& fleet) {
    Json list = Json::array();
    for (const Process& p : fleet.processes)
        list.push_back({{"name", p.name}, {"pid", p.pid}, {"alive", alive(p)}, {"log", p.log}});
    for (const auto& p : fleet.supervised())
        list.push_back({{"name", p.value("name", "")},
                        {"pid", p.value("pid", 0)},
                        {"alive", p.value("state", "") == "running"},
                        {"log", p.value("log", "")},
                        {"state", p.value("state", "")},
                        {"restarts", p.value("restarts", 0)},
                        {"last_cause", p.value("last_cause", "")}});
    return {{"state", fleet.state_dir},
            {"broker", fleet.endpoint},
            {"config", fleet.config_file()},
            {"processes", list}};
}

void report_killed(const std::vector<std::string>& killed) {
    for (const std::string& name : killed) std::cerr << name << " did not stop in time and was killed\n";
}

// Stays until interrupted, or until a process of the fleet has ended.
int stay(Context& c, const Fleet& fleet) {
    const Process* gone = nullptr;
    while (!gone && pause(std::chrono::milliseconds(200)))
        for (const Process& p : fleet.processes)
            if (!alive(p)) gone = &p;
    report_killed(stop_fleet(fleet));
    if (!gone) return exit_interrupted;
    return c.fail(Error{Errc::unavailable,
                        gone->name + " ended; its log, " + gone->log + ":\n" + tail(gone->log),
                        "the rest was ended too"});
}

int up(Context& c, Up& o) {
    const auto config = c.load_config();
    if (!config) return c.fail(config.error());
    o.fleet.workers = {{"ingest", o.ingest},
                       {"preprocess", o.preprocess},
                       {"detect", o.detect},
                       {"annotate", o.annotate},
                       {"alert", o.alert}};
    o.fleet.restart = !o.no_restart;
    if (o.fleet.model.empty()) o.fleet.model = config::default_model(*config);
    catch_interrupts();
    const auto fleet = start_fleet(*config, o.fleet);
    if (!fleet) return c.fail(fleet.error());
    const Json running = report_of(*fleet);
    if (c.json)
        c.print_line(running);
    else
        std::cout
            << fmt::format(
                   "fleet ready: {} processes, model {}\n  broker  {}\n  config  {}\n  logs    {}/logs\n",
                   running["processes"].size(), o.fleet.model, fleet->endpoint, fleet->config_file(),
                   fleet->state_dir)
            << std::flush;
    return o.foreground ? stay(c, *fleet) : exit_ok;
}

// Of all cameras together; null: there are none.
Json cameras_of(Context& c) {
    const auto reply = c.request({{"type", "cameras"}});
    if (!reply) return nullptr;
    std::int64_t all = 0, streaming = 0, sampled = 0, still = 0, dropped = 0;
    for (const auto& camera : reply->value("cameras", nlohmann::json::array())) {
        all += camera.value("enabled", false);
        streaming += camera.value("state", "") == "streaming";
        sampled += camera.value("sampled", std::int64_t(0));
        still += camera.value("gated", std::int64_t(0));
        for (const auto& n : camera.value("dropped", nlohmann::json::object()))
            dropped += n.get<std::int64_t>();
    }
    if (all == 0) return nullptr;
    return {{"enabled", all},     {"streaming", streaming},
            {"sampled", sampled}, {"still", still},
            {"dropped", dropped}, {"saving", sampled > 0 ? double(still) / double(sampled) : 0}};
}

int status(Context& c, const std::string& state_dir) {
    const auto fleet = find_fleet(state_dir);
    if (!fleet) return c.fail(fleet.error());
    Json out = report_of(*fleet);
    bool whole = true;
    for (const Json& p : out["processes"]) whole = whole && (p["alive"] || p.value("state", "") == "left");
    c.config_file = fleet->config_file();
    const auto health = c.request({{"type", "health"}});
    const bool ready = whole && health && health->value("ready", false);
    const Json cameras = health ? cameras_of(c) : Json();
    if (c.json) {
        if (!cameras.is_null()) out["cameras"] = cameras;
        out["ready"] = ready;
        if (health) out["parts"] = health->value("parts", nlohmann::json::array());
        c.print(out);
    } else {
        for (const Json& p : out["processes"]) {
            const std::string how =
                p.value("state", p["alive"] ? "running" : "ENDED, see " + p.value("log", ""));
            const int restarts = p.value("restarts", 0);
            const std::string cause = p.value("last_cause", "");
            std::cout << fmt::format("{:<14} {:<8} {}", p.value("name", ""), p.value("pid", 0), how)
                      << (restarts > 0 ? fmt::format(", started again {} {}", restarts,
                                                     restarts == 1 ? "time" : "times")
                                       : "")
                      << (cause.empty() ? "" : "; last: " + cause) << '\n';
        }
        if (!cameras.is_null())
            std::cout << fmt::format(
                "cameras: {} of {} stream; of {} frames {:.0f}% were still, {} dropped\n",
                cameras["streaming"].get<std::int64_t>(), cameras["enabled"].get<std::int64_t>(),
                cameras["sampled"].get<std::int64_t>(), 100 * cameras["saving"].get<double>(),
                cameras["dropped"].get<std::int64_t>());
        if (health)
            for (const auto& part : health->value("parts", nlohmann::json::array()))
                if (!part.value("ok", false))
                    std::cout << fmt::format("not ready: {}  {}\n", part.value("name", ""),
                                             part.value("detail", ""));
        if (!health) std::cout << "not ready: " << health.error().message << '\n';
        std::cout << (ready ? "ready\n" : "not ready\n");
    }
    return ready ? exit_ok : exit_unavailable;
}

CLI::Option* add_state(CLI::App* cmd, std::string& dir) {
    return cmd->add_option("--state", dir, "folder that holds everything of this fleet")
        ->capture_default_str();
}

}  // namespace

void add_up(CLI::App& app, Context& c) {
    auto o = std::make_shared<Up>();
    auto* cmd = app.add_subcommand("up", "start a fleet on this machine: Redis, PostgreSQL, broker, workers");
    add_state(cmd, o->fleet.state_dir);
    const auto number = [&](const char* name, int& value, int least, const char* help) {
        cmd->add_option(name, value, help)->check(CLI::Range(least, 64))->capture_default_str();
    };
    number("--ingest", o->ingest, 0, "processes that read files and cut them into chunks");
    number("--preprocess", o->preprocess, 0, "processes that decode and scale for the model");
    number("--detect", o->detect, 0, "processes that run the model: the usual bottleneck, about one a core");
    number("--annotate", o->annotate, 0, "processes that decide alerts, draw and encode");
    number("--alert", o->alert, 0, "processes that deliver alerts");
    number("--brokers", o->fleet.brokers, 1, "brokers: one leads, the others take over when it ends");
    cmd->add_option("--model", o->fleet.model,
                    "what detect workers serve (else models.default, else what scripts/setup chose)");
    cmd->add_option("--ready", o->fleet.ready_s, "seconds to wait until it is ready")->capture_default_str();
    cmd->add_option("--fsync", o->fleet.fsync,
                    "when Redis writes to the disk: always, or everysec (a power cut may cost two seconds of "
                    "acknowledged work)")
        ->check(CLI::IsMember({"always", "everysec"}))
        ->capture_default_str();
    cmd->add_flag("--no-restart", o->no_restart, "leave a process that ended as it is");
    cmd->add_flag("--foreground", o->foreground, "stay, and end the fleet on Ctrl-C");
    cmd->footer(
        "Without roots in the configuration the current folder is the root `here`, and results go to "
        "STATE/results.\n"
        "A process that ends unasked is started again; `sightline scale` changes how many there are.\n"
        "Examples:\n  sightline up\n  sightline up --detect 4 --state /var/tmp/second\n  sightline up "
        "--foreground");
    cmd->callback([&c, o] { c.exit_code = up(c, *o); });
}

void add_down(CLI::App& app, Context& c) {
    auto dir = std::make_shared<std::string>(default_state_dir);
    auto* cmd = app.add_subcommand("down", "end the fleet that `up` started");
    add_state(cmd, *dir);
    cmd->footer("Example:\n  sightline down --state /var/tmp/second");
    cmd->callback([&c, dir] {
        const auto fleet = find_fleet(*dir);
        if (!fleet) return void(c.exit_code = c.fail(fleet.error()));
        const std::size_t processes = fleet->processes.size() + fleet->supervised().size();
        const auto killed = stop_fleet(*fleet);
        report_killed(killed);
        if (c.json)
            c.print({{"ended", processes}, {"killed", killed}});
        else
            std::cout << fmt::format("fleet ended: {} processes\n", processes);
    });
}

void add_status(CLI::App& app, Context& c) {
    auto dir = std::make_shared<std::string>(default_state_dir);
    auto* cmd = app.add_subcommand("status", "say how the fleet that `up` started is doing");
    add_state(cmd, *dir);
    cmd->footer(
        "Exit status 0: ready, 3: none was started, 4: not ready.\nExample:\n  sightline status --json");
    cmd->callback([&c, dir] { c.exit_code = status(c, *dir); });
}

}  // namespace sl::cli
