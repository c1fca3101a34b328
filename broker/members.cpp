#include "broker/members.hpp"

#include <algorithm>

namespace sl::broker {

Result<bool> Members::hello(const schema::Hello& hello, const std::vector<std::string>& roots,
                            Clock::time_point now) {
    static const std::set<std::string> stages{"ingest",      "preprocess",   "detect",      "annotate",
                                              "alert",       "noop",         "live/ingest", "live/preprocess",
                                              "live/detect", "live/annotate"};
    if (hello.worker.empty() || !stages.contains(hello.stage))
        return Error{Errc::invalid_argument, "cannot take in a worker of stage '" + hello.stage + "'", ""};
    const bool live = hello.stage.starts_with("live/");
    const bool of_models = hello.stage == "detect" || hello.stage == "live/detect";
    if (of_models ? !hello.pool.starts_with(hello.stage + "/") : hello.pool != hello.stage)
        return Error{Errc::invalid_argument,
                     "a worker of stage " + hello.stage + " cannot serve the pool '" + hello.pool + "'", ""};
    if (hello.endpoints.empty())
        return Error{Errc::invalid_argument, "worker " + hello.worker + " announced no endpoint",
                     "give it a run folder or an address to bind"};
    if (hello.stage == "ingest" || hello.stage == "annotate")
        for (const auto& root : roots)
            if (std::find(hello.roots.begin(), hello.roots.end(), root) == hello.roots.end())
                return Error{Errc::invalid_argument,
                             "worker " + hello.worker + " on " + hello.host + " has no root '" + root + "'",
                             "mount it there and name it under `roots:` in that host's configuration"};
    // The same bytes: all workers of a pool compute with the same engine build and CPU class. Of live work
    // nobody compares them.
    for (const auto& [id, m] : members_)
        if (!live && id != hello.worker && m.hello.pool == hello.pool && m.hello.engine != hello.engine)
            return Error{Errc::conflict,
                         "worker " + hello.worker + " runs '" + hello.engine + "', its pool " + hello.pool +
                             " runs '" + m.hello.engine + "': their results may differ in the last bits",
                         "run the same build on the same CPU class, or another fleet"};
    Member& m = members_[hello.worker];
    const bool fresh = m.hello.worker.empty();
    m.hello = hello;
    m.heard = now;
    return fresh;
}

void Members::erase(const std::string& worker, Clock::time_point now) {
    std::erase_if(left_, [&](const auto& l) { return now - l.second.at > std::chrono::minutes(1); });
    if (const Member* m = find(worker); m && !m->hello.supervisor.empty())
        left_[worker] = {{m->hello.supervisor, m->hello.pool}, now};
    members_.erase(worker);
}

Members::Origin Members::origin(const std::string& worker) const {
    if (const auto m = members_.find(worker); m != members_.end())
        return {m->second.hello.supervisor, m->second.hello.pool};
    const auto l = left_.find(worker);
    return l == left_.end() ? Origin{} : l->second.origin;
}

Member* Members::find(const std::string& worker) {
    const auto it = members_.find(worker);
    return it == members_.end() ? nullptr : &it->second;
}

std::vector<std::string> Members::silent(Clock::time_point now, Clock::duration limit) const {
    std::vector<std::string> ids;
    for (const auto& [id, m] : members_)
        if (now - m.heard > limit) ids.push_back(id);
    return ids;
}

std::vector<schema::Peer> Members::peers() const {
    std::vector<schema::Peer> peers;
    for (const auto& [id, m] : members_)
        if (!m.draining)
            peers.push_back(
                {id, m.hello.stage, m.hello.pool, m.hello.host, m.hello.process, m.hello.endpoints});
    return peers;
}

bool Members::serves(const std::string& pool) const {
    return !open_pools.contains(pool) && std::any_of(members_.begin(), members_.end(), [&](const auto& m) {
        return m.second.hello.pool == pool && !m.second.draining;
    });
}

std::string stage_of_pool(const std::string& pool) {
    const std::size_t from = pool.starts_with("live/") ? 5 : 0;
    return pool.substr(0, pool.find('/', from));
}

std::string Members::engine(const std::string& pool) const {
    for (const auto& [id, m] : members_)
        if (m.hello.pool == pool && !m.draining) return m.hello.engine;
    return "";
}

std::vector<std::string> Members::missing(const schema::JobSpec& spec,
                                          const std::map<std::string, std::string>& engines) const {
    std::vector<std::string> missing;
    if (spec.pipeline == "noop") {
        if (!serves("noop")) missing.emplace_back("noop");
        return missing;
    }
    for (const char* stage : {"ingest", "preprocess", "annotate"})
        if (!serves(stage)) missing.emplace_back(stage);
    for (const auto& p : spec.pools) {
        const auto pinned = engines.find(p.name);
        if (!serves(p.name))
            missing.push_back(p.name);
        else if (pinned != engines.end() && pinned->second != engine(p.name))
            missing.push_back(p.name + " with " + pinned->second);
    }
    return missing;
}

}  // namespace sl::broker
