// Camera "http": what a web server sends: MJPEG (multipart/x-mixed-replace), MPEG-TS and the like as they
// come; HLS and files by their timestamps, since they come in bursts. A file begins again at its end, after
// the reader's back-off.
#include <algorithm>
#include <cctype>

#include "workers/ingest/libav_camera.hpp"

namespace sl::ingest {
namespace {

int claims(const std::string& url) {
    return url.starts_with("http://") || url.starts_with("https://") ? 10 : 0;
}

// Ends of paths that name something which does not come as it is captured.
bool in_bursts(const std::string& url) {
    std::string path = url.substr(0, url.find_first_of("?#"));
    std::transform(path.begin(), path.end(), path.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const char* end : {".m3u8", ".mp4", ".mkv", ".webm", ".avi", ".mov"})
        if (path.ends_with(end)) return true;
    return false;
}

Attempt<std::unique_ptr<Connection>> open(const CameraAddress& address) {
    LibavInput input;
    input.url = with_credentials(address.url, address.secret);
    if (in_bursts(address.url)) {
        input.clock = CaptureClock::stream;
        input.pace = 1.02;  // a server's clock that is faster than ours would pile up seconds in a day
    }
    input.options = {{"analyzeduration", "1000000"},  // µs
                     {"probesize", "1000000"},
                     {"protocol_whitelist", "http,https,tcp,tls,crypto"},  // never a file, whatever it says
                     {"user_agent", "Sightline"}};
    return open_libav(address, input);
}

}  // namespace

extern const CameraPlugin camera_http;
const CameraPlugin camera_http{"http", "HTTP: HLS, MJPEG, MPEG-TS, files: http://host/live/index.m3u8",
                               claims, open};

}  // namespace sl::ingest
