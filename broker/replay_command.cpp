// `sightline replay`: which alerts a clip gives with these zones and rules, which come and go against others,
// and why. The clip is detected once, as `sightline run` does it; tracks and rules are then decided in this
// process by the step that every job and camera makes, so the answer is theirs.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "broker/cli/params.hpp"
#include "broker/cli/process.hpp"
#include "broker/program.hpp"
#include "common/alert_json.hpp"
#include "common/log.hpp"
#include "common/tracking.hpp"
#include "workers/annotate/replay_file.hpp"
#include "workers/annotate/rules.hpp"
#include "workers/annotate/step.hpp"

namespace sl::program {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using schema::Alert;

struct ReplayOptions {
    std::string clip, diff, keep, camera, at;
    cli::JobParams params;
    bool explain = false;
    std::int64_t track = 0;
};

// What one set of zones and rules makes of the clip.
struct Decided {
    std::vector<Alert> alerts;  // in the order of media time
    std::vector<std::string> traces;
};

class Folder {  // removed with the object
public:
    static Result<std::unique_ptr<Folder>> make() {
        std::error_code ec;
        std::string path = (fs::temp_directory_path(ec) / "sightline-replay-XXXXXX").string();
        if (ec || !mkdtemp(path.data()))
            return Error{Errc::io,
                         "cannot create a folder for the detections: " + std::string(strerror(errno)),
                         "set TMPDIR to a folder with space"};
        return std::unique_ptr<Folder>(new Folder(path));
    }
    ~Folder() {
        std::error_code ec;
        fs::remove_all(path_, ec);
    }
    const std::string& path() const { return path_; }

private:
    explicit Folder(std::string path) : path_(std::move(path)) {}
    const std::string path_;
};

Result<std::int64_t> utc_ns(const std::string& text) {
    std::tm tm{};
    const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M", &tm);
    if (end && *end == ':') end = strptime(end, ":%S", &tm);
    if (!end || (*end != '\0' && std::string_view(end) != "Z"))
        return Error{Errc::invalid_argument, "cannot read '" + text + "' as a time",
                     "write 2026-11-27T22:00:00Z"};
    return std::int64_t(timegm(&tm)) * 1'000'000'000;
}

class ReplayRun {
public:
    ReplayRun(cli::Context& c, const ReplayOptions& o) : c_(c), o_(o) {}

    Result<int> go() {
        auto config = c_.load_config();
        if (!config) return config.error();
        auto catalog = load_catalog(*config);
        if (!catalog) return catalog.error();
        // Mistakes are told before minutes of detecting.
        auto now = spec_of(**catalog, o_.params);
        if (!now) return now.error();
        auto other = o_.params;
        other.rules = o_.diff;
        auto before = o_.diff.empty() ? now : spec_of(**catalog, other);
        if (!before) return before.error();
        if (!o_.at.empty()) {
            const auto ns = utc_ns(o_.at);
            if (!ns) return ns.error();
            at_ns_ = *ns;
        }

        auto replay = detections(*now);
        if (!replay) return replay.error();
        for (auto* spec : {&*now, &*before}) {
            const double least = detect_confidence(*spec, replay->head.stream.source);
            if (replay->head.confidence > least + 1e-9)
                return Error{Errc::conflict,
                             fmt::format("{} holds boxes from {:g}, and this needs them from {:g}", o_.clip,
                                         replay->head.confidence, least),
                             "replay the clip itself, or make it with confidence=" +
                                 fmt::format("{:g}", least) + " tracker=none"};
            spec->pools = replay->head.pools;
        }
        if (!o_.camera.empty()) as_camera(*replay);
        const Decided after = decide(*now, *replay);
        if (o_.diff.empty()) return show(*replay, after);
        return show_diff(*replay, decide(*before, *replay), after);
    }

private:
    Result<schema::JobSpec> spec_of(const Catalog& catalog, const cli::JobParams& given) const {
        auto params = given.to_json();
        if (!params) return params.error();
        schema::JobSpec spec;
        if (auto ok = catalog.for_broker().resolve(given.pipeline, given.preset, *params, spec); !ok)
            return ok.error();
        spec.job = "replay";
        spec.camera = o_.camera;
        return spec;
    }

