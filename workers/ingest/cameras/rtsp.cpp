// Camera "rtsp": RTSP over TCP (one connection, nothing lost) or UDP (transport: udp; lost packets damage
// pictures). Certificates of rtsps:// are not checked: cameras sign their own.
#include "workers/ingest/libav_camera.hpp"

namespace sl::ingest {
namespace {

int claims(const std::string& url) {
    return url.starts_with("rtsp://") || url.starts_with("rtsps://") ? 10 : 0;
}

Attempt<std::unique_ptr<Connection>> open(const CameraAddress& address) {
    LibavInput input;
    input.url = with_credentials(address.url, address.secret);
    input.format = "rtsp";
    input.clock = CaptureClock::sender;
    input.described = true;
    input.options = {{"rtsp_transport", address.transport == "udp" ? "udp" : "tcp"},
                     {"allowed_media_types", "video"},
                     {"protocol_whitelist", "rtp,srtp,udp,tcp,tls,http,https"},
                     {"user_agent", "Sightline"}};
    return open_libav(address, input);
}

}  // namespace

extern const CameraPlugin camera_rtsp;
const CameraPlugin camera_rtsp{"rtsp", "RTSP: rtsp://host:554/Streaming/Channels/101", claims, open};

}  // namespace sl::ingest
