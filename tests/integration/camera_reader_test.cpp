// A camera reader without RTSP: files as cameras, synthetic ones, HTTP and HLS from a real web server, and
// ports on which nobody speaks as they should.
//
//   file │ synthetic │ python3 -m http.server │ a socket ──▶ CameraReader ──▶ Watch
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <thread>

#include "common/log.hpp"
#include "tests/support/clips.hpp"
#include "tests/support/watch.hpp"

namespace sl::ingest {
namespace {

using test::camera_at;
using test::eventually;
using test::scratch;
using test::Watch;
using ::testing::HasSubstr;

constexpr double prompt_s = 4;  // a machine may be busy; deadlines of peers are set to 20 s where that shows

// A file that ffmpeg makes, once a program.
std::string made(const std::string& name, const std::string& arguments) {
    const std::string path = scratch() + "/" + name;
    if (::access(path.c_str(), R_OK) == 0) return path;
    std::string output;
    if (test::shell("ffmpeg -v error -nostdin -y " + arguments + " '" + path + "'", &output) != 0)
        throw std::runtime_error("cannot make " + path + ": " + output);
    return path;
}
const std::string bars = "-f lavfi -i testsrc2=s=320x240:r=10:d=2 ";
const std::string h264 = "-c:v libx264 -preset ultrafast -tune zerolatency -g 10 -pix_fmt yuv420p ";

std::vector<std::int64_t> steps_ms(const Watch& watch) {
    std::vector<std::int64_t> out;
    const auto seen = watch.seen();
    for (std::size_t i = 1; i < seen.size(); ++i)
        out.push_back(std::llround(double(seen[i].capture_ns - seen[i - 1].capture_ns) / 1e6));
    return out;
}

// --- files ---------------------------------------------------------------------------------------------

TEST(CameraReader, AFileIsACameraWithoutEndAndWithoutAGapInTime) {
    // B-frames and a late start: what comes first is not what is shown first.
    const auto path = made("loop.mp4",
                           "-f lavfi -i testsrc2=s=320x240:r=20:d=1 -c:v libx264 -preset fast -bf 3 -g 20 "
                           "-pix_fmt yuv420p -output_ts_offset 5");
    Watch watch(camera_at("file://" + path));
    ASSERT_TRUE(watch.more(50));  // into the third round
    EXPECT_LT(watch.stop(), prompt_s);
    const auto steps = steps_ms(watch);
    // All are as long as the file says, but where this machine was half a second late.
    EXPECT_GE(std::count(steps.begin(), steps.end(), 50), int(steps.size()) - 5);
    EXPECT_GT(*std::min_element(steps.begin(), steps.end()), 0);
    EXPECT_EQ(watch.report().connects, 1);
    EXPECT_EQ(watch.report().codec, "h264");
    EXPECT_EQ(watch.report().sampled, std::int64_t(watch.count()));
}

TEST(CameraReader, TakesFramesOnAGridInCaptureTime) {
    auto settings = camera_at(made("grid.mp4", bars + h264));
    settings.fps = 5;
    Watch watch(settings);
    ASSERT_TRUE(watch.more(10));
    watch.stop();
    const auto steps = steps_ms(watch);
    EXPECT_GE(std::count(steps.begin(), steps.end(), 200), int(steps.size()) - 3);
    EXPECT_GE(watch.report().captured, 2 * watch.report().sampled - 1);
}

struct Kind {
    const char* name;
    std::string file, arguments;
    int width, height;
};
void PrintTo(const Kind& kind, std::ostream* out) {
    *out << kind.name;
}
class CameraPicture : public ::testing::TestWithParam<Kind> {};
TEST_P(CameraPicture, ComesUprightAsI420) {
    Watch watch(camera_at("file://" + made(GetParam().file, GetParam().arguments)));
    ASSERT_TRUE(watch.more()) << watch.report().message;  // Watch holds that they are I420 with even sides
    EXPECT_EQ(watch.report().width, GetParam().width);
    EXPECT_EQ(watch.report().height, GetParam().height);
    EXPECT_EQ(watch.status().corrupt, 0);
}
INSTANTIATE_TEST_SUITE_P(
    Each, CameraPicture,
    ::testing::Values(
        Kind{"turned", "turned.mp4",
             "-i " + made("upright.mp4", bars + h264) + " -c copy -metadata:s:v:0 rotate=90", 240, 320},
        Kind{
            "odd", "odd.webm",
            "-f lavfi -i testsrc2=r=10:d=1 -vf scale=321:241 -pix_fmt yuv420p -c:v libvpx -deadline realtime",
            321, 241},
        Kind{"full_range", "jpeg.avi", bars + "-c:v mjpeg -pix_fmt yuvj420p", 320, 240},
        Kind{"ten_bits", "ten.mp4", bars + "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le", 320, 240},
        Kind{"wide_chroma", "422.avi", bars + "-c:v mjpeg -pix_fmt yuvj422p", 320, 240}),
    [](const auto& it) { return it.param.name; });

TEST(CameraReader, DamagedPacketsAreCountedAndGoneOver) {
    const auto path = made("damaged.ts",
                           "-f lavfi -i testsrc2=s=640x360:r=20:d=2 -c:v libx264 -preset ultrafast "
                           "-g 20 -pix_fmt yuv420p -bsf:v noise=amount=3000");
    Watch watch(camera_at("file://" + path));
    ASSERT_TRUE(eventually([&] { return watch.status().corrupt > 3; }, 60));
    EXPECT_TRUE(watch.more(1));
    EXPECT_EQ(watch.report().connects, 1);
}

// --- synthetic, settings -------------------------------------------------------------------------------

TEST(CameraReader, SyntheticKeepsItsRateAndComesBackWhenItEnds) {
    Watch watch(camera_at("synthetic://?width=64&height=48&fps=20&frames=5"));
    ASSERT_TRUE(eventually([&] { return watch.report().connects >= 3; }, 60));
    watch.stop();
    bool ended = false;
    for (const auto& s : watch.changes()) ended |= s.report.error == "ended";
    EXPECT_TRUE(ended);
    const auto steps = steps_ms(watch);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(steps[std::size_t(i)], 50);
    EXPECT_GE(steps[4], 100);  // the wait before the second try
}

TEST(CameraReader, NewSettingsKeepTheConnectionAndANewUrlDoesNot) {
    auto settings = camera_at("synthetic://?fps=20&boxes=3");
    Watch watch(settings);
    ASSERT_TRUE(watch.more(10));
    settings.fps = 2;
    settings.silence_s = 5;
    watch.reader().update(settings);
    ASSERT_TRUE(watch.more(5));
    EXPECT_EQ(steps_ms(watch).back(), 500);
    EXPECT_EQ(watch.report().connects, 1);
    settings.url = "synthetic://?width=128&height=96";
    watch.reader().update(settings);
    ASSERT_TRUE(eventually([&] { return watch.report().width == 128; }));
    EXPECT_EQ(watch.report().connects, 2);
    EXPECT_EQ(watch.report().error, "");
}

TEST(CameraReader, StillFramesAreMarkedAndSomeAreDetectedAllTheSame) {
    auto settings = camera_at("synthetic://?fps=20&boxes=0");
    settings.motion.full_every_s = 0.5;
    Watch watch(settings);
    ASSERT_TRUE(watch.more(31));
    watch.stop();
    const auto seen = watch.seen();
    for (std::size_t i = 0; i < 31; ++i) EXPECT_EQ(seen[i].still, i % 10 != 0) << i;
    EXPECT_EQ(watch.report().gated,
              std::count_if(seen.begin(), seen.end(), [](const auto& s) { return s.still; }));

    Watch busy(camera_at("synthetic://?fps=20&boxes=4"));
    ASSERT_TRUE(busy.more(20));
    busy.stop();
    EXPECT_EQ(busy.report().gated, 0);
    settings.motion.on = false;
    Watch off(settings);
    ASSERT_TRUE(off.more(20));
    off.stop();
    EXPECT_EQ(off.report().gated, 0);
}

TEST(CameraReader, ACallbackMayHoldItUp) {
    std::atomic<bool> hold = true;
    std::atomic<int> frames = 0;
    auto settings = camera_at("synthetic://?fps=20");
    settings.silence_s = 0.2;
    const Secrets secrets("");
    CameraReader reader(settings, secrets, [&](LiveFrame) {
        ++frames;
        const auto from = std::chrono::steady_clock::now();
        while (hold && std::chrono::steady_clock::now() - from < std::chrono::seconds(30)) ::usleep(1000);
    });
    ASSERT_TRUE(eventually([&] { return frames == 1; }));
    ASSERT_FALSE(eventually([&] { return frames > 1; }, 0.5));  // longer than silence_s
    hold = false;
    ASSERT_TRUE(eventually([&] { return frames > 5; }));
    EXPECT_EQ(reader.status().report.connects, 1);
}

// --- what is no camera ---------------------------------------------------------------------------------

struct Wrong {
    const char* name;
    std::string url, kind, told;
};
void PrintTo(const Wrong& wrong, std::ostream* out) {
    *out << wrong.name;
}
class CameraWrong : public ::testing::TestWithParam<Wrong> {};
TEST_P(CameraWrong, IsToldByItsKind) {
    std::string url = GetParam().url;
    if (url == "audio") url = made("audio.mp4", "-f lavfi -i sine=d=1 -c:a aac");
    if (url == "text") std::ofstream(url = scratch() + "/text.txt") << std::string(5000, 'x') << "\nhello\n";
    if (url == "unknown") {  // a codec that libav has no decoder for
        url = scratch() + "/unknown.avi";
        std::string bytes = test::read_text(made("known.avi", bars + "-c:v mjpeg"));
        for (std::size_t at; (at = bytes.find("MJPG")) != std::string::npos;) bytes.replace(at, 4, "ZZZ9");
        std::ofstream(url) << bytes;
    }
    Watch watch(camera_at(url));
    ASSERT_TRUE(eventually([&] { return watch.report().state == "waiting"; }, 60));
    EXPECT_EQ(watch.report().error, GetParam().kind) << watch.report().message;
    EXPECT_THAT(watch.report().message, HasSubstr(GetParam().told));
    EXPECT_LT(watch.stop(), prompt_s);
    EXPECT_EQ(watch.count(), 0u);

    const auto tried = try_camera(camera_at(url), Secrets(""));
    EXPECT_EQ(tried.report.error, GetParam().kind);
    EXPECT_EQ(tried.report.state, "waiting");
}
INSTANTIATE_TEST_SUITE_P(
    Each, CameraWrong,
    ::testing::Values(Wrong{"no_device", "v4l2:///dev/video97", "not_found", "/dev/video97"},
                      Wrong{"no_file", "file:///nowhere/a.mp4", "not_found", "No such file"},
                      Wrong{"no_such_source", "gopher://host/1", "not_found", "no camera source"},
                      Wrong{"no_such_key", "synthetic://?wdth=1", "not_found", "'wdth' is no key"},
                      Wrong{"sound", "audio", "codec_unsupported", "audio aac"},
                      Wrong{"text", "text", "codec_unsupported", "text"},
                      Wrong{"codec", "unknown", "codec_unsupported", "video"},
                      Wrong{"credentials", "rtsp://admin:hidden@127.0.0.1:1/", "auth_failed", "rtsp://127"}),
    [](const auto& it) { return it.param.name; });

TEST(CameraReader, TryCameraTakesTheBackup) {
    auto settings = camera_at("file:///nowhere/a.mp4");
    settings.backup_url = "synthetic://?width=64&height=48";
    const auto tried = try_camera(settings, Secrets(""));
    EXPECT_EQ(tried.report.state, "streaming");
    EXPECT_EQ(tried.report.url, settings.backup_url);
    EXPECT_EQ(tried.report.width, 64);
    EXPECT_EQ(tried.report.error, "not_found");  // of the first
}

// Accepts, says something or nothing, and keeps the connection.
class Mumbler {
public:
    explicit Mumbler(std::string says) : says_(std::move(says)) {
        fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 8) != 0 ||
            ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] {
            for (int peer; (peer = ::accept(fd_, nullptr, nullptr)) >= 0;) {
                static_cast<void>(!::send(peer, says_.data(), says_.size(), MSG_NOSIGNAL));
                peers_.push_back(peer);
            }
        });
    }
    ~Mumbler() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        for (const int peer : peers_) ::close(peer);
        ::close(fd_);
    }
    std::string at(const std::string& scheme) const {
        return scheme + "://127.0.0.1:" + std::to_string(port_) + "/a";
    }

