// cameras (list, show, add, set, remove), zones (list, set, remove), explain
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/job_text.hpp"
#include "broker/cli/params.hpp"
#include "common/ids.hpp"
#include "common/spelling.hpp"
#include "common/zone_json.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;

std::int64_t number(const json& map, const char* name) {
    return map.value(name, std::int64_t(0));
}

std::string dropped_text(const json& camera) {
    std::vector<std::string> all;
    const json dropped = camera.value("dropped", json::object());
    for (const auto& [reason, n] : dropped.items()) all.push_back(reason + " " + n.dump());
    return all.empty() ? "-" : join(all);
}

std::string waiting_text(const json& camera) {
    return join(camera.value("waiting_for", std::vector<std::string>{}));
}

// What is wrong with it now; empty: nothing.
std::string trouble(const json& camera) {
    const std::string error = camera.value("error", ""), message = camera.value("message", ""),
                      waits = waiting_text(camera);
    if (!error.empty()) return error + (message.empty() ? "" : ": " + message);
    if (!waits.empty()) return "waits for a worker of " + waits + (message.empty() ? "" : "; " + message);
    return message;
}

void list(Context& c) {
    const auto reply = c.request({{"type", "cameras"}});
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const json cameras = reply->value("cameras", json::array());
    if (c.json) return void(c.print({{"cameras", cameras}}));
    if (cameras.empty()) {
        std::cout << "no camera is registered\n";
        return;
    }
    std::cout << fmt::format("{:<20} {:<10} {:>5} {:>8} {:>6} {:>8}  {:<26} {:<26} {}\n", "CAMERA", "STATE",
                             "FPS", "SAMPLED", "STILL", "LATENCY", "WORKER", "HOME", "DROPPED");
    for (const json& camera : cameras) {
        const auto text = [&](const char* name) {
            const std::string value = camera.value(name, "");
            return value.empty() ? "-" : value;
        };
        std::cout << fmt::format("{:<20} {:<10} {:>5.1f} {:>8} {:>5.0f}% {:>5.0f} ms  {:<26} {:<26} {}\n",
                                 text("camera"), text("state"), camera.value("fps", 0.0),
                                 number(camera, "sampled"), 100 * camera.value("saving", 0.0),
                                 camera.value("latency_ms", 0.0), text("worker"), text("home"),
                                 dropped_text(camera));
        if (const auto why = trouble(camera); !why.empty()) std::cout << "  " << why << '\n';
    }
}

void print_camera(const json& camera) {
    const auto line = [](const char* name, const std::string& value) {
        if (!value.empty()) std::cout << fmt::format("{:<12}{}\n", name, value);
    };
    line("camera", camera.value("camera", ""));
    line("state", camera.value("state", ""));
    line("trouble", trouble(camera));
    line("url", camera.value("url", ""));
    if (number(camera, "width") > 0)
        line("picture", fmt::format("{}x{} {}, {:.3g} fps", number(camera, "width"), number(camera, "height"),
                                    camera.value("codec", ""), camera.value("source_fps", 0.0)));
    line("worker", camera.value("worker", ""));
    line("home", camera.value("home", ""));
    line("frames",
         fmt::format("captured {}, sampled {} ({:.1f} fps), sent {}, still {} ({:.0f}%)",
                     number(camera, "captured"), number(camera, "sampled"), camera.value("fps", 0.0),
                     number(camera, "sent"), number(camera, "gated"), 100 * camera.value("saving", 0.0)));
    line("dropped", dropped_text(camera));
    line("decided", fmt::format("{} detected, {} alerts, {:.0f} ms after capture", number(camera, "detected"),
                                number(camera, "alerts"), camera.value("latency_ms", 0.0)));
    std::cout << "registered (revision " << number(camera, "revision") << ")\n";
    const json spec = camera.value("spec", json::object());
    for (const auto& [name, value] : spec.items())
        if (name != "camera" && name != "revision")
            std::cout << fmt::format("  {:<12}{}\n", name,
                                     value.is_string() ? value.get<std::string>() : value.dump());
    for (const char* what : {"zones", "rules"})
        for (const json& item : camera.value(what, json::array()))
            std::cout << fmt::format("{:<12}{}\n", std::string(what).substr(0, 4), item.dump());
}

// A camera as options of `add` and `set`: what is not given is not said.
struct CameraOptions {
    std::string camera, url, zones;
    std::map<std::string, std::string> texts;
    std::map<std::string, double> numbers;
    std::vector<std::string> labels, set;
    bool enable = false, disable = false, motion = false, no_motion = false, snapshots = false,
         no_snapshots = false, no_labels = false;

