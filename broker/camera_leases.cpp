// Live work between the broker and its workers: who gets which camera, what they are told, what they say.
// No rules here: the camera table and live dispatch have them.
#include "broker/core.hpp"
#include "broker/live_dispatch.hpp"
#include "common/camera_json.hpp"
#include "common/log.hpp"
#include "common/zone_json.hpp"
#include "schema/codec.hpp"

namespace sl::broker {

void Core::tend_cameras(Clock::time_point now) {
    constexpr std::chrono::seconds between_moves{5};
    if (cameras_.cameras().empty()) return;
    cameras_.tend(now, journal_);
    LiveDispatch dispatch(cameras_, members_, now, now - balanced_ >= between_moves);
    while (const auto g = dispatch.next()) {
        LiveCamera& c = *cameras_.find(g->camera);
        const auto token = g->unit == "watch" ? cameras_.lease_watch(c, g->worker, journal_)
                                              : cameras_.lease_camera(c, g->worker, journal_);
        granted_[token] = not_sent;
        if (g->moves) balanced_ = now;
        log::info("leased", "unit={} camera={} attempt={} holder={}{}", g->unit, g->camera, token.attempt,
                  g->worker, g->moves ? " for balance" : "");
    }
    for (const LiveCamera* c : cameras_.to_tell(now)) tell_holders(*c);
}

// Behind the batch that records what it tells.
void Core::tell_holders(const LiveCamera& c) {
    if (c.watch.state == Unit::State::leased)
        later([this, worker = c.watch.holder, m = cameras_.watch_task(c)]() mutable {
            m.epoch = epoch_;
            begin_lease(m.token);
            send_worker(worker, bus::Envelope::make(m));
        });
    if (c.connection.state == Unit::State::leased)
        later([this, worker = c.connection.holder, m = cameras_.camera_task(c)]() mutable {
            m.epoch = epoch_;
            begin_lease(m.token);
            send_worker(worker, bus::Envelope::make(m));
        });
}

void Core::on_report(const schema::CameraReport& m) {
    // Of a lease that moved: nothing. It is repeated by nobody.
    if (const auto ok = cameras_.report(m, Clock::now(), journal_); !ok && ok.error().code != Errc::stale)
        unreadable(m.token.job, ok.error());
}

void Core::on_step(const std::string& worker, const schema::LiveStep& m, schema::Bytes state) {
    const auto ok = cameras_.step(m, std::move(state), journal_);
    if (!ok) log::debug("step_refused", "worker={} camera={} {}", worker, m.token.job, ok.error().message);
    answer(worker, m.req, ok ? "ok" : "stale");
}

// --- where the registry comes from -----------------------------------------------------------------------

// What PostgreSQL knows and this store does not, is taken in; what only this store knows is told again.
void Core::take_registry(const store::Registry& registry) {
    if (!registry.kept) return;
    std::set<std::string> cameras, zoned;
    for (const auto& text : registry.cameras) {
        const Json map = Json::parse(text, nullptr, false);
        schema::Camera camera;
        auto ok = lay_camera(map, camera);
        cameras.insert(camera.camera);
        if (cameras_.find(camera.camera)) continue;
        if (ok) camera.revision = map.value("revision", std::int64_t(0));
        if (ok) ok = register_camera(camera);
        if (!ok) log::error("camera_refused", "camera={} {}", camera.camera, ok.error().text());
    }
    for (const auto& text : registry.zones) {
        const Json map = Json::parse(text, nullptr, false);
        const std::string of = map.value("of", "");
        zoned.insert(of);
        if (cameras_.all_zones().contains(of)) continue;
        ZonesRecord zones;
        for (const auto& z : map.value("zones", Json::array()))
            if (auto zone = zone_from_json(z)) zones.zones.push_back(std::move(*zone));
        for (const auto& r : map.value("rules", Json::array()))
            if (auto rule = rule_from_json(r)) zones.rules.push_back(std::move(*rule));
        cameras_.set_zones(of, std::move(zones), journal_);
    }
    cameras_.tell_registry(cameras, zoned, journal_);
    cameras_.know_registry(journal_);
    log::info("registry", "PostgreSQL knows {} cameras, this store {}", registry.cameras.size(),
              cameras_.cameras().size());
}

void Core::configured_cameras() {
    for (const auto& text : options_.cameras) {
        const Json map = Json::parse(text, nullptr, false);
        schema::Camera camera;
        if (map.is_object())
            if (const LiveCamera* known = cameras_.find(map.value("camera", ""))) camera = known->camera;
        auto ok = lay_camera(map, camera);
        if (ok) ok = register_camera(camera);
        // One that cannot be taken keeps no other away.
        if (!ok) log::error("camera_refused", "camera={} {}", camera.camera, ok.error().text());
    }
}

}  // namespace sl::broker
