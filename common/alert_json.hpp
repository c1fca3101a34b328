// An alert as JSON: the body of its event, of its audit row, and what sinks write (PROTOCOL.md section 4).
#pragma once

#include <nlohmann/json.hpp>

#include "schema/types.hpp"

namespace sl {

inline nlohmann::json alert_json(const schema::Alert& a) {
    return {{"alert", a.alert},
            {"job", a.job},
            {"stream", a.stream},
            {"rule", a.rule},
            {"class_name", a.class_name},
            {"frame", a.frame},
            {"time_s", a.time_s},
            {"box",
             {{"x", a.box.x},
              {"y", a.box.y},
              {"width", a.box.width},
              {"height", a.box.height},
              {"score", a.box.score},
              {"class_id", a.box.class_id}}}};
}

inline schema::Alert alert_from_json(const nlohmann::json& v) {
    schema::Alert a;
    a.alert = v.at("alert").get<std::string>();
    a.job = v.at("job").get<std::string>();
    a.stream = v.at("stream").get<std::string>();
    a.rule = v.at("rule").get<std::string>();
    a.class_name = v.at("class_name").get<std::string>();
    a.frame = v.at("frame").get<std::int64_t>();
    a.time_s = v.at("time_s").get<double>();
    const auto& b = v.at("box");
    a.box.x = b.at("x").get<float>();
    a.box.y = b.at("y").get<float>();
    a.box.width = b.at("width").get<float>();
    a.box.height = b.at("height").get<float>();
    a.box.score = b.at("score").get<float>();
    a.box.class_id = b.at("class_id").get<std::int32_t>();
    return a;
}

}  // namespace sl
