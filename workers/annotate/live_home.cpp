#include "workers/annotate/live_home.hpp"

#include <algorithm>
#include <numeric>

#include "common/age.hpp"
#include "common/image/picture.hpp"
#include "common/log.hpp"
#include "common/media/i420.hpp"
#include "workers/annotate/marks.hpp"
#include "workers/annotate/step.hpp"

namespace sl::annotate {
namespace {

using std::chrono::milliseconds;

constexpr const char* pool_name = "live/annotate";
constexpr milliseconds patience{250};         // for a frame that is missing before a detected one (L2)
constexpr milliseconds still_patience{2000};  // before a still one, which nothing holds up on its way
constexpr milliseconds between_steps{1000};   // without alerts (L3)
constexpr milliseconds former_silence{2000};  // of a connection that was replaced
constexpr std::size_t most_frames = 64;       // of one camera, waiting for their turn
constexpr std::size_t most_alerts = 256;      // of one camera, waiting to be recorded
constexpr std::size_t most_traces = 256;
constexpr int most_snapshots = 16;  // waiting to be written

constexpr const char* lost = "lost";  // what ingest says of frames that nobody said were seen

struct SnapshotItem {  // to work(). payload[0]: I420
    std::string type = "snapshot";
    std::string name;
    std::int32_t width = 0, height = 0;
    std::vector<schema::Box> boxes;
    std::vector<std::string> labels;
    MSGPACK_DEFINE_MAP(type, name, width, height, boxes, labels)
};

// "new" and the updates of an incident are different pictures.
std::string snapshot_name(const schema::Alert& alert) {
    return alert.alert + (alert.update > 0 ? "-" + std::to_string(alert.update) : "");
}

zmq::message_t share(zmq::message_t& bytes) {
    zmq::message_t other;
    other.copy(bytes);
    return other;
}

std::span<const std::uint8_t> view(const zmq::message_t& bytes) {
    return {static_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace

// --- leases ----------------------------------------------------------------------------------------------

LiveHome::Watch* LiveHome::find(const schema::Token& token) {
    const auto at = watches_.find(token.job);
    return at == watches_.end() || at->second.lease.token != token ? nullptr : &at->second;
}

void LiveHome::watch(schema::WatchTask task, worker::BusApi& api) {
    const std::string& camera = task.token.job;
    if (const auto at = watches_.find(camera); at != watches_.end()) {
        Watch& w = at->second;
        if (w.lease.token == task.token) {
            if (task.revision <= w.lease.revision) return;
            // What is recorded is older than what is held here (L5).
            task.state = {};
            w.lease = std::move(task);
            return;
        }
        if (task.token.attempt < w.lease.token.attempt) return;
        api.release(w.lease.token);
        watches_.erase(at);
    }
    if (api.draining()) return;  // not listed, so it goes to another
    Watch w;
    if (!task.state.empty()) {
        auto state = schema::decode<LiveState>(task.state, "the state of a camera");
        if (state)
            w.state = std::move(*state);
        else
            log::warn("bad_state", "camera={} begins anew: {}", camera, state.error().message);
    }
    task.state = {};
    w.step = task.step;
    w.info.name = camera;
    w.info.source = "camera";
    w.info.time_base = {1, 1'000'000'000};
    w.recorded = Clock::now();
    api.hold(task.token);
    log::info("watch", "camera={} step={} session={}", camera, task.step, task.token.seq);
    w.lease = std::move(task);
    watches_.emplace(w.info.name, std::move(w));
}

void LiveHome::on_drop(const schema::Token& token, worker::BusApi&) {
    if (find(token)) watches_.erase(token.job);
}

// --- gather ----------------------------------------------------------------------------------------------

bool LiveHome::intercept(bus::Envelope& e, worker::BusApi& api) {
    const auto bad = [&](const Error& error) {
        log::warn("bad_message", "{}", error.message);
        return true;
    };
    const auto take = [&](const auto& m, auto put) {
        if (!m) return bad(m.error());
        Watch* w = find(m->token);
        if (!w) return true;  // of a lease that is over
        Frame* f = frame(*w, m->capture, api);
        if (!f) return true;
        put(*f);
        complete(*w, *f);
        advance(*w, Clock::now(), api);
        return true;
    };
    if (e.type() == "boxes") {
        auto m = e.as<schema::FoundMessage>();
        return take(m, [&](Frame& f) {
            if (!m->dropped.empty())
                f.dropped = (m->pool < 0 ? "preprocess:" : "detect:") + m->dropped;
            else
                f.boxes[m->pool] = std::move(m->boxes);
        });
    }
    if (e.type() == "still") return take(e.as<schema::StillMessage>(), [](Frame& f) { f.still = true; });
    if (e.type() == "picture")
        return take(e.as<schema::PictureMessage>(), [&](Frame& f) {
            if (!e.payload.empty()) f.picture = std::move(e.payload.front());
        });
    if (e.type() == "watch") {
        auto m = e.as<schema::WatchTask>();
        if (!m) return bad(m.error());
        watch(std::move(*m), api);
        return true;
    }
    return false;
}

LiveHome::Frame* LiveHome::frame(Watch& w, const schema::Capture& c, worker::BusApi& api) {
    const auto now = Clock::now();
    if (c.seq < 1 || c.ingest.empty()) return nullptr;
    const bool another = c.ingest != w.ingest;
    if (another && c.ingest == w.former && now < w.former_until) {
        seen(w, c, api);
        return nullptr;
    }
    // One worker may get a camera again, and count anew: a late frame was captured before, a new one after.
    const bool again = !another && c.seq <= w.decided && c.capture_ns > w.captured_ns;
    if (another || again) begin_count(w, c, api);
    if (c.seq <= w.decided) {
        seen(w, c, api);
        return nullptr;
    }
    auto [at, fresh] = w.frames.try_emplace(c.seq);
    if (fresh) at->second.capture = c;
    if (w.frames.size() > most_frames) {  // stills behind a frame that does not come
        const auto oldest = w.frames.begin();
        const bool mine = oldest == at;
        if (!oldest->second.still) seen(w, oldest->second.capture, api);
        w.frames.erase(oldest);
        if (mine) return nullptr;
    }
    return &at->second;
}

void LiveHome::begin_count(Watch& w, const schema::Capture& first, worker::BusApi& api) {
    if (!w.frames.empty()) {  // they are given up: of another connection
        const auto read = w.frames.rbegin()->first - w.decided;
        w.counters.read += read;
        w.counters.dropped["annotate:lost"] += read;
        for (const auto& [seq, f] : w.frames) seen(w, f.capture, api);
        w.frames.clear();
    }
    if (first.ingest != w.ingest) {
        w.former = w.ingest;
        w.former_until = Clock::now() + former_silence;
    }
    w.ingest = first.ingest;
    w.decided = first.seq - 1;
    w.captured_ns = 0;
    w.reported = first.dropped;
}

void LiveHome::complete(Watch& w, Frame& f) {
    if (f.whole) return;
    if (f.still || !f.dropped.empty() || f.boxes.size() >= w.lease.spec.pools.size()) f.whole = Clock::now();
}

void LiveHome::advance(Watch& w, Clock::time_point now, worker::BusApi& api) {
    while (true) {
        const auto next = std::find_if(w.frames.begin(), w.frames.end(),
                                       [](const auto& f) { return f.second.whole.has_value(); });
        if (next == w.frames.end()) break;
        Frame& f = next->second;
        std::int64_t missing = next->first - w.decided - 1;
        for (const auto& [reason, n] : f.capture.dropped)
            if (reason != lost) missing -= n - (w.reported.contains(reason) ? w.reported.at(reason) : 0);
        if (missing > 0 && now < *f.whole + (f.still ? still_patience : patience)) break;
        for (auto skipped = w.frames.begin(); skipped != next; skipped = w.frames.erase(skipped))
            if (!skipped->second.still) seen(w, skipped->second.capture, api);
        decide(w, f, api);
        w.frames.erase(next);
    }
    record(w, now, api);
}

// --- decide ----------------------------------------------------------------------------------------------

// Counts every frame up to this one: read = annotated + dropped.
void LiveHome::decide(Watch& w, Frame& f, worker::BusApi& api) {
    schema::Counters& c = w.counters;
    std::int64_t skipped = f.capture.seq - w.decided - 1;
    c.read += skipped + 1;
    for (const auto& [reason, n] : f.capture.dropped) {
        if (reason == lost) continue;
        const auto before = w.reported.find(reason);
        const auto fresh =
            std::clamp<std::int64_t>(n - (before == w.reported.end() ? 0 : before->second), 0, skipped);
        if (fresh > 0) c.dropped["ingest:" + reason] += fresh;
        skipped -= fresh;
    }
    if (skipped > 0) c.dropped["annotate:lost"] += skipped;
    w.decided = f.capture.seq;
    w.captured_ns = f.capture.capture_ns;
    w.reported = f.capture.dropped;
    w.fresh = true;
    // While nobody records, nothing more is decided that would have to be.
    if (f.dropped.empty() && w.alerts.size() >= most_alerts) f.dropped = "annotate:unrecorded";
    if (f.dropped.empty())
        apply(w, f, api);
    else
        ++c.dropped[f.dropped];
    if (!f.still) seen(w, f.capture, api);
}

void LiveHome::apply(Watch& w, Frame& f, worker::BusApi& api) {
    w.info.width = f.capture.width;
    w.info.height = f.capture.height;
    if (!f.still) {
        w.state.boxes.clear();
        for (auto& [pool, boxes] : f.boxes)
            w.state.boxes.insert(w.state.boxes.end(), boxes.begin(), boxes.end());
        ++w.counters.detected;
        w.counters.boxes += std::int64_t(w.state.boxes.size());
    }
    if (f.picture.size() > 0) w.picture = std::move(f.picture);
    ++w.counters.decoded;
    ++w.counters.annotated;
    // Media time is that of capture, and rises, whatever the camera's clock does.
    const auto pts = std::max(f.capture.capture_ns, w.state.stream.last.pts + 1);
    Stepped stepped =
        step(w.lease.spec, w.info, w.state.stream, {{{w.state.frames++, pts, w.state.boxes}}, 0});
    w.state.stream = std::move(stepped.next);
    w.latency_ms = age_s(f.capture, now_ns()) * 1000;
    w.counters.alerts += std::int64_t(stepped.alerts.size());
    if (w.lease.camera.snapshots && snapshots_) snapshot(w, f, stepped.alerts, api);
    std::move(stepped.alerts.begin(), stepped.alerts.end(), std::back_inserter(w.alerts));
    for (auto& trace : stepped.traces)
        if (w.traces.size() < most_traces) w.traces.push_back(std::move(trace));
    if (viewer_) viewer_({w.lease.spec, f.capture, w.state.stream.last.boxes, view(w.picture)});
}

void LiveHome::seen(const Watch& w, const schema::Capture& capture, worker::BusApi& api) {
    schema::SeenMessage m;
    m.token = w.lease.token;
    m.camera = w.info.name;
    m.seq = capture.seq;
    api.to_home(capture.ingest, bus::Envelope::make(m));
}

// --- pictures of alerts ----------------------------------------------------------------------------------

void LiveHome::snapshot(Watch& w, const Frame& f, std::span<schema::Alert> alerts, worker::BusApi& api) {
    if (w.picture.size() != media::i420_bytes(f.capture.width, f.capture.height)) return;  // none came
    for (schema::Alert& alert : alerts) {
        if (alert.kind == "end") continue;  // what it was about is gone
        if (*waiting_snapshots_ >= most_snapshots) {
            if (++dropped_snapshots_ == 1) log::warn("snapshot_dropped", "camera={}: too many", w.info.name);
            continue;
        }
        SnapshotItem item;
        item.name = snapshot_name(alert);
        item.width = f.capture.width;
        item.height = f.capture.height;
        for (const auto& mark : marks_of(w.lease.spec, std::span(&alert.box, 1))) {
            item.boxes.push_back(alert.box);
            item.labels.push_back(mark.label);
        }
        alert.snapshot = snapshots_->reference(item.name);
        ++*waiting_snapshots_;
        api.post(bus::Envelope::make(item).with(share(w.picture)));
    }
}

void LiveHome::work(bus::Envelope& e, worker::Emit&) {
    if (e.type() != "snapshot") return;
    const auto item = e.as<SnapshotItem>();
    --*waiting_snapshots_;
    if (!item || !snapshots_) return;
    // A copy to draw on: others look at the same bytes.
    const auto shown = media::view_i420(e.part(0), item->width, item->height);
    if (!shown) return log::warn("bad_message", "{}", shown.error().message);
    auto copy = image::blank(item->width, item->height, {});
    if (!copy) return log::warn("snapshot_lost", "{}", copy.error().text());
    image::paste(**copy, 0, 0, **shown);
    std::vector<image::Mark> marks;
    for (std::size_t i = 0; i < item->boxes.size(); ++i) {
        const auto& b = item->boxes[i];
        marks.push_back({b.x, b.y, b.width, b.height, b.class_id, item->labels[i]});
    }
    image::draw_marks(**copy, marks);
    if (auto ok = snapshots_->write(item->name, **copy); !ok)
        log::warn("snapshot_lost", "{}", ok.error().text());
}

// --- record ----------------------------------------------------------------------------------------------

void LiveHome::record(Watch& w, Clock::time_point now, worker::BusApi& api) {
    if (w.request != 0 || !w.fresh || (w.alerts.empty() && now < w.recorded + between_steps)) return;
    schema::LiveStep m;
    m.token = w.lease.token;
    m.step = w.step + 1;
    m.alerts = std::exchange(w.alerts, {});
    m.counters = w.counters;
    m.traces = std::exchange(w.traces, {});
    m.latency_ms = w.latency_ms;
    w.fresh = false;
    w.recorded = now;
    w.request = api.request(std::move(m), {schema::encode(w.state)});
}

void LiveHome::on_answer(const schema::Token& token, const schema::Answer& answer, bus::Envelope&,
                         worker::BusApi& api) {
    Watch* w = find(token);
    if (!w || w->request != answer.req) return;
    w->request = 0;
    ++w->step;
    record(*w, Clock::now(), api);  // what came meanwhile
}

void LiveHome::on_tick(Clock::time_point now, worker::BusApi& api) {
    for (auto& [camera, w] : watches_) advance(w, now, api);
    // Where nobody can take over there is nothing to wait for.
    if (api.draining() && !api.serves(pool_name))
        std::erase_if(watches_, [&](const auto& entry) {
            const Watch& w = entry.second;
            if (w.request != 0 || !w.alerts.empty()) return false;
            api.release(w.lease.token);
            return true;
        });
}

}  // namespace sl::annotate
