// Camera "v4l2": a camera of this machine, by libavdevice. Written where there was no such device: that it
// fails as it should is tested, that it works is not.
extern "C" {
#include <libavdevice/avdevice.h>
}

#include "workers/ingest/libav_camera.hpp"

namespace sl::ingest {
namespace {

constexpr std::string_view scheme = "v4l2://";

int claims(const std::string& url) {
    return url.starts_with(scheme) ? 10 : 0;
}

Attempt<std::unique_ptr<Connection>> open(const CameraAddress& address) {
    static const bool once = (avdevice_register_all(), true);
    static_cast<void>(once);
    LibavInput input;
    input.url = address.url.substr(scheme.size());
    input.format = "video4linux2";
    input.device = true;
    return open_libav(address, input);
}

}  // namespace

extern const CameraPlugin camera_v4l2;
const CameraPlugin camera_v4l2{"v4l2", "a camera of this machine: v4l2:///dev/video0", claims, open};

}  // namespace sl::ingest