private:
    const std::string says_;
    int fd_ = -1, port_ = 0;
    std::vector<int> peers_;
    std::thread thread_;
};

TEST(CameraReader, SilenceIsATimeoutAndStopsAtOnce) {
    const Mumbler mumbler("");
    for (const char* scheme : {"rtsp", "http"}) {
        auto settings = camera_at(mumbler.at(scheme));
        settings.connect_s = 1;
        Watch watch(settings);
        ASSERT_TRUE(watch.fails("timeout")) << watch.report().message;
        EXPECT_THAT(watch.report().message, HasSubstr("1 s"));
        settings.connect_s = 20;
        Watch patient(settings);
        EXPECT_LT(patient.stop(), prompt_s);
    }
}

TEST(CameraReader, GarbageIsAnError) {
    const Mumbler mumbler("SSH-2.0-OpenSSH_9.2\r\n\x01\x02\x03 nonsense\r\n\r\n");
    for (const char* scheme : {"rtsp", "http"}) {
        auto settings = camera_at(mumbler.at(scheme));
        settings.connect_s = 2;
        Watch watch(settings);
        ASSERT_TRUE(eventually([&] { return watch.report().state == "waiting"; }, 60));
        EXPECT_THAT(watch.report().error, ::testing::AnyOf("io", "timeout", "ended", "codec_unsupported"));
        EXPECT_THAT(watch.report().message, HasSubstr(settings.url));
    }
}

