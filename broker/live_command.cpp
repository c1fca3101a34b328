// `sightline live`: one camera from its connection to its alerts in this one process. The broker and every
// worker are threads that meet on inproc sockets; nothing is kept. Nothing else differs from a fleet.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>

#include "broker/cli/interrupt.hpp"
#include "broker/cli/params.hpp"
#include "broker/live_view.hpp"
#include "broker/program.hpp"
#include "broker/threads.hpp"
#include "common/log.hpp"
#include "common/zone_json.hpp"

namespace sl::program {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

struct LiveOptions {
    std::string url, backup_url, secret, transport = "tcp", zones, model, preset = "live", show;
    std::vector<std::string> set;
    std::string policy = "drop_oldest";
    double fps = 5, deadline_s = 1, duration_s = 0;
    int detect = 1;
    bool all = false;  // frames on which nothing moves, too
};

// An audit trail that keeps nothing.
class NoAudit final : public store::Audit {
public:
    Result<store::LogId> position() override { return at_; }
    Result<void> append(std::span<const store::LogEntry> entries) override {
        if (!entries.empty()) at_ = entries.back().id;
        return {};
    }

private:
    store::LogId at_{};
};

class Live {
public:
    Live(cli::Context& c, const LiveOptions& o) : c_(c), o_(o) {}

    Result<int> go() {
        auto loaded = c_.load_config();
        if (!loaded) return loaded.error();
        config_ = std::move(*loaded);
        config_.roots.clear();
        config_.output = {};
        config_.snapshots = {};
        config_.alerts.targets.clear();  // they are on stdout
        auto catalog = load_catalog(config_);
        if (!catalog) return catalog.error();
        auto ask = registration();
        if (!ask) return ask.error();
        // Resolved here first: which models to open is the camera's choice, and a mistake needs no broker.
        schema::JobSpec spec;
        const auto catalogue = (*catalog)->for_broker();
        if (auto ok = catalogue.resolve("annotate", o_.preset, (*ask)["params"], spec); !ok)
            return ok.error();
        if (!o_.show.empty()) {
            auto view = open_view(o_.show);
            if (!view) return view.error();
            view_ = std::move(*view);
            if (const auto where = view_->where(); !where.empty()) say("view", where);
        }

        auto jobs = store::memory_store();
        NoAudit audit;
        Threads threads;
        broker::Options options;
        options.endpoint = endpoint;
        options.fleet = "live";
        options.judge = false;                // threads do not die alone
        options.lead_ttl_ms = 1'000'000'000;  // nobody else could lead, however long the process was stopped
        std::promise<void> bound;
        auto is_bound = bound.get_future();
        threads.add([&] {
            return broker::run_broker(zmq_, *jobs, *jobs, audit, catalogue, options, threads.fd(),
                                      [&] { bound.set_value(); });
        });
        while (is_bound.wait_for(milliseconds(20)) != std::future_status::ready)
            if (auto e = threads.error()) return *e;
        if (auto ok = start_workers(threads, spec, **catalog); !ok) return ok.error();
        mask_signals(SIG_UNBLOCK);

        cli::Client client(zmq_, {{endpoint}, milliseconds(60'000), milliseconds(10'000)});
        if (auto ok = client.request(*ask); !ok) return ok.error();
        auto ended = follow(client, threads);
        threads.stop();
        view_.reset();
        return ended;
    }

private:
    static constexpr const char* endpoint = "inproc://sightline";
    static constexpr const char* camera = "camera";

    // What camera_set is asked.
    Result<json> registration() const {
        std::string url = o_.url;
        std::error_code ec;
        if (url.find("://") == std::string::npos && fs::exists(url, ec))
            url = "file://" + fs::canonical(url, ec).string();
        cli::JobParams given;
        given.preset = o_.preset;
        given.set = o_.set;
        auto params = given.to_json();
        if (!params) return params.error();
        if (!o_.zones.empty()) {
            auto zones = load_zones_file(o_.zones);
            if (!zones) return zones.error();
            params->update(*zones);
        }
        if (!o_.model.empty()) (*params)["model"] = json::array({o_.model});
        return json{{"type", "camera_set"},
                    {"camera", camera},
                    {"url", url},
                    {"backup_url", o_.backup_url},
                    {"secret", o_.secret},
                    {"transport", o_.transport},
                    {"fps", o_.fps},
                    {"policy", o_.policy},
                    {"deadline_s", o_.deadline_s},
                    {"snapshots", !o_.show.empty()},  // the home gets the pictures
                    {"motion", {{"on", !o_.all}}},
                    {"preset", o_.preset},
                    {"params", *params}};
    }

