// The program: every command of the client, the fleet, and the processes that a fleet is made of.
#include <fmt/format.h>

#include "broker/cli/cli.hpp"
#include "broker/program.hpp"
#include "common/media/media.hpp"
#include "workers/detect/backend.hpp"

namespace {

std::string version() {
    std::string text = fmt::format("sightline {} (commit {}, protocol {})", SIGHTLINE_VERSION, sl::commit(),
                                   sl::schema::protocol_id);
    for (const auto* backend : sl::detect::backend_table()) {
        std::string why;
        text += fmt::format("\nengine {:12} {}", backend->name,
                            backend->usable(why) ? backend->engine() : "not usable: " + why);
    }
    return text + "\nmedia " + sl::media::engine();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "Sightline: a message bus for computer vision. Video goes in; detections, annotated video and alerts "
        "come out.",
        "sightline");
    app.set_version_flag("--version", version);
    sl::cli::Context context;
    sl::cli::add_global_options(app, context);
    sl::program::add_run(app, context);
    sl::program::add_replay(app, context);
    sl::program::add_live(app, context);
    sl::cli::add_client_commands(app, context);
    sl::cli::add_fleet_commands(app, context);
    sl::program::add_broker(app, context);
    sl::program::add_worker(app, context);
    sl::program::add_sink_test(app, context);
    sl::program::add_camera_test(app, context);
    return sl::cli::run(app, context, argc, argv);
}