    void add_to(CLI::App& cmd) {
        const auto text = [&](const char* option, const char* field, const char* help) {
            return cmd.add_option_function<std::string>(
                option, [this, field](const std::string& value) { texts[field] = value; }, help);
        };
        const auto amount = [&](const char* option, const char* field, const char* help) {
            cmd.add_option_function<double>(
                option, [this, field](const double& value) { numbers[field] = value; }, help);
        };
        text("--backup-url", "backup_url", "taken while the first does not answer");
        text("--secret", "secret", "name of its user and password among the secrets of the hosts");
        text("--transport", "transport", "of rtsp: tcp or udp")->check(CLI::IsMember({"tcp", "udp"}));
        amount("--fps", "fps", "frames a second that are looked at; 0: all");
        text("--policy", "policy", "when work cannot keep up")
            ->check(CLI::IsMember({"wait", "drop_oldest", "drop_latest", "deadline"}));
        amount("--deadline", "deadline_s", "policy deadline: seconds after which a frame is dropped");
        amount("--silence", "silence_s", "seconds without a frame until the connection is given up");
        amount("--connect", "connect_s", "seconds to the first frame");
        cmd.add_option("--label", labels, "only workers that carry this: NAME=VALUE (repeatable)")
            ->allow_extra_args(false);
        text("--preset", "preset", "one of `sightline presets`");
        cmd.add_option("--set", set, "a parameter over the preset's: NAME=VALUE (repeatable)")
            ->allow_extra_args(false);
        cmd.add_option("--zones", zones,
                       "YAML file with zones and rules, in place of those in its parameters");
        cmd.add_flag("--motion", motion, "still scenes are not detected (the default)");
        cmd.add_flag("--no-motion", no_motion, "every frame is detected");
        amount("--motion-threshold", "motion.threshold", "share of the picture that has to change");
        amount("--motion-full", "motion.full_every_s",
               "seconds after which a still scene is detected anyway");
        cmd.add_flag("--snapshots", snapshots, "a JPEG beside each alert");
        cmd.add_flag("--no-snapshots", no_snapshots, "no JPEG");
        cmd.add_flag("--enable", enable, "work on it");
        cmd.add_flag("--disable", disable, "keep it registered, and do not work on it");
    }

    Result<json> fields() const {
        json ask{{"type", "camera_set"}, {"camera", camera}};
        if (!url.empty()) ask["url"] = url;
        for (const auto& [name, value] : texts) ask[name] = value;
        json motion_map = json::object();
        for (const auto& [name, value] : numbers)
            (name.starts_with("motion.") ? motion_map[name.substr(7)] : ask[name]) = value;
        if (motion || no_motion) motion_map["on"] = !no_motion;
        if (!motion_map.empty()) ask["motion"] = motion_map;
        if (enable || disable) ask["enabled"] = !disable;
        if (snapshots || no_snapshots) ask["snapshots"] = !no_snapshots;
        if (!labels.empty()) {
            ask["labels"] = json::object();
            for (const auto& label : labels) {
                const auto [name, value] = halves(label);
                if (!name.empty()) ask["labels"][name] = value;
            }
        }
        JobParams given;
        given.set = set;
        auto params = given.to_json();
        if (!params) return params.error();
        if (!zones.empty()) {
            auto loaded = load_zones_file(zones);
            if (!loaded) return loaded.error();
            for (const char* what : {"zones", "rules"}) (*params)[what] = loaded->value(what, json::array());
        }
        if (!params->empty()) ask["params"] = *params;
        return ask;
    }
};

void change(Context& c, const CameraOptions& o, bool create) {
    auto ask = o.fields();
    if (!ask) return void(c.exit_code = c.fail(ask.error()));
    (*ask)["create"] = create;
    const auto reply = c.request(*ask);
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const json camera = reply->value("camera", json::object());
    if (c.json) return void(c.print({{"camera", camera}}));
    std::cout << "camera " << o.camera << (create ? " is registered" : " is set") << " (revision "
              << number(camera, "revision") << ")\n";
    if (const auto why = trouble(camera); !why.empty()) std::cout << "  " << why << '\n';
}

