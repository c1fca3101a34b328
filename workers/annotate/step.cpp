#include "workers/annotate/step.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "common/tracking.hpp"
#include "workers/annotate/rules.hpp"
#include "workers/annotate/tracker.hpp"

namespace sl::annotate {

Stepped step(const schema::JobSpec& spec, const schema::StreamInfo& info, const schema::StreamState& before,
             const schema::Detections& detections) {
    const schema::TrackerSpec tracking = tracking_of(spec, info.source);
    Tracker tracker(tracking, info.time_base);
    Rules rules(spec, info);
    for (const auto& loaded : {tracker.load(before.tracker), rules.load(before)})
        if (!loaded)
            log::warn("bad_state", "job={} stream='{}': {}", spec.job, info.name, loaded.error().text());

    Stepped out{before, {}, {{}, detections.dropped}, {}};
    for (const schema::FrameBoxes& frame : detections.frames) {
        const schema::FrameBoxes followed{frame.frame, frame.pts, tracker.update(frame)};
        schema::FrameBoxes shown = followed;
        std::erase_if(shown.boxes, [&](const schema::Box& b) { return b.score < float(spec.confidence); });
        rules.apply(shown, followed, out.alerts, out.traces);
        out.tracked.frames.push_back(std::move(shown));
    }
    rules.save(out.next);
    if (tracking.kind != "none") out.next.tracker = tracker.save();
    if (!detections.frames.empty()) out.next.last = out.tracked.frames.back();
    out.next.detected += std::int64_t(detections.frames.size());
    return out;
}

}  // namespace sl::annotate
