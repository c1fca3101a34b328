// Live ingest: holds the `camera` leases of this worker. Each camera has a reader with a thread of its own
// (camera_reader.hpp); this stage sends its frames on as fast as the camera's home sees them, and tells the
// broker how each is (PROTOCOL.md section 9). Bus thread only: there is nothing to compute.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "common/mailbox.hpp"
#include "common/secrets.hpp"
#include "common/worker/stage.hpp"
#include "schema/live.hpp"
#include "workers/ingest/camera_reader.hpp"
#include "workers/ingest/frame_queue.hpp"

namespace sl::ingest {

class LiveIngestStage final : public worker::Stage {
public:
    // `secrets_file`: see Secrets.
    explicit LiveIngestStage(std::string secrets_file);
    ~LiveIngestStage() override;

    void work(bus::Envelope&, worker::Emit&) override {}
    // Takes "camera" and "seen".
    bool intercept(bus::Envelope& e, worker::BusApi& api) override;
    void on_drop(const schema::Token& token, worker::BusApi& api) override;
    void on_tick(Clock::time_point now, worker::BusApi& api) override;
    bool idle() const override { return cameras_.empty(); }
    bool gathers() const override { return true; }
    int wake_fd() const override { return wake_; }
    void on_wake(worker::BusApi& api) override;

private:
    struct Camera {
        schema::CameraTask lease;
        std::shared_ptr<FrameQueue> queue;
        std::unique_ptr<CameraReader> reader;
        std::map<std::int64_t, Clock::time_point> in_flight;  // by seq: when it was sent
        std::int64_t sent = 0;
        double age_ms = 0;  // of the last frame when it was sent
        std::shared_ptr<std::atomic<bool>> changed = std::make_shared<std::atomic<bool>>(false);
        Clock::time_point reported{};
    };

    void take(schema::CameraTask task, worker::BusApi& api);
    void connect(Camera& c, worker::BusApi& api);
    void let_go(std::map<std::string, Camera>::iterator camera);
    void expire(Camera& c, Clock::time_point now);
    bool send_one(Camera& c, worker::BusApi& api);
    void flush(worker::BusApi& api);
    void report(Camera& c, Clock::time_point now, worker::BusApi& api);

    const Secrets secrets_;
    const int wake_;  // eventfd
    std::map<std::string, Camera> cameras_;
    std::string served_;  // the camera that sent last: the next one is first
    // Readers on their way out: to end one may take a while.
    Mailbox<std::unique_ptr<CameraReader>> leaving_;
    std::jthread ender_;
};

}  // namespace sl::ingest
