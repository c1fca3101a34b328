// `sightline run`: the whole pipeline in one process. The broker and every worker are threads that meet on
// inproc sockets; job state is in memory, the audit trail a file beside the results. Nothing else differs.
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <iostream>

#include "broker/cli/interrupt.hpp"
#include "broker/cli/job_text.hpp"
#include "broker/cli/params.hpp"
#include "broker/cli/progress.hpp"
#include "broker/program.hpp"
#include "broker/threads.hpp"
#include "common/log.hpp"

namespace sl::program {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

struct RunOptions {
    std::vector<std::string> files;
    std::string out, name;
    cli::JobParams params;
    int detect = 0, annotate = 0;
    bool force = false, alerts = false;
};

// The root that all inputs lie below, and their paths below it: what their artifacts' folders are named by.
struct Placed {
    std::string root;
    json inputs = json::array();
};
Result<Placed> place(const std::vector<std::string>& files) {
    std::vector<fs::path> paths;
    for (const auto& file : files) {
        std::error_code ec;
        paths.push_back(fs::canonical(file, ec));
        if (ec)
            return Error{Errc::not_found, "cannot find the input '" + file + "': " + ec.message(),
                         "check the path"};
    }
    fs::path root = fs::is_directory(paths.front()) ? paths.front() : paths.front().parent_path();
    const auto holds = [&](const fs::path& p) {
        return std::mismatch(root.begin(), root.end(), p.begin(), p.end()).first == root.end();
    };
    for (const auto& p : paths)
        while (!holds(p)) root = root.parent_path();
    Placed placed{root.string(), json::array()};
    for (const auto& p : paths)
        placed.inputs.push_back({{"root", "in"}, {"path", fs::relative(p, root).string()}});
    return placed;
}

class Run {
public:
    Run(cli::Context& c, const RunOptions& o) : c_(c), o_(o) {}

    Result<int> go() {
        auto loaded = c_.load_config();
        if (!loaded) return loaded.error();
        config_ = std::move(*loaded);
        auto placed = place(o_.files);
        if (!placed) return placed.error();
        std::error_code ec;
        fs::create_directories(o_.out, ec);
        const fs::path out = fs::canonical(o_.out, ec);
        if (ec)
            return Error{Errc::io, "cannot create the folder '" + o_.out + "': " + ec.message(),
                         "choose another with -o"};
        if (!o_.name.empty() && fs::exists(out / o_.name)) {
            if (!o_.force)
                return Error{Errc::conflict, "the result " + (out / o_.name).string() + " exists already",
                             "choose another --name, or replace it with --force"};
        }
        config_.roots = {{"in", placed->root}, {"out", out.string()}};
        config_.alerts.targets.clear();  // they are in the audit trail and in detections.json
        auto catalog = load_catalog(config_);
        if (!catalog) return catalog.error();
        auto params = o_.params.to_json();
        if (!params) return params.error();

        // Resolved here first: which models to open is the job's choice, and a mistake needs no broker.
        schema::JobSpec spec;
        const auto catalogue = (*catalog)->for_broker();
        if (auto ok = catalogue.resolve(o_.params.pipeline, o_.params.preset, *params, spec); !ok)
            return ok.error();

        auto jobs = store::memory_store();
        const std::string audit_path = (out / "audit.jsonl").string();
        auto audit = store::jsonl_audit(audit_path);
        if (!audit) return audit.error();

        Threads threads;
        broker::Options options;
        options.endpoint = endpoint;
        options.fleet = "run";
        options.roots = config_.roots;
        options.output = {"out", ""};
        options.limits.chunks_in_flight =
            std::max<std::int64_t>(config_.limits.chunks_in_flight, 2 * cores());
        options.judge = false;  // threads do not die alone
        options.sweep_delay_ms = 0;
        options.retention.work_ns = 0;        // nobody could retry its job
        options.lead_ttl_ms = 1'000'000'000;  // nobody else could lead, however long the process was stopped
        std::promise<void> bound;
        auto is_bound = bound.get_future();
        threads.add([&] {
            return broker::run_broker(context(), *jobs, *jobs, **audit, catalogue, options, threads.fd(),
                                      [&] { bound.set_value(); });
        });
        while (is_bound.wait_for(milliseconds(20)) != std::future_status::ready)
            if (auto e = threads.error()) return *e;
        if (auto ok = start_workers(threads, spec, **catalog); !ok) return ok.error();
        mask_signals(SIG_UNBLOCK);

        cli::Client client(context(), {{endpoint}, milliseconds(60'000), milliseconds(10'000)});
        json ask{{"type", "submit"},
                 {"inputs", placed->inputs},
                 {"pipeline", o_.params.pipeline},
                 {"preset", o_.params.preset},
                 {"params", *params}};
        if (!o_.name.empty()) ask["name"] = o_.name;
        auto reply = client.request(ask);
        if (!reply) return reply.error();
        const int code = follow(client, threads, reply->value("job", ""), out);
        threads.stop();
        return code;
    }

private:
    static constexpr const char* endpoint = "inproc://sightline";
    static std::int64_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }
    zmq::context_t& context() { return zmq_; }

