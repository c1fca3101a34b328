// How old a camera's frame is. By the clocks of the host that captured it and of this one: where they differ
// so do ages, so hosts of a fleet keep time (NTP).
#pragma once

#include <cstdint>

#include "schema/live.hpp"

namespace sl {

inline double age_s(const schema::Capture& capture, std::int64_t now_ns) {
    return double(now_ns - capture.capture_ns) / 1e9;
}

// Its camera's policy is `deadline`, and the frame is over it: not worth any more work.
inline bool too_old(const schema::Capture& capture, std::int64_t now_ns) {
    return capture.deadline_s > 0 && age_s(capture, now_ns) > capture.deadline_s;
}

}  // namespace sl
