#include "broker/pools.hpp"

#include <algorithm>

namespace sl::broker {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t failures_to_open = 5;
constexpr milliseconds first_rest{500}, longest_rest{30'000};

std::size_t serving(const Members& members, const std::string& pool) {
    return std::size_t(std::count_if(members.all().begin(), members.all().end(), [&](const auto& m) {
        return m.second.hello.pool == pool && !m.second.draining;
    }));
}

}  // namespace

void Pools::failed(const std::string& pool, const schema::Token& unit, const std::string& why,
                   Clock::time_point now) {
    Pool& p = pools_[pool];
    p.last_error = why;
    p.failed.insert(unit.job + "/" + unit.unit + "/" + std::to_string(unit.stream) + "/" +
                    std::to_string(unit.seq));
    if (p.failed.size() < failures_to_open || now < p.open_until) return;
    p.rest = p.rest == Clock::duration{} ? first_rest : std::min<Clock::duration>(p.rest * 2, longest_rest);
    p.open_until = now + p.rest;
}

void Pools::worked(const std::string& pool) {
    const auto p = pools_.find(pool);
    if (p == pools_.end()) return;
    p->second.failed.clear();
    p->second.rest = {};
    p->second.open_until = {};
}

std::set<std::string> Pools::open(Clock::time_point now) const {
    std::set<std::string> open;
    for (const auto& [name, p] : pools_)
        if (now < p.open_until) open.insert(name);
    return open;
}

Result<std::vector<std::string>> Pools::reload(const std::string& pool, std::int64_t deadline_ms,
                                               const Members& members, Clock::time_point now) {
    if (reloading(pool))
        return Error{Errc::conflict, "pool " + pool + " is being reloaded already",
                     "`sightline pools` shows it"};
    Reloading r;
    for (const auto& [id, m] : members.all()) {
        if (m.hello.pool != pool) continue;
        if (m.draining)
            return Error{Errc::conflict, "cannot reload pool " + pool + ": its worker " + id + " drains",
                         "try again when it has left"};
        r.todo.push_back(id);
    }
    if (r.todo.empty())
        return Error{Errc::not_found, "nobody serves a pool '" + pool + "'", "`sightline pools` lists them"};
    const std::vector<std::string> all(r.todo.begin(), r.todo.end());
    r.wanted = all.size();
    r.deadline_ms = deadline_ms;
    r.give_up = now;
    reloads_[pool] = std::move(r);
    return all;
}

void Pools::refused(const std::string& pool, const std::string& worker, const std::string& why) {
    pools_[pool].last_error = "worker " + worker + " refused to reload: " + why;
    reloads_.erase(pool);
}

std::vector<Pools::Order> Pools::due(const Members& members, Clock::time_point now) {
    std::vector<Order> orders;
    for (auto it = reloads_.begin(); it != reloads_.end();) {
        Reloading& r = it->second;
        const bool back =
            r.at.empty() || (!members.all().contains(r.at) && serving(members, it->first) >= r.wanted);
        if (!back && now > r.give_up) {
            pools_[it->first].last_error =
                "the reload stopped: worker " + r.at + " did not come back in time";
            it = reloads_.erase(it);
            continue;
        }
        while (back && !r.todo.empty() && !members.all().contains(r.todo.front())) r.todo.pop_front();
        if (back && r.todo.empty()) {
            it = reloads_.erase(it);
            continue;
        }
        if (back) {
            r.at = r.todo.front();
            r.todo.pop_front();
            // Time to drain, and to begin again with a model to load.
            r.give_up = now + milliseconds(r.deadline_ms) + milliseconds(30'000);
            orders.push_back({r.at, {"reload", r.deadline_ms}});
        }
        ++it;
    }
    return orders;
}

const char* Pools::state(const std::string& pool, const Members& members, Clock::time_point now) const {
    if (reloading(pool)) return "reloading";
    const auto p = pools_.find(pool);
    if (p != pools_.end() && now < p->second.open_until) return "open";
    if (serving(members, pool) > 0) return "ready";
    const bool any = std::any_of(members.all().begin(), members.all().end(),
                                 [&](const auto& m) { return m.second.hello.pool == pool; });
    return any ? "draining" : "empty";
}

std::vector<std::string> Pools::known() const {
    std::vector<std::string> names;
    for (const auto& [name, p] : pools_) names.push_back(name);
    return names;
}

std::string Pools::last_error(const std::string& pool) const {
    const auto p = pools_.find(pool);
    return p == pools_.end() ? "" : p->second.last_error;
}

}  // namespace sl::broker
