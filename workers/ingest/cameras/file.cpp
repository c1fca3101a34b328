// Camera "file": a video file played at its own frame rate, over and over, as if it were a camera. Time goes
// on where it begins again.
#include <cctype>
#include <cstdlib>

#include "workers/ingest/libav_camera.hpp"

namespace sl::ingest {
namespace {

constexpr std::string_view scheme = "file://";

int claims(const std::string& url) {
    return url.starts_with(scheme) ? 10 : url.find("://") == std::string::npos ? 1 : 0;
}

// file:///a%20b → /a b
std::string path_of(const std::string& url) {
    if (!url.starts_with(scheme)) return url;
    std::string out;
    for (std::size_t i = scheme.size(); i < url.size(); ++i) {
        if (url[i] == '%' && i + 2 < url.size() && std::isxdigit(static_cast<unsigned char>(url[i + 1])) &&
            std::isxdigit(static_cast<unsigned char>(url[i + 2]))) {
            out += char(std::strtol(url.substr(i + 1, 2).c_str(), nullptr, 16));
            i += 2;
        } else {
            out += url[i];
        }
    }
    return out;
}

Attempt<std::unique_ptr<Connection>> open(const CameraAddress& address) {
    LibavInput input;
    input.url = "file:" + path_of(address.url);
    input.clock = CaptureClock::stream;
    input.loop = true;
    input.options = {{"protocol_whitelist", "file"}};
    return open_libav(address, input);
}

}  // namespace

extern const CameraPlugin camera_file;
const CameraPlugin camera_file{"file", "a video file, over and over: file:///srv/media/yard.mp4", claims,
                               open};

}  // namespace sl::ingest
