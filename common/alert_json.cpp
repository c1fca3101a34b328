#include "common/alert_json.hpp"

#include <nlohmann/json.hpp>

namespace sl {

using Json = nlohmann::ordered_json;

std::string alert_json(const schema::Alert& a) {
    const Json json{{"schema_version", 1},
                    {"alert", a.alert},
                    {"kind", a.kind},
                    {"update", a.update},
                    {"key", a.key()},
                    {"job", a.job},
                    {"camera", a.camera},
                    {"stream", a.stream},
                    {"rule", a.rule},
                    {"zone", a.zone},
                    {"roi_hit", a.roi_hit},
                    {"class_name", a.class_name},
                    {"frame", a.frame},
                    {"time_s", a.time_s},
                    {"capture_ns", a.capture_ns},
                    {"decided_ns", a.decided_ns},
                    {"box",
                     {{"x", a.box.x},
                      {"y", a.box.y},
                      {"width", a.box.width},
                      {"height", a.box.height},
                      {"score", a.box.score},
                      {"class_id", a.box.class_id},
                      {"pool", a.box.pool},
                      {"track", a.box.track}}},
                    {"model", a.model},
                    {"preset", a.preset},
                    {"snapshot", a.snapshot},
                    {"trace", a.trace}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<schema::Alert> alert_from_json(const std::string& text) {
    const Json v = Json::parse(text, nullptr, false);
    const auto optional = [](const Json& map, const char* key, auto& to) {
        if (map.contains(key)) map.at(key).get_to(to);
    };
    try {
        schema::Alert a;
        v.at("alert").get_to(a.alert);
        optional(v, "kind", a.kind);
        optional(v, "update", a.update);
        v.at("job").get_to(a.job);
        optional(v, "camera", a.camera);
        v.at("stream").get_to(a.stream);
        v.at("rule").get_to(a.rule);
        optional(v, "zone", a.zone);
        optional(v, "roi_hit", a.roi_hit);
        v.at("class_name").get_to(a.class_name);
        v.at("frame").get_to(a.frame);
        v.at("time_s").get_to(a.time_s);
        optional(v, "capture_ns", a.capture_ns);
        optional(v, "decided_ns", a.decided_ns);
        const Json& b = v.at("box");
        b.at("x").get_to(a.box.x);
        b.at("y").get_to(a.box.y);
        b.at("width").get_to(a.box.width);
        b.at("height").get_to(a.box.height);
        b.at("score").get_to(a.box.score);
        b.at("class_id").get_to(a.box.class_id);
        optional(b, "pool", a.box.pool);
        optional(b, "track", a.box.track);
        optional(v, "model", a.model);
        optional(v, "preset", a.preset);
        optional(v, "snapshot", a.snapshot);
        optional(v, "trace", a.trace);
        return a;
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

}  // namespace sl