// --- HTTP ----------------------------------------------------------------------------------------------

class WebServer {
public:
    explicit WebServer(const std::string& folder) {
        process_ = test::ServerProcess({"/usr/bin/python3", "-m", "http.server", std::to_string(port_),
                                        "--bind", "127.0.0.1", "--directory", folder},
                                       scratch() + "/web.log");
        if (!eventually([&] { return test::shell("curl -sf -o /dev/null " + at("")) == 0; }))
            throw std::runtime_error("the web server did not start");
    }
    std::string at(const std::string& file) const {
        return "http://127.0.0.1:" + std::to_string(port_) + "/" + file;
    }

private:
    const int port_ = test::free_port();
    test::ServerProcess process_;
};

TEST(CameraReader, HttpFilesAndHls) {
    const test::ScratchFolder folder("web");
    std::string output;
    ASSERT_EQ(test::shell("cd " + folder.path() + " && ffmpeg -v error -nostdin " + bars + h264 +
                              "-movflags faststart clip.mp4 && " +
                              "ffmpeg -v error -nostdin -f lavfi -i testsrc2=s=320x240:r=10:d=6 " + h264 +
                              "-f hls -hls_time 2 -hls_list_size 0 live.m3u8",
                          &output),
              0)
        << output;
    const WebServer server(folder.path());
    for (const char* file : {"clip.mp4", "live.m3u8"}) {
        Watch watch(camera_at(server.at(file)));
        ASSERT_TRUE(watch.more(15)) << watch.report().message;
        // As they are timed, though they came at once (2 % faster, see http.cpp).
        const auto steps = steps_ms(watch);
        EXPECT_GE(std::count_if(steps.begin(), steps.end(), [](auto ms) { return ms == 98 || ms == 100; }),
                  12);
        ASSERT_TRUE(eventually([&] { return watch.report().connects >= 2; }, 60));  // both come to an end
    }
    Watch missing(camera_at(server.at("none.m3u8")));
    EXPECT_TRUE(missing.fails("not_found"));
}

