#include "broker/dispatch.hpp"

#include <algorithm>

namespace sl::broker {
namespace {

struct Choice {
    std::int32_t stream = -1;
    std::int64_t seq = 0;
    bool turn = false;
    bool begins = false;  // it was never leased before
};

// The first chunk of a job that may be leased: a turn chunk of any stream, else one in the window.
std::optional<Choice> first_chunk(const Job& job, bool credit, const DispatchLimits& limits,
                                  Clock::time_point now) {
    std::optional<Choice> ahead;
    for (std::size_t i = job.first_open; i < job.streams.size(); ++i) {
        const Stream& s = job.streams[i];
        const auto end =
            std::min({std::int64_t(s.chunks.size()), s.dead_at, s.next + limits.chunks_in_flight});
        for (std::int64_t k = s.prefix; k < end; ++k) {
            const Chunk& c = s.chunks[std::size_t(k)];
            if (c.state != ChunkState::pending || c.trouble.not_before > now) continue;
            const Choice choice{std::int32_t(i), k, k <= s.next, c.token.attempt == job.attempts};
            if (choice.turn) return choice;
            if (!ahead && credit) ahead = choice;
            break;
        }
    }
    return ahead;
}

// A chunk whose turn it is rests: the job cannot go on, whatever it is granted.
bool stalled(const Job& job, Clock::time_point now) {
    for (std::size_t i = job.first_open; i < job.reached; ++i) {
        const Stream& s = job.streams[i];
        for (std::int64_t k = s.prefix; k < std::min({s.reached, s.next + 1, s.dead_at}); ++k)
            if (const Chunk& c = s.chunks[std::size_t(k)];
                c.state != ChunkState::done && c.trouble.not_before > now)
                return true;
    }
    return false;
}

// Of the first stream: jobs are many, and streams of one job much alike.
double weight_of(const Job& job) {
    for (const Stream& s : job.streams)
        if (!s.chunks.empty())
            return double(s.info.frames) / double(s.chunks.size()) * s.info.width * s.info.height;
    return 0;
}

}  // namespace

Dispatch::Dispatch(JobTable& table, const Members& members, const DispatchLimits& limits,
                   Clock::time_point now)
    : table_(table), members_(members), limits_(limits), now_(now) {
    const JobIndex& index = table.index();
    std::set<std::string> busy;
    const auto note = [&](const Unit& u) {
        if (u.state == Unit::State::leased) busy.insert(u.holder);
    };
    for (const Job* job : index.ending()) note(job->final), note(job->sweep);
    for (const Job* job : index.running()) note(job->scan);
    for (const auto& [id, m] : members.all()) {
        if (m.draining) continue;
        if (!members.open_pools.contains(m.hello.pool)) served_.emplace(m.hello.pool, m.hello.engine);
        // One unit a worker: the others wait in the store, not in a process. (Deliveries: one a target.)
        if (m.hello.stage == "alert" || !busy.contains(id)) free_[m.hello.stage].push_back(id);
        if (m.hello.stage != "annotate" || !m.listed) continue;  // after a take-over: not before it listed
        homes_.push_back(id);
        slots_ += m.hello.slots;
    }
    for (Job* job : index.running()) {
        const std::int64_t in_flight = job->in_flight();
        tenants_[job->spec.tenant] += in_flight + (job->scan.state == Unit::State::leased);
        const bool works = workable(*job);  // a job that waits for a pool holds nobody else up
        running_ += works;
        if (!works || job->final.state != Unit::State::none || stalled(*job, now) ||
            (in_flight == 0 && !first_chunk(*job, true, limits, now))) {
            job->share.taking = false;
            continue;
        }
        // What is under way. Of a stream that ended early the chunks behind its dead one never will be.
        std::int64_t started = job->done();
        for (std::size_t i = 0; i < job->reached; ++i) {
            const Stream& s = job->streams[i];
            for (std::int64_t k = s.prefix; k < std::min(s.reached, s.dead_at); ++k)
                started += s.chunks[std::size_t(k)].state != ChunkState::done;
        }
        takers_.push_back({job, in_flight, job->done(), started, weight_of(*job)});
    }
    join();
}

bool Dispatch::workable(const Job& job) const {
    for (const char* stage : {"ingest", "preprocess", "annotate"})
        if (!served_.contains(stage)) return false;
    for (const auto& p : job.spec.pools) {
        const auto served = served_.find(p.name);
        if (served == served_.end()) return false;
        const auto pinned = job.engines.find(p.name);
        if (pinned != job.engines.end() && pinned->second != served->second) return false;
    }
    return true;
}

bool Dispatch::ready(const Unit& u) const {
    return u.state == Unit::State::pending && u.trouble.not_before <= now_;
}

std::optional<Grant> Dispatch::next() {
    if (auto g = deliver()) return g;
    if (auto g = ending()) return g;
    if (auto g = scan()) return g;
    return chunk();
}

std::optional<std::string> Dispatch::take_free(const std::string& stage) {
    const auto free = free_.find(stage);
    if (free == free_.end() || free->second.empty()) return std::nullopt;
    std::string worker = std::move(free->second.front());
    free->second.erase(free->second.begin());
    return worker;
}

// Each target on its own, to the worker that had it before (it is connected there), else to the one with the
// fewest.
std::optional<Grant> Dispatch::deliver() {
    const auto free = free_.find("alert");
    if (free == free_.end()) return std::nullopt;
    const auto& workers = free->second;
    const auto& targets = table_.outbox().targets();
    for (const auto& t : targets) {
        if (t.unit.state == Unit::State::leased || t.unit.trouble.not_before > now_ || !Outbox::pending(t))
            continue;
        if (std::find(workers.begin(), workers.end(), t.last_holder) != workers.end())
            return Grant{"deliver", t.name, -1, 0, t.last_holder};
        const auto load = [&](const std::string& worker) {
            return std::count_if(targets.begin(), targets.end(),
                                 [&](const auto& other) { return other.last_holder == worker; });
        };
        const auto least = std::min_element(
            workers.begin(), workers.end(),
            [&](const auto& a, const auto& b) { return std::pair(load(a), a) < std::pair(load(b), b); });
        return Grant{"deliver", t.name, -1, 0, *least};
    }
    return std::nullopt;
}

// Ends before beginnings: they free disk and memory.
std::optional<Grant> Dispatch::ending() {
    if (free_["annotate"].empty()) return std::nullopt;
    for (const Job* job : table_.index().ending())
        for (const auto& [unit, name] : {std::pair{&job->final, "final"}, std::pair{&job->sweep, "sweep"}})
            if (ready(*unit)) return Grant{name, job->id(), -1, 0, *take_free("annotate")};
    return std::nullopt;
}

// A scan that was begun, then by priority the job of the tenant with the least in flight, then by age.
std::optional<Grant> Dispatch::scan() {
    if (free_["ingest"].empty()) return std::nullopt;
    const auto grant = [&](const Job& job) {
        ++tenants_[job.spec.tenant];
        return Grant{"scan", job.id(), -1, 0, *take_free("ingest")};
    };
    for (const Job* job : table_.index().running())
        if (ready(job->scan) && workable(*job)) return grant(*job);
    if (running_ >= limits_.running_jobs) return std::nullopt;
    for (const auto& [priority, tenants] : table_.index().waiting()) {
        const Job* best = nullptr;
        for (const auto& [tenant, jobs] : tenants) {
            if (best && tenants_[tenant] >= tenants_[best->spec.tenant]) continue;
            const auto job = std::find_if(jobs.begin(), jobs.end(),
                                          [&](const Job* x) { return ready(x->scan) && workable(*x); });
            if (job != jobs.end()) best = *job;
        }
        if (!best) continue;
        ++running_;
        return grant(*best);
    }
    return std::nullopt;
}

// --- chunks: fair shares -------------------------------------------------------------------------------

namespace {

// Of one owner, and their chunks cost about the same: what one of them got can be held against another.
template <typename T>
bool alike(const T& a, const T& b) {
    const auto &x = a.job->spec, &y = b.job->spec;
    return x.priority == y.priority && x.tenant == y.tenant && x.pipeline == y.pipeline &&
           a.weight <= 2 * b.weight && b.weight <= 2 * a.weight;
}

constexpr std::int64_t most_apart = 2;  // finished chunks of equal jobs

}  // namespace

// Who begins, or comes back from a rest, is neither held back for what it got alone nor owed what it missed.
void Dispatch::join() {
    std::vector<Taker*> fresh;
    for (Taker& t : takers_)
        if (!t.job->share.taking) fresh.push_back(&t);
    std::stable_sort(fresh.begin(), fresh.end(),
                     [](const Taker* a, const Taker* b) { return a->done > b->done; });
    for (Taker* t : fresh) {
        std::int64_t most = -1;
        for (const Taker& other : takers_)
            if (other.job->share.taking && alike(*t, other)) most = std::max(most, other.share());
        const std::int64_t mine = t->done + t->job->share.offset;
        t->job->share.offset =
            (most < 0 ? mine : std::clamp(mine, std::max<std::int64_t>(0, most - most_apart), most)) -
            t->done;
        t->job->share.taking = true;
    }
}

// Priority, then the tenant with the least in flight, then its job that got the least, then the one whose
// turn is longest ago, then age.
bool Dispatch::before(const Taker& a, const Taker& b) const {
    const auto &x = a.job->spec, &y = b.job->spec;
    if (x.priority != y.priority) return x.priority > y.priority;
    if (x.tenant != y.tenant) {
        const auto m = tenants_.at(x.tenant), n = tenants_.at(y.tenant);
        if (m != n) return m < n;
    }
    const auto m = a.share() + a.in_flight, n = b.share() + b.in_flight;
    if (m != n) return m < n;
    if (a.job->last_grant != b.job->last_grant) return a.job->last_grant < b.job->last_grant;
    return ByAge()(a.job, b.job);
}

// Equal jobs finish their chunks together: none begins one that could leave another more than two behind.
// Where slots are so many that this would leave some unused, they may lie further apart.
bool Dispatch::may_begin_another(const Taker& taker) const {
    std::int64_t others = 0, least = taker.share();
    for (const Taker& t : takers_) {
        if (t.job == taker.job || !alike(taker, t)) continue;
        ++others;
        least = std::min(least, t.share());
    }
    if (others == 0) return true;
    const auto apart = std::max(most_apart, (slots_ + others - 1) / others);
    return taker.started + taker.job->share.offset < least + apart;
}

const std::string* Dispatch::home(bool turn) const {
    const std::string* best = nullptr;
    std::int32_t room = 0;
    for (const auto& id : homes_) {
        const Member& m = members_.all().at(id);
        // The last free slot goes to a turn chunk only, or chunks that wait could fill every home (rule 15).
        const std::int32_t free = m.free_slots() - (turn || m.hello.slots < 2 ? 0 : 1);
        if (free > room) best = &id, room = free;
    }
    return best;
}

std::optional<Grant> Dispatch::chunk() {
    const std::string* for_turn = home(true);
    if (!for_turn) return std::nullopt;
    const std::string* for_any = home(false);
    std::vector<Taker*> order;
    for (Taker& t : takers_) order.push_back(&t);
    std::sort(order.begin(), order.end(), [&](const Taker* a, const Taker* b) { return before(*a, *b); });
    for (Taker* t : order) {
        const auto choice = first_chunk(*t->job, t->in_flight < limits_.chunks_in_flight, limits_, now_);
        if (!choice || (choice->begins && !may_begin_another(*t))) continue;
        const std::string* at = choice->turn ? for_turn : for_any;
        if (!at) continue;
        ++t->in_flight;
        ++tenants_[t->job->spec.tenant];
        t->started += choice->begins;
        return Grant{"chunk", t->job->id(), choice->stream, choice->seq, *at};
    }
    return std::nullopt;
}

}  // namespace sl::broker
