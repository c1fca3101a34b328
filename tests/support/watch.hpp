// A camera reader and all that it handed out.
#pragma once

#include <mutex>

extern "C" {
#include <libavutil/frame.h>
}

#include "tests/support/server_process.hpp"
#include "workers/ingest/camera_reader.hpp"

namespace sl::test {

class Watch {
public:
    struct Seen {
        int width, height;
        std::int64_t capture_ns;
        bool still;
    };

    explicit Watch(schema::Camera camera, const Secrets& secrets = none())
        : reader_(
              std::move(camera), secrets,
              [this](ingest::LiveFrame frame) {
                  EXPECT_EQ(frame.i420->format, AV_PIX_FMT_YUV420P);
                  EXPECT_EQ(frame.i420->width, (frame.width + 1) / 2 * 2);
                  EXPECT_EQ(frame.i420->height, (frame.height + 1) / 2 * 2);
                  const std::lock_guard lock(mutex_);
                  seen_.push_back({frame.width, frame.height, frame.capture_ns, frame.still});
                  last_ = std::move(frame.i420);
              },
              [this](const ingest::CameraStatus& status) {
                  const std::lock_guard lock(mutex_);
                  changes_.push_back(status);
              }) {}

    ingest::CameraReader& reader() { return reader_; }
    ingest::CameraStatus status() const { return reader_.status(); }
    schema::CameraReport report() const { return reader_.status().report; }
    std::vector<Seen> seen() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    std::vector<ingest::CameraStatus> changes() const {
        const std::lock_guard lock(mutex_);
        return changes_;
    }
    media::FramePtr last() {
        const std::lock_guard lock(mutex_);
        return std::move(last_);
    }
    std::size_t count() const { return seen().size(); }
    // So many more frames than now.
    bool more(std::size_t frames = 3, double seconds = 60) const {
        const std::size_t before = count();
        return eventually([&] { return count() >= before + frames; }, seconds);
    }
    bool fails(const std::string& kind, double seconds = 60) const {
        return eventually([&] { return report().error == kind && report().state == "waiting"; }, seconds);
    }
    // How long stop() took.
    double stop() {
        const auto from = std::chrono::steady_clock::now();
        reader_.stop();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    }

private:
    static const Secrets& none() {
        static const Secrets secrets("");
        return secrets;
    }

    mutable std::mutex mutex_;
    std::vector<Seen> seen_;
    std::vector<ingest::CameraStatus> changes_;
    media::FramePtr last_;
    ingest::CameraReader reader_;  // last: its thread uses the rest
};

inline schema::Camera camera_at(const std::string& url) {
    schema::Camera camera;
    camera.camera = "yard";
    camera.url = url;
    camera.fps = 0;
    return camera;
}

}  // namespace sl::test