TEST(CameraReader, HlsThatNamesAFileOfThisMachineReadsNone) {
    const test::ScratchFolder folder("web");
    const auto clip = made("secret.ts", bars + h264);
    std::ofstream(folder.path() + "/evil.m3u8")
        << "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://" << clip << "\n#EXT-X-ENDLIST\n";
    const WebServer server(folder.path());
    Watch watch(camera_at(server.at("evil.m3u8")));
    ASSERT_TRUE(eventually([&] { return watch.report().state == "waiting"; }, 60));
    EXPECT_EQ(watch.count(), 0u);
}

// Cameras' "live view": one JPEG after the other in a multipart document, without times.
TEST(CameraReader, MotionJpegOverHttp) {
    const std::string jpeg = test::read_text(made("one.jpg", "-f lavfi -i testsrc2=s=320x240 -frames:v 1"));
    std::string says = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    for (int i = 0; i < 8; ++i)
        says += "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(jpeg.size()) +
                "\r\n\r\n" + jpeg + "\r\n";
    const Mumbler mumbler(says);
    auto settings = camera_at(mumbler.at("http"));
    settings.silence_s = 1;
    Watch watch(settings);
    ASSERT_TRUE(watch.more(6)) << watch.report().message;
    EXPECT_EQ(watch.report().codec, "mjpeg");
    EXPECT_TRUE(watch.fails("timeout"));  // then silence
}

}  // namespace
}  // namespace sl::ingest
