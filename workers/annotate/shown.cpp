#include "workers/annotate/shown.hpp"

#include <algorithm>

#include "common/tracking.hpp"

namespace sl::annotate {
namespace {

schema::Box between(const schema::Box& a, const schema::Box& b, double share) {
    const auto mid = [&](float from, float to) { return float(from + share * (double(to) - from)); };
    schema::Box out = a;  // its score and class: the sample before is what was found so far
    out.x = mid(a.x, b.x);
    out.y = mid(a.y, b.y);
    out.width = mid(a.width, b.width);
    out.height = mid(a.height, b.height);
    return out;
}

}  // namespace

Shown::Shown(const ChunkContext& context, const schema::FrameBoxes& before, const Stepped& stepped)
    : moving_(context.stream.source != "images"),
      frames_(stepped.tracked.frames),
      tracker_(tracking_of(context.spec, context.stream.source), context.stream.time_base) {
    if (!tracker_.load(stepped.next.tracker)) (void)tracker_.load({});  // no speeds: boxes are held
    if (moving_ && !before.boxes.empty()) last_ = &before;
}

bool Shown::advance(std::int64_t ordinal, std::int64_t pts) {
    for (; next_ < frames_.size() && frames_[next_].frame <= ordinal; ++next_) last_ = &frames_[next_];
    boxes_.clear();
    if (!last_) return false;
    const bool here = last_->frame == ordinal;
    if (!here && !moving_) return false;
    boxes_ = last_->boxes;
    if (here) return true;
    const schema::FrameBoxes* next = next_ < frames_.size() ? &frames_[next_] : nullptr;
    for (schema::Box& box : boxes_) {
        if (box.track == 0) continue;
        if (!next) {
            box = tracker_.moved(box, last_->pts, pts);
            continue;
        }
        const auto there = std::ranges::find(next->boxes, box.track, &schema::Box::track);
        if (there != next->boxes.end() && next->pts > last_->pts)
            box = between(box, *there, double(pts - last_->pts) / double(next->pts - last_->pts));
    }
    return false;
}

}  // namespace sl::annotate
