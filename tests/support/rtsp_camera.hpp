// An RTSP camera of the test's own (rtsp_camera.py): a real server on a loopback port, which can be late,
// die, freeze and come back.
#pragma once

#include "tests/support/clips.hpp"
#include "tests/support/server_process.hpp"

namespace sl::test {

// A clip for it, made once: H.264 with a key frame each second, 10 frames a second of moving bars and a
// clock; of several sizes ("320x240"): four seconds each, one after the other.
inline std::string camera_clip(const std::vector<std::string>& sizes) {
    std::string name, parts, commands;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        name += (i ? "-" : "") + sizes[i];
        const std::string part = scratch() + "/" + sizes[i] + "." + std::to_string(i) + ".ts";
        parts += " " + part;
        commands += "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=s=" + sizes[i] +
                    ":r=10:d=4 -c:v libx264 -preset ultrafast -tune zerolatency -g 10 -pix_fmt yuv420p"
                    " -output_ts_offset " +
                    std::to_string(4 * i) + " " + part + " && ";
    }
    const std::string path = scratch() + "/" + name + ".ts";
    if (::access(path.c_str(), R_OK) == 0) return path;
    std::string output;
    if (shell(commands + "cat" + parts + " > " + path, &output) != 0)
        throw std::runtime_error("cannot make " + path + ": " + output);
    return path;
}

class RtspCamera {
public:
    static bool installed() {
        static const bool it = shell(
                                   "/usr/bin/python3 -c 'import gi; gi.require_version(\"GstRtspServer\", "
                                   "\"1.0\"); from gi.repository import GstRtspServer'") == 0;
        return it;
    }
    explicit RtspCamera(std::string clip, std::vector<std::string> arguments = {})
        : clip_(std::move(clip)), arguments_(std::move(arguments)) {}

    std::string url(const std::string& path = "/Streaming/Channels/101") const {
        return "rtsp://127.0.0.1:" + std::to_string(port_) + path;
    }
    int port() const { return port_; }

    // Returns when it listens.
    void start() {
        const std::string log = folder_.path() + "/log" + std::to_string(++starts_);
        std::vector<std::string> argv = {
            "/usr/bin/python3",
            std::string(std::getenv("SIGHTLINE_SOURCE_DIR")) + "/tests/support/rtsp_camera.py",
            "--clip",
            clip_,
            "--port",
            std::to_string(port_)};
        argv.insert(argv.end(), arguments_.begin(), arguments_.end());
        process_ = ServerProcess(argv, log);
        if (!eventually([&] { return read_text(log).find("ready") != std::string::npos; }, 60))
            throw std::runtime_error("the RTSP camera did not start: " + read_text(log));
    }
    void kill() { process_.stop(SIGKILL); }
    void freeze() const { process_.signal(SIGSTOP); }
    void thaw() const { process_.signal(SIGCONT); }

private:
    const std::string clip_;
    const std::vector<std::string> arguments_;
    ScratchFolder folder_{"camera"};
    const int port_ = free_port();
    int starts_ = 0;
    ServerProcess process_;
};

}  // namespace sl::test