void add_change(CLI::App* cameras, Context& c, bool create) {
    auto o = std::make_shared<CameraOptions>();
    auto* cmd = cameras->add_subcommand(
        create ? "add" : "set", create ? "register a camera" : "change a camera; what is not said stays");
    cmd->add_option("camera", o->camera, "its id: letters, digits, '-', '_', '.'")->required();
    const char* urls = "rtsp:// http(s):// file:// v4l2:// synthetic://, without user and password";
    if (create)
        cmd->add_option("url", o->url, urls)->required();
    else
        cmd->add_option("--url", o->url, urls);
    o->add_to(*cmd);
    cmd->footer(
        create ? "Examples:\n  sightline cameras add gate rtsp://10.0.0.9/stream1 --secret gate --label "
                 "site=north\n"
                 "  sightline cameras add yard rtsp://10.0.0.8/h264 --fps 2 --preset live --zones yard.yaml"
               : "`--set NAME=null` takes a parameter away, `--label \"\"` the labels.\n"
                 "Examples:\n  sightline cameras set gate --fps 10 --policy deadline --deadline 0.5\n"
                 "  sightline cameras set gate --disable");
    cmd->callback([&c, o, create] { change(c, *o, create); });
}

// --- zones -----------------------------------------------------------------------------------------------

void add_zones_list(CLI::App* zones, Context& c) {
    auto of = std::make_shared<std::string>();
    auto* cmd = zones->add_subcommand("list", "list zones and rules that were set by name");
    cmd->add_option("of", *of, "only of this camera, or path of an input");
    cmd->callback([&c, of] {
        json ask{{"type", "zones"}};
        if (!of->empty()) ask["of"] = *of;
        const auto reply = c.request(ask);
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const json all = reply->value("zones", json::object());
        if (c.json) return void(c.print({{"zones", all}}));
        for (const auto& [name, set] : all.items()) {
            std::cout << name << '\n';
            for (const json& z : set.value("zones", json::array()))
                std::cout << "  zone " << z.dump() << '\n';
            for (const json& r : set.value("rules", json::array()))
                std::cout << "  rule " << r.dump() << '\n';
        }
    });
}

void add_zones_set(CLI::App* zones, Context& c) {
    struct Options {
        std::string of, file;
    };
    auto o = std::make_shared<Options>();
    auto* cmd =
        zones->add_subcommand("set", "set the zones and rules of a file, each by its name; others stay");
    cmd->add_option("of", o->of, "a camera, or the path of an input")->required();
    cmd->add_option("file", o->file, "YAML file with zones and rules")->required();
    cmd->footer(
        "In force at once; a camera is not interrupted.\nExample:\n  sightline zones set gate zones.yaml");
    cmd->callback([&c, o] {
        const auto loaded = load_zones_file(o->file);
        if (!loaded) return void(c.exit_code = c.fail(loaded.error()));
        json reply{{"of", o->of}};
        for (const auto& [what, list] : {std::pair{"zone", "zones"}, std::pair{"rule", "rules"}})
            for (const json& item : loaded->value(list, json::array())) {
                const auto done =
                    c.request({{"type", std::string(what) + "_set"}, {"of", o->of}, {what, item}});
                if (!done) return void(c.exit_code = c.fail(done.error()));
                reply[list] = done->value(list, json::array());
            }
        if (c.json) return void(c.print(reply));
        std::cout << fmt::format("{}: {} zones, {} rules set\n", o->of,
                                 loaded->value("zones", json::array()).size(),
                                 loaded->value("rules", json::array()).size());
    });
}

void add_zones_remove(CLI::App* zones, Context& c) {
    struct Options {
        std::string of;
        std::vector<std::string> zones, rules;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = zones->add_subcommand("remove", "remove zones and rules; all, if none is named");
    cmd->add_option("of", o->of, "a camera, or the path of an input")->required();
    cmd->add_option("--zone", o->zones, "a zone by its name (repeatable)")->allow_extra_args(false);
    cmd->add_option("--rule", o->rules, "a rule by its name (repeatable)")->allow_extra_args(false);
    cmd->footer("Example:\n  sightline zones remove gate --rule intruder --zone yard");
    cmd->callback([&c, o] {
        std::vector<json> asks;  // rules first: they may need the zones
        for (const auto& rule : o->rules)
            asks.push_back({{"type", "rule_remove"}, {"of", o->of}, {"rule", rule}});
        for (const auto& zone : o->zones)
            asks.push_back({{"type", "zone_remove"}, {"of", o->of}, {"zone", zone}});
        if (asks.empty())
            asks = {{{"type", "rule_remove"}, {"of", o->of}}, {{"type", "zone_remove"}, {"of", o->of}}};
        for (const auto& ask : asks)
            if (const auto done = c.request(ask); !done) return void(c.exit_code = c.fail(done.error()));
        if (c.json) return void(c.print({{"of", o->of}}));
        std::cout << o->of << ": removed\n";
    });
}

}  // namespace

