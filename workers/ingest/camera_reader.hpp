// Camera reader: keeps one camera connected, whatever it does, and hands out its sampled frames.
//
// A thread of its own. Everything that blocks has a deadline: connect_s until the first frame, silence_s
// between frames. After a failure it tries again: at once by the backup URL if there is one, then after
// 0.2 s, doubling, with jitter, to at most 1 s in the first five minutes without a frame, 5 s in the first
// hour, then 30 s. Wrong credentials wait 30 s from the start: cameras lock out who tries often. While the
// backup serves, the first URL is tried beside it each 30 s; the reader changes over when it has a frame.
//
// Capture time: the camera's clock (RTCP sender reports) where it sends it and it is within two seconds of
// ours when the first frame arrives; else when the frame arrived; HLS: as the stream's timestamps
// say, beginning with the first frame's arrival.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/media/media.hpp"
#include "common/secrets.hpp"
#include "schema/live.hpp"
#include "workers/ingest/camera_source.hpp"

namespace sl::ingest {

struct LiveFrame {
    media::FramePtr i420;  // upright, 8-bit YUV420P, range as coded, even sides (padded); read only, may be
                           // kept and given to another thread
    int width = 0, height = 0;  // displayed; may change from one frame to the next
    std::int64_t capture_ns = 0;
    bool still = false;  // nothing moved: need not be detected
};

struct CameraStatus {
    // token, sent, dropped, in_flight, age_ms are left as they are: the caller's.
    schema::CameraReport report;
    std::int64_t corrupt = 0;  // damaged packets and pictures, since the reader began
};

class CameraReader {
public:
    // Called on the reader's thread, in time order. It may block (policy "wait"): nothing is read meanwhile,
    // and that is no silence of the camera.
    using OnFrame = std::function<void(LiveFrame frame)>;
    // Called on the reader's thread when state, url, error, width, height or codec changed. Do not block.
    using OnChange = std::function<void(const CameraStatus& status)>;

    // Starts at once. `secrets` must live as long as this.
    CameraReader(schema::Camera camera, const Secrets& secrets, OnFrame on_frame, OnChange on_change = {});
    ~CameraReader();
    CameraReader(const CameraReader&) = delete;
    CameraReader& operator=(const CameraReader&) = delete;

    // From any thread. The connection is kept unless url, backup_url, secret or transport changed.
    void update(schema::Camera camera);
    // Returns when the thread has ended: within 0.2 s of the callback's return (a name that is being resolved
    // cannot be interrupted: longer). No callback after it. Not from a callback.
    void stop();
    // From any thread.
    CameraStatus status() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

// For `cameras test`: connects to `url` or, failing that, to backup_url, waits for the first frame, closes.
// state "streaming", or "waiting" with an error. Blocks for two connect_s at most.
CameraStatus try_camera(const schema::Camera& camera, const Secrets& secrets);

}  // namespace sl::ingest
