#include "workers/annotate/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>

extern "C" {
#include <libavutil/mathematics.h>
}

namespace sl::annotate {

std::int64_t microseconds(const schema::StreamInfo& stream, std::int64_t pts) {
    const AVRational base{stream.time_base.num, stream.time_base.den};
    return std::max<std::int64_t>(0, av_rescale_q(pts - stream.start_pts, base, AVRational{1, 1'000'000}));
}

std::string seconds_text(std::int64_t us) {
    return fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000);
}

std::string clock_text(std::int64_t us) {
    const std::int64_t ms = (us + 500) / 1000;
    return fmt::format("{:02}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                       ms % 1000);
}

}  // namespace sl::annotate