    Result<void> start_workers(Threads& threads, const schema::JobSpec& spec, const Catalog& catalog) {
        annotate::LiveHome::Viewer viewer;
        if (view_) viewer = [this](const annotate::DecidedFrame& frame) { view_->show(frame); };
        std::vector<std::pair<std::string, std::string>> all{
            {"live/ingest", ""}, {"live/preprocess", ""}, {"live/annotate", ""}};
        for (const auto& m : catalog.manifests)
            for (const auto& pool : spec.pools)
                if (pool.name == m.pool())
                    for (int i = 0; i < o_.detect; ++i) all.emplace_back("live/detect", m.name);
        for (const auto& [stage, model] : all) {
            auto setup = make_stage(stage, config_, catalog, model, viewer);
            if (!setup) return setup.error();
            setup->options.brokers = {endpoint};
            setup->options.in_process = true;
            auto shared = std::make_shared<StageSetup>(std::move(*setup));
            threads.add([this, shared, fd = threads.fd()]() -> Result<void> {
                const auto ended = worker::run_worker(zmq_, *shared->stage, shared->options, fd, 0);
                return ended ? Result<void>{} : ended.error();
            });
        }
        return {};
    }

    Result<int> follow(cli::Client& client, Threads& threads) {
        const auto begun = Clock::now();
        auto look_at = begun;
        std::string since;
        json now;
        while (true) {
            if (auto e = threads.error()) return *e;
            show_alerts(client, since);
            if (Clock::now() >= look_at) {
                look_at = Clock::now() + milliseconds(1000);
                auto reply = client.request({{"type", "camera"}, {"camera", camera}});
                if (reply) {
                    now = (*reply)["camera"];
                    status(now);
                }
            }
            const bool over =
                o_.duration_s > 0 && Clock::now() - begun >= std::chrono::duration<double>(o_.duration_s);
            if (over || cli::interrupted()) break;
            cli::pause(milliseconds(50));
        }
        cli::clear_interrupt();  // or no request would be waited for
        show_alerts(client, since);
        if (auto reply = client.request({{"type", "camera"}, {"camera", camera}})) now = (*reply)["camera"];
        const auto& counters = now["counters"];
        say("end",
            fmt::format("{} frames looked at, {} detected, {} still, {} alerts; dropped {}",
                        counters.value("read", 0), counters.value("detected", 0), now.value("gated", 0),
                        counters.value("alerts", 0), counters.value("dropped", json::object()).dump()));
        if (now.value("captured", 0) > 0) return int(cli::exit_ok);
        return Error{Errc::unavailable,
                     "cannot show " + now.value("url", o_.url) + ": " +
                         (now.value("message", "").empty() ? "no picture came" : now.value("message", "")),
                     "`sightline cameras test URL` says more"};
    }

    // Alerts of the log after `since`, which moves on: one line of JSON each.
    void show_alerts(cli::Client& client, std::string& since) {
        json ask{{"type", "log"}, {"topics", {"alert."}}};
        if (!since.empty()) ask["since"] = since;
        const auto reply = client.request(ask);
        if (!reply) return;
        for (const json& event : reply->value("entries", json::array())) {
            since = event.value("id", since);
            const json body = event.value("body", json::object());
            if (o_.show == "terminal" && isatty(STDOUT_FILENO))
                last_alert_ = fmt::format("{} {} {} #{}", body.value("kind", ""), body.value("rule", ""),
                                          body.value("class_name", ""),
                                          body.value("box", json::object()).value("track", 0));
            else
                std::cout << body.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
        }
    }

