// Pools, as operators see and order them: the requests pools, drain and reload.
#include <algorithm>

#include "broker/core.hpp"
#include "common/log.hpp"

namespace sl::broker {

Json Core::pools_view() const {
    const auto now = Clock::now();
    std::map<std::string, Json> pools;
    for (const auto& name : pools_.known())  // one that everybody left is shown, too: empty
        pools[name] = {{"pool", name}, {"stage", stage_of_pool(name)}, {"workers", Json::array()}};
    for (const auto& [id, m] : members_.all()) {
        pools[m.hello.pool]["workers"].push_back(
            {{"worker", id},
             {"host", m.hello.host},
             {"pid", m.hello.pid},
             {"state", m.draining                         ? "draining"
                       : m.busy_ms > 0 || !m.held.empty() ? "busy"
                                                          : "idle"},
             {"held", m.held.size()},
             {"done", m.items},
             {"engine", m.hello.engine},
             {"age_ms", std::chrono::duration_cast<milliseconds>(now - m.heard).count()},
             {"busy_ms", m.busy_ms},
             {"dropped", m.dropped},
             {"bad_messages", m.bad_messages},
             {"last_error", m.last_error}});
    }
    Json list = Json::array();
    for (auto& [name, pool] : pools) {
        const std::string state = pools_.state(name, members_, now);
        pool["state"] = state;
        pool["ready"] = state == "ready" || state == "reloading";
        pool["replicas"] = pool["workers"].size();
        pool["last_error"] = pools_.last_error(name);
        list.push_back(std::move(pool));
    }
    return list;
}

Result<Json> Core::drain(const std::string& pool, const std::string& worker, double deadline_s) {
    if (pool.empty() == worker.empty())
        return Error{Errc::invalid_argument, "a drain needs a pool or a worker",
                     "`sightline pools` lists both"};
    if (!(deadline_s >= 0 && deadline_s <= 86400))
        return Error{Errc::invalid_argument, "deadline_s must be 0 … 86400", ""};
    std::vector<std::string> all;
    for (const auto& [id, m] : members_.all())
        if (m.hello.pool == pool || id == worker) all.push_back(id);
    if (all.empty())
        return Error{
            Errc::not_found,
            pool.empty() ? "there is no worker '" + worker + "'" : "nobody serves a pool '" + pool + "'",
            "`sightline pools` lists them"};
    if (pools_.reloading(members_.find(all.front())->hello.pool))
        return Error{Errc::conflict, "its pool is being reloaded", "drain it when that is done"};
    schema::Drain m;
    m.deadline_ms = std::max<std::int64_t>(1, std::int64_t(deadline_s * 1000));
    for (const auto& id : all) {
        members_.find(id)->draining = true;
        members_.find(id)->drain_ms = m.deadline_ms;
        send_worker(id, bus::Envelope::make(m));
    }
    peers_changed_ = true;
    return Json{{"workers", all}};
}

Result<Json> Core::reload(const std::string& pool, double deadline_s) {
    if (!(deadline_s > 0 && deadline_s <= 86400))
        return Error{Errc::invalid_argument, "deadline_s must be above 0 and at most 86400", ""};
    auto all = pools_.reload(pool, std::int64_t(deadline_s * 1000), members_, Clock::now());
    if (!all) return all.error();
    log::info("reload", "pool={} workers={}", pool, all->size());
    return Json{{"workers", *all}};
}

void Core::tend_pools(Clock::time_point now) {
    for (const auto& order : pools_.due(members_, now))
        send_worker(order.worker, bus::Envelope::make(order.message));
    members_.open_pools = pools_.open(now);
    for (auto& [id, m] : members_.all()) {
        // One file that is joined, hashed and synced, or a tree that is removed, may take its time.
        const bool long_unit = std::any_of(m.held.begin(), m.held.end(), [](const schema::Token& t) {
            return t.unit == "final" || t.unit == "sweep";
        });
        if (m.still_ms < options_.stuck_ms * (long_unit ? 10 : 1)) continue;
        schema::Die die;
        die.message = "no sign of life for " + std::to_string(m.still_ms / 1000) + " s from what it works on";
        log::warn("worker_stuck", "worker={} pool={} {}", id, m.hello.pool, die.message);
        pools_.note(m.hello.pool, "worker " + id + ": " + die.message);
        send_worker(id, bus::Envelope::make(die));
        m.still_ms = 0;  // its next beat says again, if this is lost
    }
}

}  // namespace sl::broker
