// The jobs socket's requests about cameras: registry, zones and rules, explain, and how they are shown.
#include <algorithm>

#include "broker/core.hpp"
#include "broker/live_dispatch.hpp"
#include "broker/request_field.hpp"
#include "common/camera_json.hpp"
#include "common/zone_json.hpp"

namespace sl::broker {
namespace {

constexpr std::size_t most_tracks = 1000, most_zones = 1000;

Error no_camera(const std::string& id) {
    return {Errc::not_found, "there is no camera '" + id + "'", "`sightline cameras list` lists them"};
}

Json zones_view(const ZonesRecord& zones) {
    Json v{{"zones", Json::array()}, {"rules", Json::array()}};
    for (const auto& z : zones.zones) v["zones"].push_back(Json(sl::to_json(z)));
    for (const auto& r : zones.rules) v["rules"].push_back(Json(sl::to_json(r)));
    return v;
}

// Sets the one of that name.
template <typename T>
void put(std::vector<T>& all, T item) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const T& a) { return a.name == item.name; });
    if (same == all.end())
        all.push_back(std::move(item));
    else
        *same = std::move(item);
}

// Takes the one of that name away, or all; how many.
template <typename T>
std::size_t take(std::vector<T>& all, const std::string& name) {
    return std::erase_if(all, [&](const T& a) { return name.empty() || a.name == name; });
}

std::int64_t age_ms(Clock::time_point then) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - then).count();
}

}  // namespace

std::optional<Result<Json>> Core::camera_request(const std::string& type, const Json& body) {
    const auto id = field<std::string>(body, "camera", "");
    if (type == "cameras") {
        Json list = Json::array();
        for (const auto& [name, c] : cameras_.cameras()) list.push_back(camera_view(c, false));
        return Json{{"cameras", list}};
    }
    if (type == "camera") {
        if (!id) return id.error();
        const LiveCamera* c = cameras_.find(*id);
        if (!c) return no_camera(*id);
        return Json{{"camera", camera_view(*c, true)}};
    }
    if (type == "camera_set") return camera_set(body);
    if (type == "camera_remove") {
        if (!id) return id.error();
        if (auto ok = cameras_.remove(*id, journal_); !ok) return ok.error();
        return Json::object();
    }
    if (type == "zones") {
        const auto of = field<std::string>(body, "of", "");
        if (!of) return of.error();
        Json all = Json::object();
        if (!of->empty())
            all[*of] = zones_view(cameras_.zones(*of));
        else
            for (const auto& [name, zones] : cameras_.all_zones()) all[name] = zones_view(zones);
        return Json{{"zones", all}};
    }
    if (type == "zone_set" || type == "zone_remove" || type == "rule_set" || type == "rule_remove")
        return change_zones(type, body);
    if (type == "explain") return explain(body);
    return std::nullopt;
}

// --- registry ------------------------------------------------------------------------------------------

Result<Json> Core::camera_set(const Json& body) {
    const auto id = field<std::string>(body, "camera", "");
    if (!id) return id.error();
    const LiveCamera* known = cameras_.find(*id);
    if (body.contains("create")) {
        const auto create = field<bool>(body, "create", true);
        if (!create) return create.error();
        if (*create && known)
            return Error{Errc::conflict, "there is a camera '" + *id + "' already",
                         "change it with `sightline cameras set`"};
        if (!*create && !known) return no_camera(*id);
    }
    schema::Camera camera;
    if (known) camera = known->camera;
    if (auto ok = lay_camera(body, camera); !ok) return ok.error();
    if (auto ok = register_camera(std::move(camera)); !ok) return ok.error();
    return Json{{"camera", camera_view(*cameras_.find(*id), true)}};
}

