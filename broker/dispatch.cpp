#include "broker/dispatch.hpp"

#include <algorithm>

namespace sl::broker {
namespace {

bool ready(const Unit& u, Clock::time_point now) {
    return u.state == Unit::State::pending && u.not_before <= now;
}

// The worker of a stage with the fewest units in hand, if it has none of this kind.
std::string least_loaded(const Members& members, const std::map<std::string, std::size_t>& units,
                         const std::string& stage) {
    std::string best;
    std::size_t best_load = SIZE_MAX;
    for (const auto& [id, m] : members.all()) {
        if (m.hello.stage != stage || m.draining) continue;
        const auto u = units.find(id);
        const std::size_t load = u == units.end() ? 0 : u->second;
        if (load < best_load) best = id, best_load = load;
    }
    return best_load == 0 ? best : "";  // one at a time each: the others wait in the store, not in a process
}

struct Choice {
    std::int32_t stream = -1;
    std::int64_t seq = 0;
    bool turn = false;
};

// The first chunk of a job that may be leased: a turn chunk of any stream, else one in the window.
std::optional<Choice> first_chunk(const Job& job, const DispatchLimits& limits, Clock::time_point now) {
    const bool credit = job.in_flight() < limits.chunks_in_flight;
    std::optional<Choice> ahead;
    for (std::size_t i = 0; i < job.streams.size(); ++i) {
        const Stream& s = job.streams[i];
        const auto end =
            std::min({std::int64_t(s.chunks.size()), s.dead_at, s.next + limits.chunks_in_flight});
        for (std::int64_t k = s.prefix; k < end; ++k) {
            const Chunk& c = s.chunks[std::size_t(k)];
            if (c.state != ChunkState::pending || c.not_before > now) continue;
            if (k <= s.next) return Choice{std::int32_t(i), k, true};
            if (!ahead) ahead = Choice{std::int32_t(i), k, false};
            break;
        }
        if (ahead && !credit) ahead.reset();
    }
    return ahead;
}

}  // namespace

std::optional<Grant> next_grant(const JobTable& table, const Members& members, const DispatchLimits& limits,
                                Clock::time_point now) {
    std::map<std::string, std::size_t> units;
    std::int64_t running = 0;
    std::vector<const Job*> order;
    for (const auto& [id, job] : table.jobs()) {
        for (const Unit* u : {&job.scan, &job.final, &job.sweep})
            if (u->state == Unit::State::leased) ++units[u->holder];
        // A job that waits for a pool holds nobody else up.
        if (job.state == JobState::running && members.missing(job.spec, job.engines).empty()) ++running;
        if (!job.swept) order.push_back(&job);
    }
    const Unit& deliver = const_cast<JobTable&>(table).deliver();
    if (deliver.state != Unit::State::leased && deliver.not_before <= now && table.undelivered_count() > 0)
        if (const auto w = least_loaded(members, {}, "alert"); !w.empty())
            return Grant{"deliver", "", -1, 0, w};

    // Ends before beginnings: they free disk and memory.
    for (const Job* job : order)
        for (const auto& [unit, name] : {std::pair{&job->final, "final"}, std::pair{&job->sweep, "sweep"}})
            if (ready(*unit, now))
                if (const auto w = least_loaded(members, units, "annotate"); !w.empty())
                    return Grant{name, job->id(), -1, 0, w};

    // Priority, then the job with the least in flight, then the one whose turn is longest ago, then age.
    std::stable_sort(order.begin(), order.end(), [](const Job* a, const Job* b) {
        if (a->spec.priority != b->spec.priority) return a->spec.priority > b->spec.priority;
        const auto x = a->in_flight(), y = b->in_flight();
        return x != y ? x < y : a->last_grant < b->last_grant;
    });
    for (const Job* job : order) {
        if (!ready(job->scan, now)) continue;
        if (!members.missing(job->spec, job->engines).empty()) continue;
        if (job->state == JobState::queued && running >= limits.running_jobs) continue;
        if (const auto w = least_loaded(members, units, "ingest"); !w.empty())
            return Grant{"scan", job->id(), -1, 0, w};
    }

    for (const Job* job : order) {
        if (job->state != JobState::running || !members.missing(job->spec, job->engines).empty()) continue;
        const auto chunk = first_chunk(*job, limits, now);
        if (!chunk) continue;
        std::string home;
        std::int32_t room = 0;
        for (const auto& [id, m] : members.all()) {
            if (m.hello.stage != "annotate" || !m.listed)
                continue;  // after a take-over: not before its first listing
            // The last free slot goes to a turn chunk only, or chunks that wait could fill every home (rule
            // 15).
            const std::int32_t free = m.free_slots() - (chunk->turn || m.hello.slots < 2 ? 0 : 1);
            if (free > room) home = id, room = free;
        }
        if (!home.empty()) return Grant{"chunk", job->id(), chunk->stream, chunk->seq, home};
    }
    return std::nullopt;
}

}  // namespace sl::broker