    Result<annotate::Replay> detections(const schema::JobSpec& spec) const {
        std::error_code ec;
        if (!fs::exists(o_.clip, ec))
            return Error{Errc::not_found, "cannot find the clip '" + o_.clip + "'", "check the path"};
        if (o_.clip.ends_with(".msgpack")) return annotate::read_replay(o_.clip);
        auto folder = Folder::make();
        if (!folder) return folder.error();
        auto params = o_.params.to_json();
        if (!params) return params.error();
        // Everything is detected as the job would, but nothing is decided. "detect.confidence" is confidence.
        for (const char* name : {"exporters", "rules", "zones", "tracker", "confidence"})
            for (auto it = params->begin(); it != params->end();) {
                const std::string key = it.key();
                it = key.substr(key.rfind('.') + 1) == name ? params->erase(it) : std::next(it);
            }
        params->update({{"exporters", {"replay"}},
                        {"rules", json::array()},
                        {"zones", json::array()},
                        {"tracker", "none"},
                        {"confidence", detect_confidence(spec)}});
        std::vector<std::string> command{fs::read_symlink("/proc/self/exe", ec).string(),
                                         "run",
                                         o_.clip,
                                         "-o",
                                         (*folder)->path(),
                                         "--name",
                                         "replay",
                                         "--pipeline",
                                         o_.params.pipeline,
                                         "--preset",
                                         o_.params.preset};
        for (const auto& [name, value] : params->items())
            command.insert(command.end(), {"--set", name + "=" + value.dump()});
        if (!c_.config_file.empty()) command.insert(command.end(), {"--config", c_.config_file});
        for (const auto& setting : c_.settings) command.insert(command.end(), {"--option", setting});
        if (!c_.json) std::cerr << "detecting in " << o_.clip << " …" << std::endl;
        if (auto ok = cli::run_quietly(command); !ok)
            return Error{Errc::bad_media, "cannot detect in " + o_.clip + ": " + ok.error().message, ""};
        std::vector<fs::path> found;
        for (const auto& entry : fs::recursive_directory_iterator((*folder)->path(), ec))
            if (entry.path().filename() == "replay.msgpack") found.push_back(entry.path());
        if (found.size() != 1)
            return Error{Errc::invalid_argument,
                         fmt::format("{} holds {} streams, and a replay is of one", o_.clip, found.size()),
                         "name one video, or one folder of pictures"};
        if (!o_.keep.empty() && !fs::copy_file(found[0], o_.keep, fs::copy_options::overwrite_existing, ec))
            return Error{Errc::io, "cannot write " + o_.keep + ": " + ec.message(),
                         "choose another with --keep"};
        return annotate::read_replay(found[0].string());
    }

