#include "common/tracking.hpp"

#include <algorithm>

namespace sl {

schema::TrackerSpec tracking_of(const schema::JobSpec& spec, const std::string& source) {
    schema::TrackerSpec out = spec.tracker;
    if (source == "images") out.kind = "none";
    return out;
}

double detect_confidence(const schema::JobSpec& spec, const std::string& source) {
    const schema::TrackerSpec tracking = tracking_of(spec, source);
    if (tracking.kind == "none") return spec.confidence;
    return std::min(spec.confidence, tracking.kind == "sort" ? tracking.high : tracking.low);
}

}  // namespace sl
