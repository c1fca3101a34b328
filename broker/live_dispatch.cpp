#include "broker/live_dispatch.hpp"

#include <algorithm>

namespace sl::broker {
namespace {

const Unit& unit_of(const LiveCamera& c, const char* unit) {
    return std::string_view(unit) == "watch" ? c.watch : c.connection;
}

// Taken away, it would be missed.
bool works(const LiveCamera& c, const char* unit) {
    return std::string_view(unit) == "watch" ? c.stepped : c.streams();
}

}  // namespace

bool fits(const schema::Hello& hello, const schema::Camera& camera) {
    if (hello.stage != "live/ingest") return true;
    return std::all_of(camera.labels.begin(), camera.labels.end(), [&](const auto& label) {
        const auto at = hello.labels.find(label.first);
        return at != hello.labels.end() && at->second == label.second;
    });
}

std::vector<std::string> waiting_for(const LiveCamera& c, const Members& members) {
    std::vector<std::string> all;
    if (!c.camera.enabled) return all;
    if (c.connection.state != Unit::State::leased) {
        std::string what = "live/ingest";
        for (const auto& [name, value] : c.camera.labels) what += " with " + name + "=" + value;
        all.push_back(what);
    }
    if (c.watch.state != Unit::State::leased) all.emplace_back("live/annotate");
    if (!c.spec.pools.empty() && !members.serves("live/preprocess")) all.emplace_back("live/preprocess");
    for (const auto& pool : c.spec.pools)
        if (!members.serves("live/" + pool.name)) all.push_back("live/" + pool.name);
    return all;
}

LiveDispatch::LiveDispatch(CameraTable& table, const Members& members, Clock::time_point now, bool balance)
    : table_(table), members_(members), now_(now), balance_(balance), at_(table.cameras().begin()) {
    for (Kind* kind : {&watch_, &connection_}) {
        for (const auto& [id, m] : members.all())  // after a take-over: not before it listed
            if (m.hello.stage == kind->stage && !m.draining && m.listed) kind->load[id] = 0;
        for (const auto& [id, c] : table.cameras()) {
            const Unit& u = unit_of(c, kind->unit);
            if (u.state != Unit::State::leased) continue;
            if (const auto l = kind->load.find(u.holder); l != kind->load.end()) ++l->second;
        }
    }
}

std::optional<LiveGrant> LiveDispatch::next() {
    for (; at_ != table_.cameras().end(); ++at_)
        for (Kind* kind : {&watch_, &connection_})
            if (auto g = serve(*kind, at_->second)) return g;
    for (Kind* kind : {&watch_, &connection_})
        if (auto g = even_out(*kind)) return g;
    return std::nullopt;
}

std::optional<std::string> LiveDispatch::best(const Kind& kind, const LiveCamera& c) const {
    std::optional<std::string> best;
    std::int64_t least = 0;
    for (const auto& [worker, load] : kind.load)
        if ((!best || load < least) && fits(members_.all().at(worker).hello, c.camera))
            best = worker, least = load;
    return best;
}

LiveGrant LiveDispatch::grant(Kind& kind, const LiveCamera& c, const std::string& worker, bool moves) {
    const Unit& u = unit_of(c, kind.unit);
    if (const auto l = kind.load.find(u.holder); u.state == Unit::State::leased && l != kind.load.end())
        --l->second;
    ++kind.load[worker];
    return {kind.unit, c.id(), worker, moves};
}

// A lease that nobody has, or whose holder is about to leave.
std::optional<LiveGrant> LiveDispatch::serve(Kind& kind, LiveCamera& c) {
    const Unit& u = unit_of(c, kind.unit);
    const bool pending = u.state == Unit::State::pending && u.trouble.not_before <= now_;
    const auto holder = members_.all().find(u.holder);
    const bool leaving =
        u.state == Unit::State::leased && holder != members_.all().end() && holder->second.draining;
    if (!pending && !leaving) return std::nullopt;
    const auto worker = best(kind, c);
    return worker ? std::optional(grant(kind, c, *worker)) : std::nullopt;
}

// From who has the most to who has the least, when that is two less at least.
std::optional<LiveGrant> LiveDispatch::even_out(Kind& kind) {
    const LiveCamera* chosen = nullptr;
    std::string to;
    std::int64_t widest = 0;
    bool moves = false;  // the chosen one works
    for (const auto& [id, c] : table_.cameras()) {
        const Unit& u = unit_of(c, kind.unit);
        const bool working = works(c, kind.unit);
        const auto from = kind.load.find(u.holder);
        if (u.state != Unit::State::leased || from == kind.load.end() || (working && !balance_)) continue;
        const auto worker = best(kind, c);
        const auto wide = worker ? from->second - kind.load.at(*worker) : 0;
        if (wide < 2) continue;
        const bool better = !chosen || (moves && !working) || (moves == working && wide > widest);
        if (better) chosen = &c, to = *worker, widest = wide, moves = working;
    }
    if (!chosen) return std::nullopt;
    if (moves) balance_ = false;
    return grant(kind, *chosen, to, moves);
}

}  // namespace sl::broker
