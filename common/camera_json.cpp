#include "common/camera_json.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/spelling.hpp"

namespace sl {
namespace {

using Json = nlohmann::json;

Error wrong(const std::string& message, const std::string& hint = "") {
    return {Errc::invalid_argument, "cannot register the camera: " + message, hint};
}

Result<void> check_id(const std::string& id) {
    constexpr std::size_t longest = 64;
    const bool plain = std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return (c < 0x80 && std::isalnum(c)) || std::strchr("-_.", c);
    });
    if (id.empty() || id.size() > longest || !plain || id == "." || id == "..")
        return wrong("'" + id.substr(0, longest) + "' is no id",
                     "give up to 64 letters, digits, '-', '_' and '.'");
    return {};
}

Result<void> check_url(const std::string& field, const std::string& url) {
    static const std::vector<std::string> schemes{"rtsp", "rtsps", "http",     "https",
                                                  "file", "v4l2",  "synthetic"};
    const auto colon = url.find("://");
    const std::string scheme = url.substr(0, colon);
    if (colon == std::string::npos || std::find(schemes.begin(), schemes.end(), scheme) == schemes.end())
        return wrong("its " + field + " has none of the known schemes",
                     "write one of " + join(schemes, ":// ") + "://");
    // A password may hold a '/': whatever stands before an '@' is taken for one.
    const bool network = scheme.starts_with("rtsp") || scheme.starts_with("http");
    if (network && url.substr(0, url.find('?')).find('@') != std::string::npos)
        return wrong("its " + field + " holds a user or a password",
                     "put them into the secrets of the hosts that connect, and name them by `secret`; an '@' "
                     "that belongs to the path is %40");
    if (std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; }))
        return wrong("its " + field + " holds a blank or a control character", "write a blank as %20");
    return {};
}

// Each field of one type: read(name, member).
template <typename Read>
void fields(schema::Camera& c, Read read) {
    read("camera", c.camera), read("url", c.url), read("backup_url", c.backup_url), read("secret", c.secret);
    read("transport", c.transport), read("fps", c.fps), read("policy", c.policy);
    read("deadline_s", c.deadline_s), read("silence_s", c.silence_s), read("connect_s", c.connect_s);
    read("enabled", c.enabled), read("labels", c.labels), read("snapshots", c.snapshots);
    read("preset", c.preset);
}
template <typename Read>
void fields(schema::MotionSpec& m, Read read) {
    read("on", m.on), read("threshold", m.threshold), read("full_every_s", m.full_every_s);
}

template <typename T>
bool read_value(const Json& value, T& member) {
    if constexpr (std::is_same_v<T, double>) {
        if (!value.is_number() || !std::isfinite(value.get<double>())) return false;
    }
    try {
        member = value.get<T>();
        return true;
    } catch (const Json::exception&) {
        return false;
    }
}

template <typename Record>
Result<void> lay(const Json& map, const std::string& prefix, Record& record) {
    Result<void> ok;
    fields(record, [&](const char* name, auto& member) {
        const auto at = map.find(name);
        if (at == map.end() || !ok || read_value(*at, member)) return;
        ok = wrong("field '" + prefix + name + "' has the wrong type (" + at->type_name() + ")",
                   "see PROTOCOL.md section 9");
    });
    return ok;
}

Result<void> check(const schema::Camera& c) {
    if (auto ok = check_id(c.camera); !ok) return ok;
    if (auto ok = check_url("url", c.url); !ok) return ok;
    if (!c.backup_url.empty())
        if (auto ok = check_url("backup_url", c.backup_url); !ok) return ok;
    Result<void> ok;
    const auto one_of = [&](const char* name, const std::string& value,
                            const std::vector<std::string>& known) {
        if (ok && std::find(known.begin(), known.end(), value) == known.end())
            ok = wrong(std::string(name) + " '" + value + "' is not known", did_you_mean(value, known));
    };
    const auto within = [&](const char* name, double value, double least, double most) {
        if (ok && !(value >= least && value <= most))
            ok = wrong(std::string(name) + " is " + Json(value).dump() + ", out of range",
                       "give " + Json(least).dump() + " to " + Json(most).dump());
    };
    one_of("transport", c.transport, {"tcp", "udp"});
    one_of("policy", c.policy, {"wait", "drop_oldest", "drop_latest", "deadline"});
    within("fps", c.fps, 0, 240);
    within("deadline_s", c.deadline_s, 0.05, 3600);
    within("silence_s", c.silence_s, 0.1, 3600);
    within("connect_s", c.connect_s, 0.1, 3600);
    within("motion.threshold", c.motion.threshold, 0, 1);
    within("motion.full_every_s", c.motion.full_every_s, 0.1, 86400);
    return ok;
}

}  // namespace

Json camera_json(const schema::Camera& camera) {
    schema::Camera c = camera;  // fields() hands out members that may be written
    Json map = Json::object(), motion = Json::object();
    fields(c, [&](const char* name, auto& member) { map[name] = member; });
    fields(c.motion, [&](const char* name, auto& member) { motion[name] = member; });
    map["motion"] = std::move(motion);
    Json params = Json::parse(c.params, nullptr, false);
    map["params"] = params.is_object() ? std::move(params) : Json::object();
    map["revision"] = c.revision;
    return map;
}

const std::vector<std::string>& camera_fields() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all{"motion", "params"};
        schema::Camera c;
        fields(c, [&](const char* name, auto&) { all.emplace_back(name); });
        return all;
    }();
    return names;
}

Result<void> lay_camera(const Json& map, schema::Camera& camera) {
    if (!map.is_object()) return wrong("it is no map of fields");
    if (auto ok = lay(map, "", camera); !ok) return ok;
    if (const auto motion = map.find("motion"); motion != map.end()) {
        if (!motion->is_object()) return wrong("field 'motion' must be a map of on, threshold, full_every_s");
        if (auto ok = lay(*motion, "motion.", camera.motion); !ok) return ok;
    }
    if (const auto params = map.find("params"); params != map.end()) {
        if (!params->is_object()) return wrong("field 'params' must be a map");
        Json all = Json::parse(camera.params, nullptr, false);
        if (!all.is_object()) all = Json::object();
        all.merge_patch(*params);
        camera.params = all.dump();
    }
    return check(camera);
}

}  // namespace sl
