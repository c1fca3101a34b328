// What a peer sends: the envelope, and every header that it may hold. What can be read is written and read
// again to the same bytes.
#include "schema/messages.hpp"

#include "common/bus/socket.hpp"
#include "schema/delivery.hpp"
#include "schema/live.hpp"
#include "schema/small_units.hpp"
#include "tests/fuzz/target.hpp"

namespace sl::fuzz {
namespace {

template <typename T>
void read(const bus::Envelope& e) {
    const auto message = e.as<T>();
    if (!message) return;
    const auto once = schema::encode(*message);
    const auto again = schema::decode<T>(once, "what was written");
    check(bool(again), "what was written can be read");
    check(schema::encode(*again) == once, "what was read is written as it was");
}

template <typename... T>
void read_all(const bus::Envelope& e) {
    (read<T>(e), ...);
}

void run(View bytes) {
    std::vector<zmq::message_t> frames;
    frames.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
    frames.emplace_back(bytes.data(), bytes.size());
    frames.emplace_back(bytes.data(), bytes.size() / 2);
    const auto e = bus::Envelope::parse(std::move(frames));
    if (!e) return;
    using namespace schema;
    read_all<Hello, Beat, Bye, Fetch, FoundStreams, Scanned, Gathered, Step, Done, UnitDone, Fail, Take, Took,
             Exited, ReloadRefused, NoopsDone, Delivered>(*e);
    read_all<Welcome, Refused, BeatAnswer, Peers, Expect, Task, Answer, Nudge, Drain, Reload, Die,
             NoopLeases>(*e);
    read_all<ChunkMessage, SourceMessage, BatchMessage, DetectionsMessage, StreamState, Detections>(*e);
    read_all<CameraTask, WatchTask, CameraReport, LiveStep, FrameMessage, StillMessage, PictureMessage,
             TensorMessage, FoundMessage, SeenMessage>(*e);
}

}  // namespace

const Target target_messages{"messages", &run, &golden_messages};

}  // namespace sl::fuzz