    // The camera's state when it changes; on a terminal what it does, each second.
    void status(const json& now) {
        const std::string state = now.value("state", ""), error = now.value("error", "");
        if (std::exchange(told_, state + error) != state + error) {
            std::string text = state;
            if (!error.empty()) text += ": " + error + ": " + now.value("message", "");
            if (state == "streaming")
                text += fmt::format(" {} {}x{}", now.value("codec", ""), now.value("width", 0),
                                    now.value("height", 0));
            say(camera, text);
        }
        const std::string line =
            fmt::format("{} {:.1f} fps, latency {:.0f} ms, {} detected, {:.0f} % still, {} alerts {}", state,
                        now.value("fps", 0.0), now.value("latency_ms", 0.0), now.value("detected", 0),
                        100 * now.value("saving", 0.0), now.value("alerts", 0), last_alert_);
        if (view_) view_->say(line);
        if (o_.show != "terminal" && isatty(STDERR_FILENO)) std::cerr << "\r\x1b[K" << line << std::flush;
    }
    void say(const std::string& what, const std::string& text) const {
        if (o_.show == "terminal" && view_) return;
        std::cerr << (isatty(STDERR_FILENO) ? "\r\x1b[K" : "") << what << ": " << text << std::endl;
    }

    cli::Context& c_;
    const LiveOptions& o_;
    config::Config config_;
    zmq::context_t zmq_;
    std::unique_ptr<LiveView> view_;
    std::string told_, last_alert_;
};

int live(cli::Context& c, const LiveOptions& o) {
    log::setup({"warn", false, ""});
    cli::catch_interrupts();
    mask_signals(SIG_BLOCK);
    auto ended = Live(c, o).go();
    return ended ? *ended : c.fail(ended.error());
}

}  // namespace

void add_live(CLI::App& app, cli::Context& c) {
    auto o = std::make_shared<LiveOptions>();
    auto* cmd = app.add_subcommand(
        "live", "watch one camera in this one process: alerts as lines of JSON on stdout, no servers needed");
    cmd->add_option("url", o->url,
                    "rtsp://, http(s)://, file:// (looped), synthetic://, v4l2://, or a file; without "
                    "credentials")
        ->required();
    cmd->add_option("--backup-url", o->backup_url, "taken while the first does not answer");
    cmd->add_option(
        "--secret", o->secret,
        "name of its user and password: of the environment, SIGHTLINE_SECRET_{NAME}=user:password, "
        "or of secrets.file");
    cmd->add_option("--transport", o->transport, "of rtsp: tcp or udp")->check(CLI::IsMember({"tcp", "udp"}));
    cmd->add_option("--zones", o->zones, "zones and rules, a YAML file");
    cmd->add_option("--fps", o->fps, "frames a second that are looked at; 0: every frame")
        ->check(CLI::Range(0.0, 240.0))
        ->capture_default_str();
    cmd->add_option("--model", o->model, "the model to detect with (`sightline models`)");
    cmd->add_option("--preset", o->preset, "preset of its parameters")->capture_default_str();
    cmd->add_option("--set", o->set, "NAME=VALUE: a parameter over the preset's");
    cmd->add_option("--policy", o->policy, "when work cannot keep up")
        ->check(CLI::IsMember({"wait", "drop_oldest", "drop_latest", "deadline"}))
        ->capture_default_str();
    cmd->add_option("--deadline", o->deadline_s, "policy deadline: seconds that a frame may get old")
        ->check(CLI::Range(0.05, 60.0))
        ->capture_default_str();
    cmd->add_flag("--all", o->all, "detect also while nothing moves");
    cmd->add_option("--detect", o->detect, "detector threads")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    cmd->add_option("--show", o->show,
                    "annotated frames: terminal, mjpeg:PORT (in a browser), file:PATH (MP4)");
    cmd->add_option("--duration", o->duration_s, "end after so many seconds")->check(CLI::NonNegativeNumber);
    cmd->footer(
        "Ctrl-C ends it. What the camera does is told on stderr.\n"
        "Examples:\n"
        "  sightline live rtsp://10.0.0.9/stream1 --secret gate --zones zones.yaml\n"
        "  sightline live clip.mp4 --show mjpeg:8080\n"
        "  sightline live synthetic:// --model motion --zones moved.yaml --duration 10   (a rule without "
        "classes)");
    cmd->callback([&c, o] { c.exit_code = live(c, *o); });
}

}  // namespace sl::program
