#include "common/alert_json.hpp"

#include <nlohmann/json.hpp>

namespace sl {

using Json = nlohmann::ordered_json;

std::string alert_json(const schema::Alert& a) {
    const Json json{{"alert", a.alert},
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
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<schema::Alert> alert_from_json(const std::string& text) {
    const Json v = Json::parse(text, nullptr, false);
    try {
        schema::Alert a;
        v.at("alert").get_to(a.alert);
        v.at("job").get_to(a.job);
        v.at("stream").get_to(a.stream);
        v.at("rule").get_to(a.rule);
        v.at("class_name").get_to(a.class_name);
        v.at("frame").get_to(a.frame);
        v.at("time_s").get_to(a.time_s);
        const Json& b = v.at("box");
        b.at("x").get_to(a.box.x);
        b.at("y").get_to(a.box.y);
        b.at("width").get_to(a.box.width);
        b.at("height").get_to(a.box.height);
        b.at("score").get_to(a.box.score);
        b.at("class_id").get_to(a.box.class_id);
        return a;
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

}  // namespace sl
