// A camera reader against a real RTSP server on the loopback, which does what cameras do: it is late, dies,
// freezes, comes back, changes its picture, wants a password.
//
//   ffmpeg -re (clip, endless) ──UDP, MPEG-TS──▶ GStreamer's RTSP server ──RTSP──▶ CameraReader ──▶ Watch
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "common/log.hpp"
#include "tests/support/rtsp_camera.hpp"
#include "tests/support/watch.hpp"

namespace sl::ingest {
namespace {

using test::camera_at;
using test::camera_clip;
using test::eventually;
using test::RtspCamera;
using test::Watch;
using ::testing::HasSubstr;
using ::testing::Not;

// stop() may have to wait for a processor, not for a peer: connect_s is 20 s where that would show.
constexpr double prompt_s = 4;

class CameraRtsp : public ::testing::Test {
protected:
    static void SetUpTestSuite() {  // of two suites
        static const bool once =
            (log::setup({"trace", false, "test"}), true);  // to stderr, where it is looked at
        (void)once;
    }
    void SetUp() override {
        if (!RtspCamera::installed())
            SL_SKIP_OR_FAIL("GStreamer's RTSP server for Python is not here: scripts/setup --tests");
    }
};

double since(std::chrono::steady_clock::time_point from) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

TEST_F(CameraRtsp, StartsLateDiesAndReturns) {
    RtspCamera camera(camera_clip({"320x240"}));
    Watch watch(camera_at(camera.url()));
    ASSERT_TRUE(watch.fails("refused"));
    EXPECT_THAT(watch.report().message, HasSubstr("Connection refused"));
    EXPECT_EQ(watch.count(), 0u);

    camera.start();
    ASSERT_TRUE(watch.more());
    EXPECT_EQ(watch.report().state, "streaming");
    EXPECT_EQ(watch.report().error, "");
    EXPECT_EQ(watch.report().codec, "h264");
    EXPECT_EQ(watch.report().connects, 1);

    camera.kill();
    ASSERT_TRUE(eventually([&] { return watch.report().state == "waiting"; }, 60));
    bool ended = false;
    for (const auto& s : watch.changes()) ended |= s.report.error == "ended";
    EXPECT_TRUE(ended);

    camera.start();
    const auto from = std::chrono::steady_clock::now();
    ASSERT_TRUE(watch.more(1));
    std::cout << "first frame " << since(from) << " s after the camera listened again\n";
    EXPECT_EQ(watch.report().connects, 2);
    EXPECT_LT(watch.stop(), prompt_s);
}

TEST_F(CameraRtsp, FreezesAndThaws) {
    RtspCamera camera(camera_clip({"320x240"}));
    camera.start();
    auto settings = camera_at(camera.url());
    Watch watch(settings);
    ASSERT_TRUE(watch.more());

    camera.freeze();
    ASSERT_TRUE(watch.fails("timeout"));
    EXPECT_THAT(watch.changes().back().report.message, HasSubstr("for 2 s"));
    camera.thaw();
    const auto from = std::chrono::steady_clock::now();
    ASSERT_TRUE(watch.more(1));
    std::cout << "first frame " << since(from) << " s after the camera went on\n";
}

TEST_F(CameraRtsp, StopsAtOnceWhileTheCameraIsFrozen) {
    RtspCamera camera(camera_clip({"320x240"}));
    camera.start();
    auto settings = camera_at(camera.url());
    settings.connect_s = settings.silence_s = 20;
    Watch watch(settings);
    ASSERT_TRUE(watch.more());
    camera.freeze();
    EXPECT_LT(watch.stop(), prompt_s);  // in the middle of a read

    Watch again(settings);  // connected by the kernel, answered by nobody
    EXPECT_EQ(again.report().state, "connecting");
    EXPECT_LT(again.stop(), prompt_s);
    camera.thaw();
}

TEST_F(CameraRtsp, ChangesItsPictureInMidStream) {
    RtspCamera camera(camera_clip({"320x240", "640x360"}));
    camera.start();
    Watch watch(camera_at(camera.url()));
    const auto saw = [&](int width, int height) {
        for (const auto& s : watch.seen())
            if (s.width == width && s.height == height) return true;
        return false;
    };
    ASSERT_TRUE(eventually([&] { return saw(320, 240) && saw(640, 360); }, 60));
    EXPECT_EQ(watch.report().connects, 1);
    bool told = false;
    for (const auto& s : watch.changes()) told |= s.report.width == 640 && s.report.height == 360;
    EXPECT_TRUE(told);
}

TEST_F(CameraRtsp, OverUdpAndWithTheSendersClock) {
    RtspCamera camera(camera_clip({"320x240"}));
    camera.start();
    auto settings = camera_at(camera.url());
    settings.transport = "udp";
    Watch watch(settings);
    ASSERT_TRUE(watch.more(30));
    const auto seen = watch.seen();
    for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_GT(seen[i].capture_ns, seen[i - 1].capture_ns);
    // By the sender's clock frames are 100 ms apart whenever they came.
    const double step = double(seen.back().capture_ns - seen[seen.size() - 11].capture_ns) / 1e9;
    EXPECT_NEAR(step, 1.0, 0.35);

    camera.kill();
    ASSERT_TRUE(watch.fails("refused"));  // the control connection told it
    camera.start();
    EXPECT_TRUE(watch.more(1));
}

TEST_F(CameraRtsp, WrongPath) {
    RtspCamera camera(camera_clip({"320x240"}));
    camera.start();
    Watch watch(camera_at(camera.url("/Streaming/Channels/999")));
    ASSERT_TRUE(watch.fails("not_found"));
    EXPECT_THAT(watch.report().message, HasSubstr("Channels/999"));
    watch.reader().update(camera_at(camera.url()));
    EXPECT_TRUE(watch.more());
    EXPECT_EQ(watch.report().error, "");
}

class CameraPassword : public CameraRtsp, public ::testing::WithParamInterface<bool> {};
TEST_P(CameraPassword, IsAskedForAndNeverTold) {
    const std::string password = "s3cr:t/&p@ss";
    std::vector<std::string> arguments = {"--user", "admin", "--password", password};
    if (GetParam()) arguments.push_back("--basic");
    RtspCamera camera(camera_clip({"320x240"}), arguments);
    camera.start();
    ::setenv("SIGHTLINE_SECRET_RIGHT", ("admin:" + password).c_str(), 1);
    ::setenv("SIGHTLINE_SECRET_WRONG", ("admin:not" + password).c_str(), 1);
    const Secrets secrets("");
    ::testing::internal::CaptureStderr();
    std::string told;
    const auto note = [&](const Watch& watch) {
        for (const auto& s : watch.changes())
            told += s.report.state + " " + s.report.url + " " + s.report.message + "\n";
    };
    auto settings = camera_at(camera.url());
    {
        Watch watch(settings, secrets);
        EXPECT_TRUE(watch.fails("auth_failed"));
        note(watch);
        EXPECT_LT(watch.stop(), prompt_s);  // in the middle of a long wait
    }
    {
        settings.secret = "wrong";
        Watch watch(settings, secrets);
        EXPECT_TRUE(watch.fails("auth_failed"));
        settings.secret = "none";
        watch.reader().update(settings);
        EXPECT_TRUE(eventually([&] { return watch.report().message.find("'none'") != std::string::npos; }));
        settings.secret = "right";
        watch.reader().update(settings);
        EXPECT_TRUE(watch.more());
        note(watch);
    }
    told += ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(told, HasSubstr("auth_failed"));  // of the log
    for (const char* form :
         {"s3cr:t/&p@ss", "s3cr%3At%2F%26p%40ss", "czNjcjp0LyZwQHNz", "YWRtaW46czNjcjp0LyZwQHNz"})
        EXPECT_THAT(told, Not(HasSubstr(form)));
}
INSTANTIATE_TEST_SUITE_P(Each, CameraPassword, ::testing::Bool(),
                         [](const auto& it) { return it.param ? "basic" : "digest"; });

TEST_F(CameraRtsp, TlsToAPlainPort) {
    RtspCamera camera(camera_clip({"320x240"}));
    camera.start();
    std::string url = camera.url();
    url.replace(0, 4, "rtsps");
    Watch watch(camera_at(url));
    ASSERT_TRUE(watch.fails("tls")) << watch.report().error << ": " << watch.report().message;
}

TEST_F(CameraRtsp, FailsOverAndComesBack) {
    RtspCamera first(camera_clip({"320x240"})), backup(camera_clip({"640x360"}));
    first.start();
    backup.start();
    auto settings = camera_at(first.url());
    settings.backup_url = backup.url();
    Watch watch(settings);
    ASSERT_TRUE(watch.more());
    EXPECT_EQ(watch.report().width, 320);

    first.kill();
    ASSERT_TRUE(eventually([&] { return watch.report().width == 640; }, 60));
    EXPECT_EQ(watch.report().state, "streaming");
    EXPECT_EQ(watch.report().url, backup.url());
    EXPECT_NE(watch.report().error, "");  // says what is wrong with the first

    // The first is taken again when the backup ends,
    first.start();
    backup.kill();
    ASSERT_TRUE(eventually(
        [&] { return watch.report().url == first.url() && watch.report().state == "streaming"; }, 60));
    EXPECT_EQ(watch.report().error, "");

    // and beside the backup, without a gap.
    backup.start();
    first.kill();
    ASSERT_TRUE(eventually(
        [&] { return watch.report().url == backup.url() && watch.report().state == "streaming"; }, 60));
    first.start();
    const std::size_t from = watch.changes().size();
    ASSERT_TRUE(eventually([&] { return watch.report().url == first.url(); }, 90));
    for (std::size_t i = from; i < watch.changes().size(); ++i)
        EXPECT_EQ(watch.changes()[i].report.state, "streaming");
    EXPECT_TRUE(watch.more());
    EXPECT_EQ(watch.report().width, 320);
}

}  // namespace
}  // namespace sl::ingest