Result<void> Core::register_camera(schema::Camera camera) {
    std::string pipeline = "annotate";
    if (catalogue_.presets)
        for (const auto& preset : catalogue_.presets())
            if (preset.value("name", "") == camera.preset) pipeline = preset.value("pipeline", pipeline);
    schema::JobSpec spec;
    spec.camera = camera.camera;
    if (auto ok = catalogue_.resolve(pipeline, camera.preset, Json::parse(camera.params), spec); !ok)
        return Error{ok.error().code, "camera " + camera.camera + ": " + ok.error().message, ok.error().hint};
    schema::JobSpec whole = spec;
    cameras_.lay_zones(camera.camera, whole);
    if (auto ok = check_zones(whole.zones, whole.rules); !ok) return ok;
    const std::string id = camera.camera;
    cameras_.set(std::move(camera), std::move(spec), Clock::now(), journal_);
    const LiveCamera& c = *cameras_.find(id);
    const Member* holder = members_.find(c.connection.holder);
    if (holder && !fits(holder->hello, c.camera)) cameras_.lost(c.connection.token, journal_);
    judge_at_ = {};
    return {};
}

// --- zones and rules -------------------------------------------------------------------------------------

Result<Json> Core::change_zones(const std::string& type, const Json& body) {
    const auto of = field<std::string>(body, "of", "");
    if (!of) return of.error();
    if (of->empty())
        return Error{Errc::invalid_argument, type + " needs `of`: a camera, or the path of an input", ""};
    ZonesRecord zones = cameras_.zones(*of);
    const bool of_zones = type.starts_with("zone_");
    const char* what = of_zones ? "zone" : "rule";
    if (type.ends_with("_set")) {
        const Json value = body.value(what, Json());
        if (of_zones) {
            auto zone = zone_from_json(value);
            if (!zone) return zone.error();
            put(zones.zones, std::move(*zone));
        } else {
            auto rule = rule_from_json(value);
            if (!rule) return rule.error();
            put(zones.rules, std::move(*rule));
        }
        if (zones.zones.size() > most_zones || zones.rules.size() > most_zones)
            return Error{Errc::invalid_argument,
                         "there can be " + std::to_string(most_zones) + " zones and rules of " + *of, ""};
    } else {
        const auto name = field<std::string>(body, what, "");
        if (!name) return name.error();
        if ((of_zones ? take(zones.zones, *name) : take(zones.rules, *name)) == 0 && !name->empty())
            return Error{Errc::not_found,
                         "no " + std::string(what) + " '" + *name + "' was set of " + *of +
                             (cameras_.find(*of) ? " (its preset and params may have one)" : ""),
                         "`sightline zones list` lists them"};
    }
    if (auto ok = set_zones(*of, std::move(zones)); !ok)
        return type.ends_with("_remove") ? Error{Errc::conflict, ok.error().message, ok.error().hint}
                                         : ok.error();
    return Json{
        {of_zones ? "zones" : "rules", zones_view(cameras_.zones(*of))[of_zones ? "zones" : "rules"]}};
}

Result<void> Core::set_zones(const std::string& of, ZonesRecord zones) {
    schema::JobSpec whole;
    if (const LiveCamera* c = cameras_.find(of)) whole = c->spec;
    for (const auto& z : zones.zones) put(whole.zones, z);
    for (const auto& r : zones.rules) put(whole.rules, r);
    if (auto ok = check_zones(whole.zones, whole.rules); !ok) return ok;
    cameras_.set_zones(of, std::move(zones), journal_);
    judge_at_ = {};  // in force at once
    return {};
}

// --- explain -------------------------------------------------------------------------------------------

// From the events that are kept, the newest first.
Result<Json> Core::explain(const Json& body) const {
    const auto id = field<std::string>(body, "camera", "");
    const auto from = field<std::int64_t>(body, "from_ns", 0);
    const auto to = field<std::int64_t>(body, "to_ns", now_ns());
    if (!id) return id.error();
    if (!from) return from.error();
    if (!to) return to.error();
    if (!cameras_.find(*id)) return no_camera(*id);
    const std::string topic = "trace." + *id;
    std::vector<Json> found;
    for (auto e = recent_.rbegin(); e != recent_.rend() && found.size() < most_tracks; ++e) {
        if (e->topic != topic || e->time_ns < *from) continue;
        Json trace = Json::parse(e->body, nullptr, false);
        if (!trace.is_object()) continue;
        const auto number = [&](const char* name) {
            const auto at = trace.find(name);
            return at != trace.end() && at->is_number() ? at->get<std::int64_t>() : 0;
        };
        if (number("to_ns") >= *from && number("from_ns") <= *to) found.push_back(std::move(trace));
    }
    std::reverse(found.begin(), found.end());
    return Json{{"tracks", std::move(found)}, {"since_ns", recent_.empty() ? 0 : recent_.front().time_ns}};
}

