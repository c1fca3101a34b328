// supervise, scale
#include <spdlog/fmt/fmt.h>
#include <sys/signalfd.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <set>

#include "broker/cli/commands.hpp"
#include "broker/cli/interrupt.hpp"
#include "broker/cli/supervisor.hpp"
#include "common/log.hpp"
#include "common/spelling.hpp"

namespace sl::cli {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::string control_path(const config::Config& config) {
    return config.broker.run_dir.empty() ? "" : config.broker.run_dir + "/control";
}

struct Supervise {
    std::vector<std::string> parts;
    std::string logs;
    std::string bind;
    std::vector<std::string> labels;
    double drain_s = 10;
    bool no_restart = false;
};

int supervise(Context& c, const Supervise& o) {
    const auto config = c.load_config();
    if (!config) return c.fail(config.error());
    const auto counts = part_counts(o.parts);
    if (!counts) return c.fail(counts.error());
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before the first thread
    const int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    log::setup({config->log.level, config::log_as_json(*config), "supervisor"});

    Supervisor::Options options;
    std::error_code ec;
    options.program = fs::read_symlink("/proc/self/exe", ec).string();
    if (!config->file.empty()) options.settings = {"--config", fs::absolute(config->file).string()};
    auto security = bus::Security::open(config->security.keys, config->security.insecure);
    if (!security) return c.fail(security.error());
    options.security = std::move(*security);
    if (!c.keys.empty())
        options.settings.insert(options.settings.end(), {"--keys", fs::absolute(c.keys).string()});
    if (c.insecure) options.settings.emplace_back("--insecure");
    for (const std::string& setting : c.settings)
        options.settings.insert(options.settings.end(), {"--option", setting});
    options.endpoints = config::endpoints(*config);
    options.log_dir = o.logs;
    options.log_bytes = config->log.max_mb << 20;
    options.bind = o.bind;
    options.labels = o.labels;
    options.drain_s = o.drain_s;
    options.restart = !o.no_restart;
    for (const std::string& dir : {config->broker.run_dir, o.logs})
        if (!dir.empty()) fs::create_directories(dir, ec);
    options.control = control_path(*config);
    zmq::context_t context(1);
    Supervisor supervisor(std::move(options));
    if (auto ok = supervisor.run(context, *counts, signals); !ok) return c.fail(ok.error());
    return exit_ok;
}

// Of the parts named: is each process that the supervisor runs known to the broker, and nobody still leaving?
bool arrived(const json& processes, const json& pools, const PartCounts& counts) {
    std::set<int> joined;
    for (const json& pool : pools)
        for (const json& w : pool.value("workers", json::array())) joined.insert(w.value("pid", 0));
    for (const json& p : processes) {
        const std::string part = p.value("part", ""), state = p.value("state", "");
        if (!counts.contains(part)) continue;
        if (state != "running" || (part != "broker" && !joined.contains(p.value("pid", 0)))) return false;
    }
    return true;
}

int scale(Context& c, const std::vector<std::string>& words, const std::string& state_dir, double limit_s) {
    if (!state_dir.empty()) c.config_file = state_dir + "/sightline.yaml";
    const auto config = c.load_client_config();
    if (!config) return c.fail(config.error());
    const auto counts = part_counts(words);
    if (!counts) return c.fail(counts.error());
    catch_interrupts();
    zmq::context_t context(1);
    const auto ask = [&](const json& request) {
        return ask_supervisor(context, control_path(*config), request);
    };
    auto reply = ask({{"type", "scale"}, {"parts", *counts}});
    const auto deadline =
        std::chrono::steady_clock::now() + milliseconds(static_cast<std::int64_t>(limit_s * 1000));
    while (reply) {
        const auto pools = c.request({{"type", "pools"}});
        if (pools && arrived((*reply)["processes"], pools->value("pools", json::array()), *counts)) break;
        if (interrupted()) return c.fail(interrupted_error());
        if (std::chrono::steady_clock::now() > deadline)
            return c.fail(Error{
                Errc::timeout,
                "cannot say that the fleet has its new size: not within " + fmt::format("{:g} s", limit_s),
                pools ? "`sightline status` says which process does not come or go; its log says why"
                      : pools.error().message});
        pause(milliseconds(50));
        reply = ask({{"type", "status"}});
    }
    if (!reply) return c.fail(reply.error());
    if (c.json) return c.print({{"processes", (*reply)["processes"]}});
    for (const json& p : (*reply)["processes"])
        if (counts->contains(p.value("part", "")))
            std::cout << fmt::format("{:<16} {:<8} {}\n", p.value("name", ""), p.value("pid", 0),
                                     p.value("state", ""));
    return exit_ok;
}

}  // namespace

void add_supervise(CLI::App& app, Context& c) {
    auto o = std::make_shared<Supervise>();
    auto* cmd = app.add_subcommand(
        "supervise", "run brokers and workers of this host, and start again what ends; until SIGTERM");
    cmd->add_option("part", o->parts,
                    "PART=NUMBER: broker, ingest, preprocess, detect, detect/MODEL, annotate, alert")
        ->required();
    cmd->add_option("--logs", o->logs,
                    "folder for a log of each process; else all write where this one does");
    cmd->add_option("--bind", o->bind, "address of this host that workers on other hosts reach, for tcp");
    cmd->add_option(
        "--label", o->labels,
        "NAME=VALUE of the ingest workers: cameras that ask for labels go to workers that have them");
    cmd->add_option("--drain", o->drain_s,
                    "seconds that a worker has to finish what it holds when it is to leave")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    cmd->add_flag("--no-restart", o->no_restart, "leave what ended as it is");
    cmd->footer(
        "SIGTERM drains the workers, then the brokers, then ends; a second one ends all at once. What ended "
        "with\n"
        "status 0 was told to leave and stays away until `sightline scale`. No process outlives its "
        "supervisor.\n"
        "Example:\n"
        "  sightline supervise ingest=1 preprocess=2 detect=4 annotate=2 --broker tcp://10.0.0.5:5550");
    cmd->callback([&c, o] { c.exit_code = supervise(c, *o); });
}

void add_scale(CLI::App& app, Context& c) {
    struct Options {
        std::vector<std::string> parts;
        std::string state;
        double limit_s = 60;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = app.add_subcommand(
        "scale", "change how many processes of a part this host runs, and wait until it is so");
    cmd->add_option("part", o->parts,
                    "PART=NUMBER: ingest, preprocess, detect, detect/MODEL, annotate, alert, broker")
        ->required();
    cmd->add_option("--state", o->state,
                    "folder of the fleet that `up` started; else the one here or of the configuration");
    cmd->add_option("--limit", o->limit_s, "give up waiting after so many seconds (exit 7)")
        ->capture_default_str();
    cmd->footer(
        "Who was started last leaves first, and finishes what it holds. Example:\n  sightline scale detect=4 "
        "annotate=2");
    cmd->callback([&c, o] { c.exit_code = scale(c, o->parts, o->state, o->limit_s); });
}

}  // namespace sl::cli
