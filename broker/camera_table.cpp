// Registry, zones, leases, tasks.
#include "broker/camera_table.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/camera_json.hpp"
#include "common/zone_json.hpp"
#include "schema/codec.hpp"

namespace sl::broker {

using Json = nlohmann::json;
using schema::Token;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds first_rest{1000}, longest_rest{60'000}, tell_again{5000};

template <typename T>
void lay(const std::vector<T>& over, std::vector<T>& under) {
    for (const T& item : over) {
        const auto same =
            std::find_if(under.begin(), under.end(), [&](const T& u) { return u.name == item.name; });
        if (same == under.end())
            under.push_back(item);
        else
            *same = item;
    }
}

}  // namespace

LiveCamera* CameraTable::find(const std::string& id) {
    const auto at = cameras_.find(id);
    return at == cameras_.end() ? nullptr : &at->second;
}
const LiveCamera* CameraTable::find(const std::string& id) const {
    const auto at = cameras_.find(id);
    return at == cameras_.end() ? nullptr : &at->second;
}

void CameraTable::event(const LiveCamera& c, const char* kind, const std::string& body, Journal& j) {
    log_.event(j, "camera." + c.id(), kind, "", body);
}

// --- registry ------------------------------------------------------------------------------------------

void CameraTable::set(schema::Camera camera, schema::JobSpec spec, Clock::time_point now, Journal& j) {
    const auto [at, fresh] = cameras_.try_emplace(camera.camera);
    LiveCamera& c = at->second;
    if (fresh) {
        c.connection.token = {camera.camera, "camera"};
        c.watch.token = {camera.camera, "watch"};
    } else {
        camera.revision = c.camera.revision;
        if (camera == c.camera && schema::encode(spec) == schema::encode(c.spec)) return;
    }
    ++camera.revision;
    c.camera = std::move(camera);
    c.spec = std::move(spec);
    for (Unit* u : {&c.connection, &c.watch}) {
        if (!c.camera.enabled) {
            u->state = Unit::State::none;
            u->holder.clear();
        } else if (u->state == Unit::State::none) {
            u->state = Unit::State::pending;
            c.served = now;
        }
        u->trouble = {};  // what was set may be the remedy
    }
    if (!c.camera.enabled) {
        forget_report(c);
        c.told.clear();
        c.dropping = false;
    }
    write_camera(c, j);
    changed(c, j);
    event(c, "camera.set", camera_json(c.camera).dump(), j);
}

Result<void> CameraTable::remove(const std::string& id, Journal& j) {
    const LiveCamera* c = find(id);
    if (!c)
        return Error{Errc::not_found, "there is no camera '" + id + "'",
                     "`sightline cameras list` lists them"};
    set_zones(id, {}, j);
    event(*c, "camera.removed", Json{{"camera", id}}.dump(), j);
    j.writes.push_back({store::Write::Kind::erase_record, "camera:" + id, "", ""});
    changed_.erase(id);
    cameras_.erase(id);
    return {};
}

void CameraTable::set_zones(const std::string& of, ZonesRecord zones, Journal& j) {
    if (zones == this->zones(of)) return;
    if (zones == ZonesRecord{})
        zones_.erase(of);
    else
        zones_[of] = std::move(zones);
    write_zones(of, j);
    zones_event(of, j);
    if (LiveCamera* c = find(of)) changed(*c, j);
}

void CameraTable::zones_event(const std::string& of, Journal& j) {
    const ZonesRecord all = zones(of);
    Json body{{"of", of}, {"zones", Json::array()}, {"rules", Json::array()}};
    for (const auto& z : all.zones) body["zones"].push_back(Json(sl::to_json(z)));
    for (const auto& r : all.rules) body["rules"].push_back(Json(sl::to_json(r)));
    log_.event(j, "zones." + of, "zones.set", "", body.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void CameraTable::tell_registry(const std::set<std::string>& cameras, const std::set<std::string>& zones,
                                Journal& j) {
    for (const auto& [id, c] : cameras_)
        if (!cameras.contains(id)) event(c, "camera.set", camera_json(c.camera).dump(), j);
    for (const auto& [of, unused] : zones_)
        if (!zones.contains(of)) zones_event(of, j);
}

ZonesRecord CameraTable::zones(const std::string& of) const {
    const auto at = zones_.find(of);
    return at == zones_.end() ? ZonesRecord{} : at->second;
}

void CameraTable::lay_zones(const std::string& of, schema::JobSpec& spec) const {
    const auto at = zones_.find(of);
    if (at == zones_.end()) return;
    lay(at->second.zones, spec.zones);
    lay(at->second.rules, spec.rules);
}

// --- leases --------------------------------------------------------------------------------------------

Unit* CameraTable::unit_of(const Token& token) {
    LiveCamera* c = is_live(token) ? find(token.job) : nullptr;
    return !c ? nullptr : token.unit == "watch" ? &c->watch : &c->connection;
}

bool CameraTable::current(const Token& token) const {
    const Unit* u = const_cast<CameraTable*>(this)->unit_of(token);
    return u && u->state == Unit::State::leased && u->token == token;
}

std::vector<std::pair<Token, std::string>> CameraTable::leases() const {
    std::vector<std::pair<Token, std::string>> all;
    for (const auto& [id, c] : cameras_)
        for (const Unit* u : {&c.connection, &c.watch})
            if (u->state == Unit::State::leased) all.emplace_back(u->token, u->holder);
    return all;
}

Token CameraTable::lease(LiveCamera& c, Unit& unit, const char* name, const std::string& worker) {
    unit.token = {c.id(), name, -1, 0, unit.token.attempt + 1, random_u64()};
    unit.holder = worker;
    unit.state = Unit::State::leased;
    return unit.token;
}

Token CameraTable::lease_camera(LiveCamera& c, const std::string& worker, Journal& j) {
    forget_report(c);
    lease(c, c.connection, "camera", worker);
    changed(c, j);
    return c.connection.token;
}

Token CameraTable::lease_watch(LiveCamera& c, const std::string& worker, Journal& j) {
    add_counters(c.before, std::exchange(c.counters, {}));
    c.stepped = false;
    lease(c, c.watch, "watch", worker);
    c.watch.token.seq = ++c.session;
    write_step(c, j);
    changed(c, j);
    return c.watch.token;
}

void CameraTable::lost(const Token& token, Journal& j) {
    if (!current(token)) return;
    LiveCamera& c = *find(token.job);
    Unit& u = *unit_of(token);
    u.state = Unit::State::pending;
    u.holder.clear();
    if (&u == &c.connection) forget_report(c);
    changed(c, j);
}

void CameraTable::forget_report(LiveCamera& c) {
    c.report.reset();
    c.fps = 0;
    c.window = {};
    c.streams_since = {};
}

void CameraTable::rest(Unit& unit, Clock::time_point now) {
    const auto times = std::min(unit.trouble.waits++, 10);
    unit.trouble.not_before = now + std::min(first_rest * (1 << times), longest_rest);
}

void CameraTable::fail(const Token& token, const std::string& why, Clock::time_point now, Journal& j) {
    if (!current(token)) return;
    LiveCamera& c = *find(token.job);
    lost(token, j);
    rest(*unit_of(token), now);
    c.last_error = clean(why);
}

void CameraTable::strike(const Token& token, const std::string& why, Clock::time_point now, Journal& j) {
    Unit* u = unit_of(token);
    if (!u || u->token != token || u->state == Unit::State::none) return;
    lost(token, j);
    rest(*u, now);
    find(token.job)->last_error = clean(why);
}

// --- tasks ---------------------------------------------------------------------------------------------

void CameraTable::changed(LiveCamera& c, Journal& j) {
    ++c.revision;
    write_leases(c, j);
    changed_.insert(c.id());
}

schema::CameraTask CameraTable::camera_task(const LiveCamera& c) const {
    schema::CameraTask m;
    m.token = c.connection.token;
    m.camera = c.camera;
    m.spec = c.spec;
    lay_zones(c.id(), m.spec);
    if (c.watch.state == Unit::State::leased) {
        m.home = c.watch.holder;
        m.watch = c.watch.token;
    }
    m.revision = c.revision;
    return m;
}

schema::WatchTask CameraTable::watch_task(const LiveCamera& c) const {
    schema::WatchTask m;
    m.token = c.watch.token;
    m.camera = c.camera;
    m.spec = c.spec;
    lay_zones(c.id(), m.spec);
    m.step = c.step;
    m.state = c.state;
    m.revision = c.revision;
    return m;
}

std::vector<LiveCamera*> CameraTable::to_tell(Clock::time_point now) {
    std::vector<LiveCamera*> all;
    for (auto& [id, c] : cameras_) {
        if (!changed_.contains(id) && now - c.sent < tell_again) continue;
        c.sent = now;
        all.push_back(&c);
    }
    changed_.clear();
    return all;
}

}  // namespace sl::broker
