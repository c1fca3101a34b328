#include "workers/ingest/live_ingest.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "common/age.hpp"
#include "common/log.hpp"
#include "common/thread_name.hpp"
#include "common/tracking.hpp"

namespace sl::ingest {
namespace {

using std::chrono::milliseconds;

constexpr const char* own_pool = "live/ingest";
constexpr const char* next_pool = "live/preprocess";
constexpr std::size_t credit = 2;     // frames of a camera in flight (L1)
constexpr milliseconds flight{2000};  // then it is lost
constexpr milliseconds between_reports{1000};

void ring(int fd) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
}

}  // namespace

LiveIngestStage::LiveIngestStage(std::string secrets_file)
    : secrets_(std::move(secrets_file)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), ender_([this] {
          name_thread("cameras.end");
          while (auto reader = leaving_.take()) reader->reset();
      }) {}

LiveIngestStage::~LiveIngestStage() {
    while (!cameras_.empty()) let_go(cameras_.begin());
    leaving_.close();
    ender_.join();
    ::close(wake_);
}

bool LiveIngestStage::intercept(bus::Envelope& e, worker::BusApi& api) {
    if (e.type() == "camera") {
        auto m = e.as<schema::CameraTask>();
        if (!m) {
            log::warn("bad_message", "{}", m.error().message);
            return true;
        }
        take(std::move(*m), api);
    } else if (e.type() == "seen") {
        const auto m = e.as<schema::SeenMessage>();
        if (!m) {
            log::warn("bad_message", "{}", m.error().message);
            return true;
        }
        const auto c = cameras_.find(m->camera);
        if (c != cameras_.end() && c->second.lease.watch == m->token && c->second.in_flight.erase(m->seq) > 0)
            flush(api);
    } else {
        return false;
    }
    return true;
}

// --- leases ----------------------------------------------------------------------------------------------

void LiveIngestStage::take(schema::CameraTask task, worker::BusApi& api) {
    auto at = cameras_.find(task.token.job);
    if (at == cameras_.end()) {
        if (api.draining()) return;  // not listed, so it goes to another
        api.hold(task.token);
        log::info("camera", "camera={} url={}", task.camera.camera, without_credentials(task.camera.url));
        Camera& c = cameras_[task.token.job];
        c.lease = std::move(task);
        connect(c, api);
        return;
    }
    Camera& c = at->second;
    const bool again = c.lease.token != task.token;
    if (again && task.token.attempt < c.lease.token.attempt) return;
    if (!again && task.revision <= c.lease.revision) return;
    if (again) {  // the connection is the same, the count another
        api.release(c.lease.token);
        api.hold(task.token);
        c.queue->restart();
        c.sent = 0;
        c.in_flight.clear();
    } else if (c.lease.watch != task.watch) {
        c.queue->lost(std::int64_t(c.in_flight.size()));  // the home that could have seen them is gone
        c.in_flight.clear();
    }
    if (c.lease.camera != task.camera) {
        c.queue->configure(task.camera);
        c.reader->update(task.camera);
    }
    c.lease = std::move(task);
    flush(api);
}

void LiveIngestStage::connect(Camera& c, worker::BusApi& api) {
    c.queue = std::make_shared<FrameQueue>(c.lease.camera, api.id(), [fd = wake_] { ring(fd); });
    c.reader = std::make_unique<CameraReader>(
        c.lease.camera, secrets_, [queue = c.queue](const LiveFrame& frame) { queue->put(frame); },
        [changed = c.changed, fd = wake_](const CameraStatus&) {
            *changed = true;
            ring(fd);
        });
}

void LiveIngestStage::let_go(std::map<std::string, Camera>::iterator camera) {
    camera->second.queue->close();
    leaving_.put(std::move(camera->second.reader));
    cameras_.erase(camera);
}

void LiveIngestStage::on_drop(const schema::Token& token, worker::BusApi&) {
    const auto c = cameras_.find(token.job);
    if (c != cameras_.end() && c->second.lease.token == token) let_go(c);
}

// --- frames ----------------------------------------------------------------------------------------------

void LiveIngestStage::on_wake(worker::BusApi& api) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(wake_, &count, sizeof count);
    const auto now = Clock::now();
    for (auto& [id, c] : cameras_)
        if (c.changed->exchange(false)) report(c, now, api);
    flush(api);
}

void LiveIngestStage::on_tick(Clock::time_point now, worker::BusApi& api) {
    for (auto& [id, c] : cameras_) {
        expire(c, now);
        if (now >= c.reported + between_reports) report(c, now, api);
    }
    flush(api);
    // Where nobody can take over there is nothing to wait for.
    if (api.draining() && !api.serves(own_pool))
        while (!cameras_.empty()) {
            api.release(cameras_.begin()->second.lease.token);
            let_go(cameras_.begin());
        }
}

void LiveIngestStage::expire(Camera& c, Clock::time_point now) {
    c.queue->lost(std::int64_t(
        std::erase_if(c.in_flight, [&](const auto& sent) { return now - sent.second >= flight; })));
}

// One of each camera in turn, so that none has more than its share of what the next stage has room for.
void LiveIngestStage::flush(worker::BusApi& api) {
    for (bool any = true; any && !cameras_.empty();) {
        any = false;
        auto c = cameras_.upper_bound(served_);
        for (std::size_t i = 0; i < cameras_.size(); ++i, ++c) {
            if (c == cameras_.end()) c = cameras_.begin();
            any |= send_one(c->second, api);
        }
    }
}

// False: nothing of this camera can be sent now.
bool LiveIngestStage::send_one(Camera& c, worker::BusApi& api) {
    const schema::CameraTask& lease = c.lease;
    if (lease.home.empty() || !api.peer(lease.home)) {
        c.queue->give_up("no_home");
        return false;
    }
    const auto& pools = lease.spec.pools;
    const bool room = c.in_flight.size() < credit && !api.blocked(next_pool) && api.serves(next_pool) &&
                      std::all_of(pools.begin(), pools.end(),
                                  [&](const auto& pool) { return api.serves("live/" + pool.name); });
    auto item = c.queue->take(room, now_ns());
    if (!item) return false;
    // Where there is nothing to detect with, every frame is as good as a still one.
    if (item->still || pools.empty()) {
        schema::StillMessage m;
        m.token = lease.watch;
        m.capture = std::move(item->capture);
        api.to_home(lease.home, bus::Envelope::make(m));
        return true;
    }
    schema::FrameMessage m;
    m.token = lease.watch;
    m.home = lease.home;
    m.capture = std::move(item->capture);
    m.pools = pools;
    m.operations = lease.spec.operations;
    m.confidence = detect_confidence(lease.spec);
    m.nms = lease.spec.nms;
    m.classes = lease.spec.classes;
    m.max_boxes = lease.spec.max_boxes;
    m.picture = lease.camera.snapshots;
    c.in_flight[m.capture.seq] = Clock::now();
    c.age_ms = age_s(m.capture, now_ns()) * 1000;
    ++c.sent;
    served_ = lease.token.job;
    api.to_any(next_pool, bus::Envelope::make(m).with(std::move(item->i420)));
    return true;
}

void LiveIngestStage::report(Camera& c, Clock::time_point now, worker::BusApi& api) {
    schema::CameraReport m = c.reader->status().report;
    m.token = c.lease.token;
    m.sent = c.sent;
    m.dropped = c.queue->dropped();
    m.in_flight = std::int64_t(c.in_flight.size());
    m.age_ms = c.age_ms;
    c.reported = now;
    api.send(bus::Envelope::make(m));
}

}  // namespace sl::ingest
