// Live home: what an annotate worker does with the cameras whose `watch` leases it holds: gather the boxes of
// each frame, decide the frames in order, record the state with the alerts (PROTOCOL.md section 9).
//
//   WATCH → gather (boxes, pictures, stills) → decide, in order of seq → LIVE_STEP → (ok) the next
//
// Bus thread only, but for pictures of alerts, which the work thread encodes.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/worker/stage.hpp"
#include "schema/live.hpp"
#include "workers/annotate/snapshots.hpp"

namespace sl::annotate {

// What is recorded of a camera after each step, packed.
struct LiveState {
    schema::StreamState stream;
    std::int64_t frames = 0;         // decided so far: the ordinal of the next one
    std::vector<schema::Box> boxes;  // of the last detected frame, as detected (L4)
    MSGPACK_DEFINE_MAP(stream, frames, boxes)
};

// One frame as it was decided, for who looks on. Borrowed during the call.
struct DecidedFrame {
    const schema::JobSpec& spec;
    const schema::Capture& capture;
    std::span<const schema::Box> boxes;     // as shown, with tracks
    std::span<const std::uint8_t> picture;  // I420; empty: none came. A still frame has the one before
};

class LiveHome final : public worker::Stage {
public:
    // Called on the bus thread: returns at once.
    using Viewer = std::function<void(const DecidedFrame&)>;
    explicit LiveHome(std::optional<Snapshots> snapshots = {}, Viewer viewer = {})
        : snapshots_(std::move(snapshots)), viewer_(std::move(viewer)) {}

    void work(bus::Envelope& item, worker::Emit& emit) override;
    // Takes "watch", and "boxes", "picture" and "still" of the cameras it is home to.
    bool intercept(bus::Envelope& e, worker::BusApi& api) override;
    void on_answer(const schema::Token& token, const schema::Answer& answer, bus::Envelope& e,
                   worker::BusApi& api) override;
    void on_drop(const schema::Token& token, worker::BusApi& api) override;
    void on_tick(Clock::time_point now, worker::BusApi& api) override;
    bool idle() const override { return watches_.empty(); }
    bool gathers() const override { return true; }

private:
    struct Frame {
        schema::Capture capture;
        bool still = false;
        std::map<std::int32_t, std::vector<schema::Box>> boxes;  // by pool
        std::string dropped;                                     // "detect:deadline"; empty: not
        zmq::message_t picture;
        std::optional<Clock::time_point> whole;  // since when nothing of it is missing
    };
    struct Watch {
        schema::WatchTask lease;
        schema::StreamInfo info;
        LiveState state;

        // The count of one connection's lease.
        std::string ingest;
        std::string former;  // who was connected before; what it still sends is not taken until then
        Clock::time_point former_until{};
        std::int64_t decided = 0;                      // seq
        std::int64_t captured_ns = 0;                  // of that frame
        std::map<std::string, std::int64_t> reported;  // capture.dropped of that frame
        std::map<std::int64_t, Frame> frames;          // all after it, by seq

        schema::Counters counters;  // of this session
        zmq::message_t picture;     // of the last frame that had one
        double latency_ms = 0;

        // Recording.
        std::int64_t step = 0;      // the last one recorded
        std::uint64_t request = 0;  // the open one; 0: none
        bool fresh = false;         // something was decided since the last was sent
        Clock::time_point recorded{};
        std::vector<schema::Alert> alerts;  // of the next one
        std::vector<std::string> traces;
    };

    void watch(schema::WatchTask task, worker::BusApi& api);
    Watch* find(const schema::Token& token);
    // The frame that a message is about; null: it is decided, or not of this count. May begin a new count.
    Frame* frame(Watch& w, const schema::Capture& capture, worker::BusApi& api);
    void begin_count(Watch& w, const schema::Capture& first, worker::BusApi& api);
    void complete(Watch& w, Frame& f);
    void advance(Watch& w, Clock::time_point now, worker::BusApi& api);
    void decide(Watch& w, Frame& f, worker::BusApi& api);
    void apply(Watch& w, Frame& f, worker::BusApi& api);
    void snapshot(Watch& w, const Frame& f, std::span<schema::Alert> alerts, worker::BusApi& api);
    void seen(const Watch& w, const schema::Capture& capture, worker::BusApi& api);
    void record(Watch& w, Clock::time_point now, worker::BusApi& api);

    std::map<std::string, Watch> watches_;  // by camera
    std::optional<Snapshots> snapshots_;    // written by the work thread alone
    const Viewer viewer_;
    std::size_t dropped_snapshots_ = 0;
    std::shared_ptr<std::atomic<int>> waiting_snapshots_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace sl::annotate