void add_cameras(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("cameras", "list, register, change, remove and test cameras");
    cmd->footer(
        "Examples:\n  sightline cameras\n  sightline cameras add gate rtsp://10.0.0.9/stream1 --secret gate\n"
        "  sightline cameras show gate");
    cmd->callback([&c, cmd] {
        if (cmd->get_subcommands().empty()) list(c);
    });
    cmd->add_subcommand("list", "list cameras, who serves them, and what becomes of their frames")
        ->callback([&c] { list(c); });
    add_change(cmd, c, true);
    add_change(cmd, c, false);
    auto id = std::make_shared<std::string>();
    auto* show = cmd->add_subcommand("show", "show one camera, with its registration, zones and rules");
    show->add_option("camera", *id, "its id")->required();
    show->callback([&c, id] {
        const auto reply = c.request({{"type", "camera"}, {"camera", *id}});
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        if (c.json) return void(c.print({{"camera", reply->value("camera", json::object())}}));
        print_camera(reply->value("camera", json::object()));
    });
    auto gone = std::make_shared<std::vector<std::string>>();
    auto* remove = cmd->add_subcommand("remove", "remove cameras, with their zones and rules");
    remove->add_option("camera", *gone, "their ids")->required();
    remove->callback([&c, gone] {
        for (const auto& camera : *gone) {
            const auto reply = c.request({{"type", "camera_remove"}, {"camera", camera}});
            if (!reply) return void(c.exit_code = c.fail(reply.error()));
            if (!c.json) std::cout << "camera " << camera << " is removed\n";
        }
        if (c.json) c.print({{"removed", *gone}});
    });
}

void add_zones(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("zones", "zones and alert rules of cameras and of inputs");
    cmd->require_subcommand(1);
    cmd->footer(
        "Those of an input's path are for jobs with that one input.\n"
        "Examples:\n  sightline zones list\n  sightline zones set gate zones.yaml\n"
        "  sightline zones remove gate --zone yard");
    add_zones_list(cmd, c);
    add_zones_set(cmd, c);
    add_zones_remove(cmd, c);
}

void add_explain(CLI::App& app, Context& c) {
    struct Options {
        std::string camera, since = "10m";
        std::int64_t from_ns = 0, to_ns = 0, track = 0;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = app.add_subcommand("explain", "say what was decided about a camera's tracks, and why not");
    cmd->add_option("camera", o->camera, "its id")->required();
    cmd->add_option("--since", o->since, "how far back: 90s, 10m, 2h")->capture_default_str();
    cmd->add_option("--from", o->from_ns, "begin, nanoseconds UTC; instead of --since");
    cmd->add_option("--to", o->to_ns, "end, nanoseconds UTC; default: now");
    cmd->add_option("--track", o->track, "only this track");
    cmd->footer(
        "Of the tracks that ended and are kept in the log.\nExample:\n  sightline explain gate --since 30m");
    cmd->callback([&c, o] {
        const auto back = seconds_of(o->since);
        if (!back) return void(c.exit_code = c.fail(back.error()));
        const auto to = o->to_ns > 0 ? o->to_ns : now_ns();
        const auto from = o->from_ns > 0 ? o->from_ns : to - std::int64_t(*back * 1e9);
        const auto reply =
            c.request({{"type", "explain"}, {"camera", o->camera}, {"from_ns", from}, {"to_ns", to}});
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        json tracks = json::array();
        for (const json& t : reply->value("tracks", json::array()))
            if (o->track == 0 || number(t, "track") == o->track) tracks.push_back(t);
        const auto since = number(*reply, "since_ns");
        if (c.json) return void(c.print({{"tracks", tracks}, {"since_ns", since}}));
        for (const json& t : tracks) {
            std::cout << fmt::format("track {}  {}  {} for {:.1f} s\n", number(t, "track"),
                                     t.value("class_name", ""), time_text(number(t, "from_ns")),
                                     double(number(t, "to_ns") - number(t, "from_ns")) * 1e-9);
            for (const json& d : t.value("decisions", json::array()))
                std::cout << "  " << (d.is_string() ? d.get<std::string>() : d.dump()) << '\n';
        }
        if (tracks.empty()) std::cout << "no track ended in that time\n";
        if (since > from) std::cout << "(the log is kept since " << time_text(since) << ")\n";
    });
}

}  // namespace sl::cli
