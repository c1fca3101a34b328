#include "workers/annotate/json_text.hpp"

#include <cmath>

namespace sl::annotate {
using Json = nlohmann::ordered_json;

std::string json_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double finite(double v) {
    return std::isfinite(v) ? v : 0;
}

Json stream_json(const schema::StreamInfo& s) {
    const auto ratio = [](schema::Rational r) { return Json{{"num", r.num}, {"den", r.den}}; };
    return {{"name", s.name},
            {"width", s.width},
            {"height", s.height},
            {"frame_rate", ratio(s.frame_rate)},
            {"time_base", ratio(s.time_base)},
            {"frames", s.frames}};
}

}  // namespace sl::annotate
