// `sightline cameras test URL|ID`: connects to a camera from this host, as a live/ingest worker here would.
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/program.hpp"
#include "common/camera_json.hpp"
#include "workers/ingest/camera_reader.hpp"

namespace sl::program {
namespace {

using nlohmann::json;

struct TestOptions {
    std::string what, secret, transport = "tcp";
    double connect_s = 5;
};

// What a connection's typed error means for the exit status.
Errc code_of(const std::string& error) {
    if (error == "not_found") return Errc::not_found;
    if (error == "timeout") return Errc::timeout;
    if (error == "auth_failed") return Errc::invalid_argument;
    if (error == "codec_unsupported" || error == "ended") return Errc::bad_media;
    return Errc::unavailable;
}

// A URL as it is given; else a registered camera, as the broker knows it.
Result<schema::Camera> camera_of(cli::Context& c, const TestOptions& o) {
    schema::Camera camera;
    json fields;
    if (o.what.find("://") != std::string::npos) {
        fields = {{"camera", "test"}, {"url", o.what}, {"secret", o.secret}, {"transport", o.transport}};
        fields["connect_s"] = o.connect_s;
    } else {
        const auto reply = c.request({{"type", "camera"}, {"camera", o.what}});
        if (!reply) return reply.error();
        fields = reply->value("camera", json::object()).value("spec", json::object());
    }
    if (auto ok = lay_camera(fields, camera); !ok) return ok.error();
    return camera;
}

int test_camera(cli::Context& c, const TestOptions& o) {
    auto config = c.load_client_config();
    if (!config) return c.fail(config.error());
    const auto camera = camera_of(c, o);
    if (!camera) return c.fail(camera.error());
    const Secrets secrets(config->secrets.file);
    const auto r = ingest::try_camera(*camera, secrets).report;
    if (r.state != "streaming")
        return c.fail({code_of(r.error), "cannot use the camera: " + r.error + ": " + r.message,
                       r.error == "auth_failed" ? "give user and password by --secret NAME" : ""});
    if (c.json)
        return c.print({{"url", r.url},
                        {"width", r.width},
                        {"height", r.height},
                        {"codec", r.codec},
                        {"source_fps", r.source_fps}});
    std::cout << fmt::format("{}: {}x{} {}, {:.3g} fps\n", r.url, r.width, r.height, r.codec, r.source_fps);
    return cli::exit_ok;
}

}  // namespace

void add_camera_test(CLI::App& app, cli::Context& c) {
    auto o = std::make_shared<TestOptions>();
    auto* cmd = app.get_subcommand("cameras")->add_subcommand("test", "connect to a camera from this host");
    cmd->add_option("what", o->what, "a URL, or the id of a registered camera")->required();
    cmd->add_option("--secret", o->secret, "of a URL: name of its user and password among the secrets");
    cmd->add_option("--transport", o->transport, "of a URL, rtsp: tcp or udp")
        ->check(CLI::IsMember({"tcp", "udp"}));
    cmd->add_option("--connect", o->connect_s, "of a URL: seconds to the first frame")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    cmd->footer(
        "Exit status: 0 it streams, 2 wrong user or password, 3 no such path, 4 refused, 7 too late, 8 "
        "cannot "
        "be\ndecoded. Secrets: $SIGHTLINE_SECRET_NAME (user:password) or the file of `secrets.file`.\n"
        "Examples:\n  sightline cameras test rtsp://10.0.0.9/stream1 --secret gate\n  sightline cameras test "
        "gate");
    cmd->callback([&c, o] { c.exit_code = test_camera(c, *o); });
}

}  // namespace sl::program
