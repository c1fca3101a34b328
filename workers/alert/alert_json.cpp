#include "workers/alert/alert_json.hpp"

#include <nlohmann/json.hpp>

namespace sl::alert {

std::string as_json(const schema::Alert& alert) {
    using Json = nlohmann::ordered_json;
    const schema::Box& box = alert.box;
    const Json json{{"alert", alert.alert},
                    {"job", alert.job},
                    {"stream", alert.stream},
                    {"rule", alert.rule},
                    {"class_name", alert.class_name},
                    {"frame", alert.frame},
                    {"time_s", alert.time_s},
                    {"box",
                     {{"x", box.x},
                      {"y", box.y},
                      {"width", box.width},
                      {"height", box.height},
                      {"score", box.score},
                      {"class_id", box.class_id}}}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sl::alert