    // As if a camera had captured it from `--at` on: its media time is the time of capture.
    void as_camera(annotate::Replay& replay) const {
        schema::StreamInfo& info = replay.head.stream;
        for (auto& frame : replay.detections.frames)
            frame.pts = at_ns_ + std::llround(double(frame.pts - info.start_pts) * info.time_base.num /
                                              info.time_base.den * 1e9);
        info.time_base = {1, 1'000'000'000};
        info.start_pts = at_ns_;
        info.name = o_.camera;
    }

    static Decided decide(const schema::JobSpec& spec, const annotate::Replay& replay) {
        annotate::Stepped stepped = annotate::step(spec, replay.head.stream, {}, replay.detections);
        // What is followed at the clip's end is told about, too.
        annotate::Rules rules(spec, replay.head.stream);
        if (rules.load(stepped.next)) rules.finish(stepped.traces);
        return {std::move(stepped.alerts), std::move(stepped.traces)};
    }

    // --- what is shown

    static std::string line(const Alert& a, const std::vector<Alert>& all) {
        std::string text = fmt::format("{:>8.1f} s  {}: {}", a.time_s, a.rule, a.class_name);
        if (a.box.track != 0) text += fmt::format(" {}", a.box.track);
        if (!a.zone.empty()) text += " (" + a.zone + ")";
        for (const Alert& end : all)
            if (end.alert == a.alert && end.kind == "end")
                text += fmt::format(", until {:.1f} s", end.time_s);
        return text;
    }
    static std::vector<Alert> begun(const Decided& decided) {
        std::vector<Alert> out;
        for (const Alert& a : decided.alerts)
            if (a.kind == "new") out.push_back(a);
        return out;
    }
    static json list(const std::vector<Alert>& alerts) {
        json out = json::array();
        for (const Alert& a : alerts) out.push_back(json::parse(alert_json(a)));
        return out;
    }

    json document(const annotate::Replay& replay, const Decided& decided) const {
        json out{
            {"clip", o_.clip}, {"frames", replay.detections.frames.size()}, {"alerts", list(decided.alerts)}};
        if (o_.explain) out["traces"] = json(traces(decided));
        return out;
    }
    // Complete ones, of all tracks or of --track.
    std::vector<json> traces(const Decided& decided) const {
        std::vector<json> out;
        for (const std::string& text : decided.traces) {
            json trace = json::parse(text);
            if (trace.value("ended", false) &&
                (o_.track == 0 || trace.value("track", std::int64_t{0}) == o_.track))
                out.push_back(std::move(trace));
        }
        return out;
    }
    void print_traces(const Decided& decided) const {
        if (!o_.explain) return;
        for (const json& t : traces(decided)) {
            const auto track = t.value("track", std::int64_t{0});
            std::cout << fmt::format("{} {}  {:.1f} s to {:.1f} s\n", t.value("class_name", ""),
                                     track == 0 ? "without a track" : std::to_string(track),
                                     t.value("from_s", 0.0), t.value("to_s", 0.0));
            for (const auto& text : t["decisions"]) std::cout << "    " << text.get<std::string>() << '\n';
        }
    }

    int show(const annotate::Replay& replay, const Decided& decided) const {
        if (c_.json) return c_.print(document(replay, decided));
        for (const Alert& a : begun(decided)) std::cout << line(a, decided.alerts) << '\n';
        std::cout << fmt::format("{} alerts on {} detected frames\n", begun(decided).size(),
                                 replay.detections.frames.size());
        print_traces(decided);
        return cli::exit_ok;
    }

    // An alert is the same if rule, class, track and frame are; it has moved if all but the frame are. Of
    // several of a track the first is paired with the first.
    int show_diff(const annotate::Replay& replay, const Decided& before, const Decided& after) const {
        std::vector<Alert> gone = begun(before), come = begun(after), same;
        std::vector<std::pair<Alert, Alert>> moved;
        const auto pair_up = [&](const auto& alike, const auto& paired) {
            for (auto old = gone.begin(); old != gone.end();) {
                const auto at = std::ranges::find_if(come, [&](const Alert& a) { return alike(*old, a); });
                if (at == come.end()) {
                    ++old;
                    continue;
                }
                paired(*old, *at);
                come.erase(at);
                old = gone.erase(old);
            }
        };
        pair_up([](const Alert& a, const Alert& b) { return a.alert == b.alert; },
                [&](const Alert& a, const Alert&) { same.push_back(a); });
        pair_up(
            [](const Alert& a, const Alert& b) {
                return a.rule == b.rule && a.class_name == b.class_name && a.box.track == b.box.track;
            },
            [&](const Alert& a, const Alert& b) { moved.emplace_back(a, b); });
        const bool differs = !gone.empty() || !come.empty() || !moved.empty();
        if (c_.json) {
            json pairs = json::array();
            for (const auto& [a, b] : moved)
                pairs.push_back(
                    {{"before", json::parse(alert_json(a))}, {"after", json::parse(alert_json(b))}});
            json out = document(replay, after);
            out["diff"] = {
                {"same", same.size()}, {"gone", list(gone)}, {"come", list(come)}, {"moved", pairs}};
            c_.print(out);
            return differs ? 1 : 0;
        }
        struct Line {
            double time_s;
            std::string text;
        };
        std::vector<Line> lines;
        for (const Alert& a : gone) lines.push_back({a.time_s, "- " + line(a, before.alerts)});
        for (const Alert& a : come) lines.push_back({a.time_s, "+ " + line(a, after.alerts)});
        for (const auto& [a, b] : moved)
            lines.push_back(
                {b.time_s, "~ " + line(b, after.alerts) + fmt::format(", was at {:.1f} s", a.time_s)});
        std::ranges::stable_sort(lines, {}, &Line::time_s);
        for (const Line& l : lines) std::cout << l.text << '\n';
        std::cout << fmt::format("{} gone, {} come, {} moved, {} the same, on {} detected frames\n",
                                 gone.size(), come.size(), moved.size(), same.size(),
                                 replay.detections.frames.size());
        print_traces(after);
        return differs ? 1 : 0;
    }

    cli::Context& c_;
    const ReplayOptions& o_;
    std::int64_t at_ns_ = 0;
};

int replay(cli::Context& c, const ReplayOptions& o) {
    log::setup({"warn", false, ""});
    auto ended = ReplayRun(c, o).go();
    return ended ? *ended : c.fail(ended.error());
}

}  // namespace

void add_replay(CLI::App& app, cli::Context& c) {
    auto o = std::make_shared<ReplayOptions>();
    auto* cmd = app.add_subcommand(
        "replay", "say which alerts a clip gives, which come and go by other rules, and why");
    cmd->add_option("clip", o->clip, "a video, or a replay.msgpack (--keep, or the exporter replay)")
        ->required();
    o->params.add_to(*cmd);
    cmd->add_option("--diff", o->diff,
                    "YAML file with the rules to compare with: - goes, + comes, ~ moves in time");
    cmd->add_flag("--explain", o->explain, "say what was decided about each track, and why not");
    cmd->add_option("--track", o->track, "explain this track alone")->check(CLI::PositiveNumber);
    cmd->add_option("--camera", o->camera, "decide as for this camera: incidents last, schedules count");
    cmd->add_option("--at", o->at, "with --camera: when it captured the first frame, 2026-11-27T22:00:00Z");
    cmd->add_option("--keep", o->keep,
                    "keep what was detected in this file, to replay it at once next time (.msgpack)");
    cmd->footer(
        "Exit status: 0; with --diff 0 the same, 1 they differ, as diff has it; else as of every command.\n"
        "Examples:\n"
        "  sightline replay clip.mp4 --rules new.yaml --diff old.yaml --keep clip.msgpack\n"
        "  sightline replay clip.msgpack --zones zones.yaml --explain --track 7\n"
        "  sightline replay clip.mp4 --preset live --set sample_fps=5 --camera gate --at "
        "2026-11-27T22:00:00Z");
    cmd->callback([&c, o] {
        o->explain = o->explain || o->track != 0;
        c.exit_code = replay(c, *o);
    });
}

}  // namespace sl::program
