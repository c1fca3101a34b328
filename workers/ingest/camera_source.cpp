#include "workers/ingest/camera_source.hpp"

namespace sl::ingest {

Attempt<std::unique_ptr<Connection>> open_camera(const CameraAddress& address) {
    const CameraPlugin* best = nullptr;
    int most = 0;
    std::string all;
    for (const CameraPlugin* plugin : camera_table()) {
        all += (all.empty() ? "" : "; ") + std::string(plugin->help);
        if (const int claim = plugin->claims(address.url); claim > most) most = claim, best = plugin;
    }
    if (best) return best->open(address);
    return CameraError{"not_found", Error{Errc::invalid_argument,
                                          "cannot open camera " + without_credentials(address.url) +
                                              ": no camera source takes such a URL",
                                          "there are: " + all}};
}

}  // namespace sl::ingest