// --- views ---------------------------------------------------------------------------------------------

Json Core::camera_view(const LiveCamera& c, bool whole) const {
    const schema::CameraReport r = c.report.value_or(schema::CameraReport{});
    schema::Counters total = c.before;
    add_counters(total, c.counters);
    const bool leased = c.connection.state == Unit::State::leased;
    Json v{{"camera", c.id()},
           {"url", r.url.empty() ? c.camera.url : r.url},
           {"enabled", c.camera.enabled},
           {"labels", c.camera.labels},
           {"preset", c.camera.preset},
           {"revision", c.camera.revision},
           {"state", !c.camera.enabled ? "disabled"
                     : !leased         ? "pending"
                     : c.report        ? r.state
                                       : "connecting"},
           {"error", r.error},
           {"message", c.report && leased ? r.message : c.last_error},
           {"worker", leased ? c.connection.holder : ""},
           {"home", c.watch.state == Unit::State::leased ? c.watch.holder : ""},
           {"waiting_for", waiting_for(c, members_)},
           {"width", r.width},
           {"height", r.height},
           {"codec", r.codec},
           {"source_fps", r.source_fps},
           {"fps", c.fps},
           {"connects", r.connects},
           {"captured", r.captured},
           {"sampled", r.sampled},
           {"sent", r.sent},
           {"gated", r.gated},
           {"in_flight", r.in_flight},
           {"dropped", r.dropped},
           {"saving", r.sampled > 0 ? double(r.gated) / double(r.sampled) : 0},
           {"detected", total.detected},
           {"alerts", total.alerts},
           {"latency_ms", c.latency_ms},
           {"age_ms", r.age_ms},
           {"step", c.step}};
    if (c.report) v["reported_ms"] = age_ms(c.reported);
    if (!whole) return v;
    v["counters"] = {{"read", total.read},           {"decoded", total.decoded}, {"detected", total.detected},
                     {"annotated", total.annotated}, {"boxes", total.boxes},     {"alerts", total.alerts},
                     {"dropped", total.dropped}};
    v["spec"] = camera_json(c.camera);
    v["session"] = c.session;
    schema::JobSpec spec = c.spec;  // as it is in force
    cameras_.lay_zones(c.id(), spec);
    v.update(zones_view({spec.zones, spec.rules}));
    return v;
}

void Core::live_health(
    const std::function<void(const std::string&, bool, const std::string&, bool)>& part) const {
    std::size_t enabled = 0, streaming = 0;
    std::set<std::string> pools{"live/ingest", "live/annotate"};
    for (const auto& [id, c] : cameras_.cameras()) {
        if (!c.camera.enabled) continue;
        ++enabled;
        streaming += c.streams();
        if (!c.spec.pools.empty()) pools.insert("live/preprocess");
        for (const auto& pool : c.spec.pools) pools.insert("live/" + pool.name);
    }
    if (enabled == 0) return;
    for (const auto& pool : pools) {
        const auto n = std::count_if(members_.all().begin(), members_.all().end(), [&](const auto& m) {
            return m.second.hello.pool == pool && !m.second.draining;
        });
        part(pool, n > 0, std::to_string(n) + (n == 1 ? " worker" : " workers"), true);
    }
    part("cameras", streaming == enabled,
         std::to_string(streaming) + " of " + std::to_string(enabled) + " stream", false);
}

}  // namespace sl::broker
