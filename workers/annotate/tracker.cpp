#include "workers/annotate/tracker.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "schema/codec.hpp"
#include "workers/annotate/assignment.hpp"

namespace sl::annotate {
namespace {

// What the ordered step may cost is bounded: of a frame the strongest boxes are followed, and of the tracks
// that are lost the longest lost are forgotten first.
constexpr std::size_t most_boxes = 300, most_tracks = 600;

// ByteTrack's filter is written for video of about 30 frames a second: its noise is per such a step.
// Positions and speeds are uncertain by shares of the box's height.
constexpr double steps_a_second = 30;
constexpr double noise_at = 1.0 / 20, noise_speed = 1.0 / 160;
constexpr double aspect_noise_at = 1e-2, aspect_noise_speed = 1e-5, aspect_measured = 1e-1;

// Beyond a second nobody goes on as before; and what was there a minute ago is another thing.
constexpr double longest_move_s = 1, longest_gap_s = 60;

// The least overlap of the second association, as in the paper: weak boxes must fit well.
constexpr double least_weak = 0.5;

double square(double v) {
    return v * v;
}

bool sound(const schema::Box& b) {
    return std::isfinite(b.x) && std::isfinite(b.y) && std::isfinite(b.width) && std::isfinite(b.height) &&
           b.width > 0 && b.height > 0;
}

double overlap(const schema::Box& a, const schema::Box& b) {
    const double width = std::min(double(a.x) + a.width, double(b.x) + b.width) - std::max(a.x, b.x);
    const double height = std::min(double(a.y) + a.height, double(b.y) + b.height) - std::max(a.y, b.y);
    if (width <= 0 || height <= 0) return 0;
    const double both = width * height;
    return both / (double(a.width) * a.height + double(b.width) * b.height - both);
}

// The saved state. Floats are packed as they are: what is loaded is what was saved, bit by bit.
struct PackedTrack {
    std::int64_t id = 0;
    std::int32_t pool = 0, class_id = 0, hits = 0;
    bool lost = false;
    std::int64_t seen = 0;
    std::vector<float> filter;  // five numbers an axis
    MSGPACK_DEFINE_MAP(id, pool, class_id, hits, lost, seen, filter)
};
struct Packed {
    std::int64_t given = 0;
    std::int64_t pts = INT64_MIN;
    std::vector<PackedTrack> tracks;
    MSGPACK_DEFINE_MAP(given, pts, tracks)
};

}  // namespace

void Tracker::Axis::predict(double steps, double at_noise, double speed_noise) {
    // Noise adds up over the gap, so that two short gaps are as uncertain as one long.
    const double q = square(speed_noise) * steps;
    const double both = p_both + steps * p_speed;
    p_at = float(p_at + steps * (p_both + both) + square(at_noise) * steps + q * square(steps) / 3);
    p_both = float(both + q * steps / 2);
    p_speed = float(p_speed + q);
    at = float(at + steps * speed);
}

void Tracker::Axis::correct(double measured, double noise) {
    const double sum = p_at + square(noise);
    const double gain_at = p_at / sum, gain_speed = p_both / sum, off = measured - at;
    at = float(at + gain_at * off);
    speed = float(speed + gain_speed * off);
    p_speed = float(p_speed - gain_speed * p_both);
    p_both = float(p_both * (1 - gain_at));
    p_at = float(p_at * (1 - gain_at));
}

schema::Box Tracker::Track::box() const {
    const float height = std::max(axes[3].at, 1.0f), width = std::max(axes[2].at * height, 1.0f);
    return {axes[0].at - width / 2, axes[1].at - height / 2, width, height, 0, class_id, pool, id};
}

namespace {
std::array<double, 4> measure(const schema::Box& b) {
    return {b.x + b.width / 2.0, b.y + b.height / 2.0, double(b.width) / b.height, b.height};
}
}  // namespace

void Tracker::Track::begin(const schema::Box& seen_as) {
    pool = seen_as.pool;
    class_id = seen_as.class_id;
    const auto measured = measure(seen_as);
    for (std::size_t i = 0; i < 4; ++i) {
        const bool aspect = i == 2;
        const double at = aspect ? aspect_noise_at : 2 * noise_at * seen_as.height;
        const double speed = aspect ? aspect_noise_speed : 10 * noise_speed * seen_as.height;
        axes[i] = {float(measured[i]), 0, float(square(at)), 0, float(square(speed))};
    }
}

void Tracker::Track::predict(double steps) {
    if (lost) axes[3].speed = 0;  // what is hidden does not grow
    const double height = std::max(axes[3].at, 1.0f);
    for (std::size_t i = 0; i < 4; ++i) {
        const bool aspect = i == 2;
        axes[i].predict(steps, aspect ? aspect_noise_at : noise_at * height,
                        aspect ? aspect_noise_speed : noise_speed * height);
    }
}

void Tracker::Track::correct(const schema::Box& seen_as) {
    const auto measured = measure(seen_as);
    const double height = std::max(axes[3].at, 1.0f);
    for (std::size_t i = 0; i < 4; ++i)
        axes[i].correct(measured[i], i == 2 ? aspect_measured : noise_at * height);
}

Tracker::Tracker(schema::TrackerSpec spec, schema::Rational time_base)
    : spec_(std::move(spec)), time_base_(time_base) {}

Result<void> Tracker::load(const schema::Bytes& packed) {
    Packed state;
    if (!packed.empty()) {
        auto read = schema::decode<Packed>(packed, "a tracker's state");
        if (!read) return read.error();
        state = std::move(*read);
    }
    std::vector<Track> tracks;
    for (const PackedTrack& p : state.tracks) {
        Track t{p.id, p.pool, p.class_id, p.hits, p.lost, p.seen, {}};
        if (p.filter.size() != 20 || !std::ranges::all_of(p.filter, [](float f) { return std::isfinite(f); }))
            return Error{Errc::bad_message, "cannot read a tracker's state: a track has no filter", ""};
        for (std::size_t i = 0; i < 4; ++i) {
            const float* f = &p.filter[i * 5];
            t.axes[i] = {f[0], f[1], f[2], f[3], f[4]};
        }
        tracks.push_back(t);
    }
    tracks_ = std::move(tracks);
    given_ = state.given;
    pts_ = state.pts;
    return {};
}

schema::Bytes Tracker::save() const {
    Packed state{given_, pts_, {}};
    for (const Track& t : tracks_) {
        PackedTrack p{t.id, t.pool, t.class_id, t.hits, t.lost, t.seen, {}};
        for (const Axis& a : t.axes)
            p.filter.insert(p.filter.end(), {a.at, a.speed, a.p_at, a.p_both, a.p_speed});
        state.tracks.push_back(std::move(p));
    }
    return schema::encode(state);
}

double Tracker::seconds(std::int64_t ticks) const {
    return time_base_.den > 0 ? double(ticks) * time_base_.num / time_base_.den : 0;
}

void Tracker::predict(std::int64_t pts) {
    const double gap = pts_ == INT64_MIN ? 0 : std::max(0.0, seconds(pts - pts_));
    pts_ = pts;
    if (gap > longest_gap_s) tracks_.clear();
    for (Track& t : tracks_) t.predict(std::min(gap, longest_move_s) * steps_a_second);
}

std::vector<Tracker::Match> Tracker::match(const std::vector<std::size_t>& tracks,
                                           const std::vector<std::size_t>& boxes,
                                           const schema::FrameBoxes& frame, double least) const {
    std::vector<Pair> pairs;
    for (const std::size_t t : tracks) {
        const schema::Box expected = tracks_[t].box();
        for (const std::size_t b : boxes) {
            const schema::Box& box = frame.boxes[b];
            if (box.class_id != expected.class_id || box.pool != expected.pool) continue;
            const double iou = overlap(expected, box);
            // In millionths of what is above the least: so a match is never worse than none.
            if (iou >= least) pairs.push_back({t, b, 1 + std::int64_t((iou - least) * 1e6)});
        }
    }
    std::vector<Match> out;
    for (const Pair& p : assign(std::move(pairs))) out.push_back({p.row, p.column});
    return out;
}

std::vector<schema::Box> Tracker::update(const schema::FrameBoxes& frame) {
    std::vector<schema::Box> out = frame.boxes;
    for (schema::Box& box : out) box.track = 0;
    if (spec_.kind == "none") return out;
    const bool sort = spec_.kind == "sort";
    predict(frame.pts);

    std::vector<std::size_t> strong, weak;  // boxes
    for (std::size_t b = 0; b < frame.boxes.size() && strong.size() + weak.size() < most_boxes; ++b) {
        const schema::Box& box = frame.boxes[b];
        if (!sound(box)) continue;
        if (box.score >= float(spec_.high))
            strong.push_back(b);
        else if (!sort && box.score >= float(spec_.low))
            weak.push_back(b);
    }
    std::vector<bool> seen(tracks_.size(), false), taken(frame.boxes.size(), false);
    const auto free = [](std::vector<std::size_t>& of, const std::vector<bool>& used) {
        std::erase_if(of, [&](std::size_t i) { return used[i]; });
    };
    const std::int32_t needed = std::max(1, spec_.confirm_frames);
    const auto meet = [&](std::vector<std::size_t>& tracks, std::vector<std::size_t>& boxes, double least) {
        for (const Match m : match(tracks, boxes, frame, least)) {
            Track& track = tracks_[m.track];
            track.correct(frame.boxes[m.box]);
            track.lost = false;
            track.seen = frame.pts;
            track.hits = std::min(track.hits + 1, needed);
            if (track.id == 0 && track.hits >= needed) track.id = ++given_;
            out[m.box].track = track.id;
            seen[m.track] = taken[m.box] = true;
        }
        free(tracks, seen);
        free(boxes, taken);
    };

    std::vector<std::size_t> counted, young;  // tracks
    for (std::size_t t = 0; t < tracks_.size(); ++t) (tracks_[t].id != 0 ? counted : young).push_back(t);
    meet(counted, strong, spec_.match_iou);
    std::erase_if(counted, [&](std::size_t t) { return tracks_[t].lost; });
    meet(counted, weak, std::max(spec_.match_iou, least_weak));
    meet(young, strong, spec_.match_iou);

    // What was not seen: a young track is given up at once, others when they are lost for too long.
    std::size_t at = 0;
    std::erase_if(tracks_, [&](Track& t) {
        if (seen[at++]) return false;
        t.lost = true;
        return sort || t.id == 0 || seconds(frame.pts - t.seen) > spec_.keep_s;
    });
    for (const std::size_t b : strong) {
        Track track;
        track.begin(frame.boxes[b]);
        track.hits = 1;
        track.seen = frame.pts;
        if (needed == 1) out[b].track = track.id = ++given_;
        tracks_.push_back(track);
    }
    while (tracks_.size() > most_tracks)
        tracks_.erase(std::ranges::min_element(tracks_, {}, [](const Track& t) { return t.seen; }));

    return out;
}

schema::Box Tracker::moved(const schema::Box& box, std::int64_t from, std::int64_t to) const {
    const auto track = std::ranges::find(tracks_, box.track, &Track::id);
    if (box.track == 0 || track == tracks_.end()) return box;
    const double steps = std::clamp(seconds(to - from), 0.0, longest_move_s) * steps_a_second;
    schema::Box out = box;
    out.x = float(box.x + steps * track->axes[0].speed);
    out.y = float(box.y + steps * track->axes[1].speed);
    return out;
}

}  // namespace sl::annotate