    Result<void> start_workers(Threads& threads, const schema::JobSpec& spec, const Catalog& catalog) {
        const auto add = [&](const std::string& stage, const std::string& model) -> Result<void> {
            auto setup = make_stage(stage, config_, catalog, model);
            if (!setup) return setup.error();
            setup->options.brokers = {endpoint};
            setup->options.in_process = true;
            auto shared = std::make_shared<StageSetup>(std::move(*setup));
            threads.add([this, shared, fd = threads.fd()]() -> Result<void> {
                const auto ended = worker::run_worker(context(), *shared->stage, shared->options, fd, 0);
                return ended ? Result<void>{} : ended.error();
            });
            return {};
        };
        std::vector<std::pair<std::string, std::string>> all{
            {"ingest", ""}, {"preprocess", ""}, {"alert", ""}};
        // One work thread each; the kernel shares the cores among whoever has work.
        const auto detect = o_.detect > 0 ? o_.detect : cores();
        const auto annotate = o_.annotate > 0 ? o_.annotate : std::max<std::int64_t>(2, cores() / 2);
        for (std::int64_t i = 0; i < annotate; ++i) all.emplace_back("annotate", "");
        for (std::int64_t i = 4; i <= cores(); i += 4) all.emplace_back("preprocess", "");
        for (const auto& m : catalog.manifests)
            for (const auto& pool : spec.pools)
                if (pool.name == m.pool())
                    for (std::int64_t i = 0; i < detect; ++i) all.emplace_back("detect", m.name);
        for (const auto& [stage, model] : all)
            if (auto ok = add(stage, model); !ok) return ok;
        return {};
    }

    // Alerts of the log after `since`, which moves on. On stdout, so not beside the JSON of --json.
    void show_alerts(cli::Client& client, cli::Progress& progress, std::string& since) {
        json ask{{"type", "log"}, {"topics", {"alert."}}};
        if (!since.empty()) ask["since"] = since;
        const auto reply = client.request(ask);
        if (!reply) return;  // the job's own request says why
        for (const json& event : reply->value("entries", json::array())) {
            since = event.value("id", since);
            progress.clear();
            std::cout << cli::alert_line(event.value("body", json::object())) << std::endl;
        }
    }

    int follow(cli::Client& client, Threads& threads, const std::string& id, const fs::path& out) {
        cli::Progress progress;
        const bool alerts = !c_.json && (o_.alerts || isatty(STDOUT_FILENO));
        std::string alerts_since;
        bool canceled = false;
        json job;
        while (true) {
            auto reply = client.request({{"type", "job"}, {"job", id}});
            if (!reply && reply.error().code == Errc::canceled) {  // the signal came while it waited
                reply = Result<json>(json{{"job", job}});
            } else if (!reply) {
                progress.clear();
                return c_.fail(reply.error());
            }
            job = (*reply)["job"];
            const std::string state = job.value("state", "");
            if (alerts) show_alerts(client, progress, alerts_since);
            // Swept: nothing is left but the results.
            if (state != "queued" && state != "running" && job.value("swept", false)) break;
            if (auto e = threads.error()) {
                progress.clear();
                return c_.fail(*e);
            }
            if (cli::interrupted() && !canceled) {
                // Twice ends it at once; once leaves whole, playable files of what was done.
                canceled = true;
                progress.clear();
                std::cerr << "stopping: the results so far are being joined (Ctrl-C again to leave them)"
                          << std::endl;
                cli::clear_interrupt();
                if (auto ok = client.request({{"type", "cancel"}, {"job", id}, {"keep_partial", true}}); !ok)
                    return c_.fail(ok.error());
            } else if (cli::interrupted() && canceled) {
                return cli::exit_interrupted;
            }
            if (!c_.json && !canceled)
                progress.show(state == "queued" ? "queued" : job.value("stage", ""),
                              job.value("frames_done", std::int64_t{0}),
                              job.value("frames_total", std::int64_t{0}));
            cli::pause(milliseconds(50));
        }
        progress.clear();
        const fs::path results = out / id;
        if (c_.json) {
            job["results"] = results.string();
            c_.print(job);
        } else {
            std::cout << cli::job_text(job);
            if (fs::exists(results)) std::cout << "results    " << results.string() << std::endl;
        }
        return canceled ? int(cli::exit_interrupted) : cli::job_exit_code(job);
    }

    cli::Context& c_;
    const RunOptions& o_;
    config::Config config_;
    zmq::context_t zmq_;
};

int run(cli::Context& c, const RunOptions& o) {
    log::setup({"warn", false, ""});
    cli::catch_interrupts();
    mask_signals(SIG_BLOCK);
    auto ended = Run(c, o).go();
    return ended ? *ended : c.fail(ended.error());
}

}  // namespace

void add_run(CLI::App& app, cli::Context& c) {
    auto o = std::make_shared<RunOptions>();
    auto* cmd = app.add_subcommand("run", "annotate files or folders in this one process, no servers needed");
    cmd->add_option("file", o->files, "videos, pictures or folders of them")->required();
    cmd->add_option("-o,--out", o->out,
                    "folder for the results: OUT/{job}/manifest.json and OUT/{job}/{video}/")
        ->required();
    cmd->add_option("--name", o->name, "name of the job (and of its folder); default: a new id");
    cmd->add_flag("--force", o->force, "replace an existing result of that name");
    cmd->add_option("--detect", o->detect, "detector threads (default: one a core)")
        ->check(CLI::PositiveNumber);
    cmd->add_option("--annotate", o->annotate, "annotate threads (default: 2, or half the cores)")
        ->check(CLI::PositiveNumber);
    cmd->add_flag("--alerts", o->alerts, "print alerts as they are found, also when stdout is no terminal");
    o->params.add_to(*cmd);
    cmd->footer(
        "Ctrl-C leaves whole, playable results of what was done (exit 130).\n"
        "Examples:\n"
        "  sightline run clip.mp4 -o out\n"
        "  sightline run videos/ -o out --preset fast --set model=yolox_nano --set confidence=0.4");
    cmd->callback([&c, o] { c.exit_code = run(c, *o); });
}

}  // namespace sl::program
