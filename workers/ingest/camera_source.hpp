// Camera source: how pictures are had from a kind of URL. One file in cameras/ is one plug-in: it defines a
// row `extern const CameraPlugin camera_<file stem>` and hides all else. The table is made from the folder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/secrets.hpp"
#include "schema/result.hpp"

struct AVFrame;

namespace sl::ingest {

// What a camera can do wrong. The message holds the whole chain of causes, and no credentials.
struct CameraError {
    std::string kind;  // "auth_failed" "tls" "not_found" "timeout" "codec_unsupported" "refused" "ended" "io"
    Error error;
};
template <typename T>
using Attempt = std::variant<T, CameraError>;

struct CameraAddress {
    std::string url;  // without credentials
    Secret secret;
    std::string transport = "tcp";  // of rtsp: "tcp" "udp"
    // Asked at least ten times a second while anything blocks; true: come back at once, with an error.
    std::function<bool()> given_up;
};

struct Shot {
    // Borrowed until the next call: native pixel format and size, which may change from one to the next.
    // Null: it came, but was not wanted, or could not be decoded.
    const AVFrame* frame = nullptr;
    std::int64_t capture_ns = 0;  // UTC
    std::int32_t rotation = 0;    // 0 90 180 270: clockwise turn that makes it upright
    bool flip = false;            // mirrored horizontally after the turn
};

// Used by one thread at a time.
class Connection {
public:
    using Wanted = std::function<bool(std::int64_t capture_ns)>;

    virtual ~Connection() = default;
    // The next frame that arrives, in time. Those that nobody wants are decoded only as far as later ones
    // need it. An error ends the connection.
    virtual Attempt<Shot> next(const Wanted& wanted) = 0;
    virtual std::string codec() const = 0;  // name, for reports
    // Packets and pictures so far that were damaged. Pictures are concealed where that can be done.
    virtual std::int64_t corrupt() const { return 0; }
};

struct CameraPlugin {
    const char* name;
    const char* help;  // with an example of a URL
    // Higher is asked first; 0: not mine. By the URL alone.
    int (*claims)(const std::string& url);
    // Connects, up to the description of the stream; frames come by next().
    Attempt<std::unique_ptr<Connection>> (*open)(const CameraAddress& address);
};

std::span<const CameraPlugin* const> camera_table();

// By the plug-in that claims the URL. invalid_argument ("io") names those there are.
Attempt<std::unique_ptr<Connection>> open_camera(const CameraAddress& address);

}  // namespace sl::ingest
