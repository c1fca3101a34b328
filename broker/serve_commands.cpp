// `sightline broker` and `sightline worker`: one process of a fleet each, until SIGTERM.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>

#include "broker/cli/params.hpp"
#include "broker/program.hpp"
#include "common/log.hpp"
#include "common/spelling.hpp"
#include "common/stop_signal.hpp"

namespace sl::program {
namespace {

void start_log(const config::Config& config, const std::string& name) {
    log::setup({config.log.level, config::log_as_json(config), name});
}

// The keys of this process, when it may listen on `endpoint` with what is configured; says loudly when
// anybody may connect there.
Result<bus::Security> secure(const config::Config& config, const std::string& endpoint) {
    auto security = bus::Security::open(config.security.keys, config.security.insecure);
    if (!security) return security;
    if (auto ok = security->may_listen(endpoint); !ok) return ok.error();
    if (security->open_to_all(endpoint))
        log::warn(
            "insecure",
            "{} has no keys: whoever reaches it may submit and cancel jobs, be a worker and read everything; "
            "`sightline keys new DIR` makes keys",
            endpoint);
    return security;
}

int serve_broker(cli::Context& c) {
    auto config = c.load_config();
    if (!config) return c.fail(config.error());
    const StopSignal stop;
    start_log(*config, "broker");
    broker::Options options;
    options.endpoint = config::endpoints(*config).front();
    auto security = secure(*config, options.endpoint);
    if (!security) return c.fail(security.error());
    options.security = std::move(*security);
    auto catalog = load_catalog(*config);
    if (!catalog) return c.fail(catalog.error());
    // Two connections: the audit thread reads the log while the store thread commits.
    const store::RedisOptions redis{config->redis.url, config->fleet.name, 2000};
    auto jobs = store::redis_store(redis);
    if (!jobs) return c.fail(jobs.error());
    auto log = store::redis_store(redis);
    if (!log) return c.fail(log.error());
    std::error_code ec;
    if (!config->broker.run_dir.empty()) std::filesystem::create_directories(config->broker.run_dir, ec);
    if (const char* off = std::getenv("SIGHTLINE_TEST_OFF"))
        for (const auto& protection : split(off, ',')) options.test_off.insert(protection);
    auto audit = config->postgres.dsn.empty()
                     ? store::jsonl_audit(config::audit_path(*config))
                     : store::postgres_audit({.dsn = config->postgres.dsn,
                                              .fleet = config->fleet.name,
                                              .dedup = !options.test_off.contains("dedup")});
    if (!audit) return c.fail(audit.error());
    options.fleet = config->fleet.name;
    options.roots = config->roots;
    options.output = {config->output.root, config->output.path};
    options.queued_jobs = config->limits.queued_jobs;
    options.drop_lru = config->limits.when_full == "drop_lru";
    constexpr std::int64_t hour_ns = 3'600'000'000'000;
    const auto& kept = config->retention;
    options.retention = {std::size_t(kept.jobs), kept.job_days * 24 * hour_ns,
                         kept.failed_work_hours * hour_ns};
    options.keep_log = std::size_t(kept.log_entries);
    options.keep_log_bytes = std::size_t(kept.log_mb) << 20;
    for (const auto& camera : nlohmann::json::parse(config->cameras))
        options.cameras.push_back(camera.dump());
    options.limits.chunks_in_flight = config->limits.chunks_in_flight;
    options.alerts = outbox_options(*config);
    zmq::context_t context;
    const broker::Catalogue catalogue = (*catalog)->for_broker();
    if (auto ok = broker::run_broker(context, **jobs, **log, **audit, catalogue, options, stop.fd()); !ok)
        return c.fail(ok.error());
    return cli::exit_ok;
}

// A worker that reloads begins anew under its old pid, with the command line that it was started with.
Error execute_again() {
    std::ifstream in("/proc/self/cmdline", std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    std::vector<std::string> words = split(text.substr(0, text.size() - 1), '\0');
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv("/proc/self/exe", argv.data());
    return {Errc::internal, std::string("cannot begin again: ") + std::strerror(errno),
            "start the worker again"};
}

struct WorkerOptions {
    std::string stage, model, bind, supervisor, only;
    std::vector<std::string> labels;
    double drain_s = 10;
    int crumb_fd = -1;
};

// The loops of one process: batch work and live work of a stage, each with threads of its own.
std::vector<std::string> loops_of(const WorkerOptions& o) {
    if (o.stage == "alert" || o.stage == "noop" || o.only == "batch") return {o.stage};
    if (o.only == "live") return {"live/" + o.stage};
    return {o.stage, "live/" + o.stage};
}

Result<std::map<std::string, std::string>> labels_of(const std::vector<std::string>& words) {
    std::map<std::string, std::string> labels;
    for (const auto& word : words) {
        const auto [name, value] = cli::halves(word);
        if (name.empty() || value.empty())
            return Error{Errc::invalid_argument, "cannot use the label '" + word + "'",
                         "labels are NAME=VALUE, as in site=north"};
        labels[name] = value;
    }
    return labels;
}

// Until a signal comes, or one of the loops ends: then all drain. Their sockets are gone when this returns.
Result<worker::Ended> serve_loops(std::vector<StageSetup>& loops, const StopSignal& stop, double drain_s) {
    const int told = eventfd(0, EFD_CLOEXEC), over = eventfd(0, EFD_CLOEXEC);
    const auto ring = [](int fd) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
    };
    std::vector<std::future<Result<worker::Ended>>> ends;
    for (auto& loop : loops)
        ends.push_back(std::async(std::launch::async, [&] {
            zmq::context_t context;  // of its own: a gate answers for the whole of one (common/bus/gate.hpp)
            auto ended = worker::run_worker(context, *loop.stage, loop.options, told, drain_s);
            ring(over);
            return ended;
        }));
    pollfd waited[] = {{stop.fd(), POLLIN, 0}, {over, POLLIN, 0}};
    while (::poll(waited, 2, -1) < 0 && errno == EINTR) {
    }
    ring(told);
    Result<worker::Ended> all = worker::Ended::left;
    for (auto& end : ends) {
        const auto ended = end.get();
        if (!all) continue;
        if (!ended || *ended == worker::Ended::reload) all = ended;
    }
    ::close(told);
    ::close(over);
    return all;
}

int serve_worker(cli::Context& c, const WorkerOptions& o) {
    auto config = c.load_config();
    if (!config) return c.fail(config.error());
    const StopSignal stop;
    start_log(*config, o.stage);
    auto security = secure(*config, o.bind.empty() ? "ipc://" : "tcp://" + o.bind + ":*");
    if (!security) return c.fail(security.error());
    auto catalog = load_catalog(*config);
    if (!catalog) return c.fail(catalog.error());
    const auto labels = labels_of(o.labels);
    if (!labels) return c.fail(labels.error());
    const auto live_work = std::make_shared<std::atomic<bool>>(false);
    std::vector<StageSetup> loops;
    for (const auto& name : loops_of(o)) {
        auto setup = make_stage(name, *config, **catalog, o.model);
        if (!setup) return c.fail(setup.error());
        const bool live = name.starts_with("live/");
        setup->options.brokers = config::endpoints(*config);
        setup->options.run_dir = config->broker.run_dir;
        setup->options.bind_host = o.bind;
        setup->options.security = *security;
        setup->options.supervisor = o.supervisor;
        setup->options.labels = *labels;
        // A live frame is worked on once: who dies of one is not given it again, so it leaves no crumb.
        if (!live) setup->options.crumb = worker::Crumb::open(o.crumb_fd);
        setup->options.background = !live;
        setup->options.live_work = live_work;
        setup->options.check_reload = [&]() -> Result<void> {
            auto today = c.load_config();
            if (!today) return today.error();
            auto with = load_catalog(*today);
            if (!with) return with.error();
            for (const auto& each : loops_of(o))
                if (auto tried = make_stage(each, *today, **with, o.model); !tried) return tried.error();
            return {};
        };
        loops.push_back(std::move(*setup));
    }
    const auto ended = serve_loops(loops, stop, o.drain_s);
    if (!ended) return c.fail(ended.error());
    if (*ended == worker::Ended::left) return cli::exit_ok;
    log::info("reload", "stage={}: begins again", o.stage);
    return c.fail(execute_again());
}

}  // namespace

void add_broker(CLI::App& app, cli::Context& c) {
    auto* cmd = app.add_subcommand("broker", "serve as the broker of a fleet, until SIGTERM");
    cmd->footer(
        "Job state goes to Redis (redis.url), the audit trail to PostgreSQL (postgres.dsn) or a file.\n"
        "Several brokers on one Redis: one leads, the others wait to take over.\n"
        "Example:\n"
        "  sightline broker --config /etc/sightline/sightline.yaml --broker tcp://127.0.0.1:5550");
    cmd->callback([&c] { c.exit_code = serve_broker(c); });
}

void add_worker(CLI::App& app, cli::Context& c) {
    auto o = std::make_shared<WorkerOptions>();
    auto* cmd =
        app.add_subcommand("worker", "serve one stage of a fleet, until SIGTERM; start more to scale it");
    cmd->add_option("stage", o->stage, "ingest, preprocess, detect, annotate or alert")
        ->required()
        ->check(CLI::IsMember({"ingest", "preprocess", "detect", "annotate", "alert", "noop"}));
    cmd->add_option("--model", o->model, "detect: the model to serve (`sightline models`)");
    cmd->add_option("--bind", o->bind, "address of this host that workers on other hosts reach, for tcp");
    cmd->add_option("--supervisor", o->supervisor, "id of the supervisor that started it");
    cmd->add_option("--crumb-fd", o->crumb_fd, "descriptor of the memory that it shares with its supervisor");
    cmd->add_option("--only", o->only, "serve batch work or live work alone; else both, live work first")
        ->check(CLI::IsMember({"batch", "live"}));
    cmd->add_option("--label", o->labels,
                    "NAME=VALUE, ingest: cameras that ask for labels go to workers that have them");
    cmd->add_option("--drain", o->drain_s, "seconds to finish what it holds after SIGTERM")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    cmd->footer(
        "Examples:\n"
        "  sightline worker detect --broker ipc:///run/sightline/broker --model yolox_nano\n"
        "  sightline worker annotate --broker tcp://10.0.0.5:5550 --bind 10.0.0.7");
    cmd->callback([&c, o] { c.exit_code = serve_worker(c, *o); });
}

}  // namespace sl::program
