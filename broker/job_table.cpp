// Names, tokens, submit and cancel, leases.
#include "broker/job_table.hpp"

namespace sl::broker {

using schema::Token;

const char* state_name(JobState state) {
    switch (state) {
        case JobState::queued:
            return "queued";
        case JobState::running:
            return "running";
        case JobState::succeeded:
            return "succeeded";
        case JobState::failed:
            return "failed";
        case JobState::canceled:
            return "canceled";
    }
    return "";
}

const char* state_name(ChunkState state) {
    switch (state) {
        case ChunkState::pending:
            return "pending";
        case ChunkState::leased:
            return "leased";
        case ChunkState::done:
            return "done";
        case ChunkState::dead:
            return "dead";
    }
    return "";
}

std::int64_t Job::in_flight() const {
    std::int64_t n = 0;
    for (std::size_t i = first_open; i < reached; ++i) {
        const Stream& s = streams[i];
        for (std::int64_t k = s.prefix; k < s.reached; ++k)
            n += s.chunks[std::size_t(k)].state == ChunkState::leased;
    }
    return n;
}

std::int64_t Job::done() const {
    std::int64_t n = 0;
    for (const auto& s : streams) n += s.done;
    return n;
}

const JobIndex& JobTable::index() const {
    if (!index_.made())
        for (const auto& [id, job] : jobs_) index_.update(const_cast<Job&>(job));
    return index_;
}

Job* JobTable::find(const std::string& id) {
    const auto it = jobs_.find(id);
    return it == jobs_.end() ? nullptr : &it->second;
}

const Job* JobTable::by_key(const std::string& key) const {
    const auto known = key.empty() ? keys_.end() : keys_.find(key);
    return known == keys_.end() ? nullptr : &jobs_.at(known->second);
}

// --- tokens --------------------------------------------------------------------------------------------

Error JobTable::stale(const Token& token) {
    return Error{Errc::stale,
                 "the lease of " + token.unit + " " + token.job + "/" + std::to_string(token.stream) + "/" +
                     std::to_string(token.seq) + " attempt " + std::to_string(token.attempt) + " is over",
                 ""};
}

Token JobTable::make_token(const std::string& job, const char* unit, std::int32_t attempt) const {
    Token t;
    t.job = job;
    t.unit = unit;
    t.attempt = attempt;
    t.nonce = random_u64();
    return t;
}

Unit* JobTable::unit_of(const Token& token) {
    if (token.unit == "deliver") {
        Outbox::Target* target = outbox_.find(token.job);
        return target ? &target->unit : nullptr;
    }
    Job* job = find(token.job);
    if (!job) return nullptr;
    if (token.unit == "scan") return &job->scan;
    if (token.unit == "final") return &job->final;
    if (token.unit == "sweep") return &job->sweep;
    return nullptr;
}

const Chunk* JobTable::chunk(const Token& token) const {
    const auto job = jobs_.find(token.job);
    if (job == jobs_.end() || token.stream < 0 || std::size_t(token.stream) >= job->second.streams.size())
        return nullptr;
    const Stream& s = job->second.streams[std::size_t(token.stream)];
    if (token.seq < 0 || std::size_t(token.seq) >= s.chunks.size()) return nullptr;
    return &s.chunks[std::size_t(token.seq)];
}
Chunk* JobTable::chunk_of(const Token& token) {
    return const_cast<Chunk*>(std::as_const(*this).chunk(token));
}

bool JobTable::current(const Token& token) const {
    if (token.unit == "chunk") {
        const Chunk* c = chunk(token);
        return c && c->state == ChunkState::leased && c->token == token;
    }
    if (token.unit == "noop") return noops_.current(token);
    const Unit* u = const_cast<JobTable*>(this)->unit_of(token);
    return u && u->state == Unit::State::leased && u->token == token;
}

Result<void> JobTable::need_current(const Token& token, const char* unit) const {
    if (token.unit == unit && (current(token) || (unfenced_ && token.unit == "chunk" && chunk(token))))
        return {};
    return stale(token);
}

std::vector<std::pair<Token, std::string>> JobTable::leases() const {
    std::vector<std::pair<Token, std::string>> all;
    const auto unit = [&](const Unit& u) {
        if (u.state == Unit::State::leased) all.emplace_back(u.token, u.holder);
    };
    for (const auto& target : outbox_.targets()) unit(target.unit);
    for (const Job* job : index().ending()) {
        unit(job->final);
        unit(job->sweep);
    }
    for (const Job* job : index().running()) {
        unit(job->scan);
        for (std::size_t i = job->first_open; i < job->reached; ++i) {
            const Stream& s = job->streams[i];
            for (std::int64_t k = s.prefix; k < s.reached; ++k)
                if (const Chunk& c = s.chunks[std::size_t(k)]; c.state == ChunkState::leased)
                    all.emplace_back(c.token, c.holder);
        }
    }
    return all;
}

// --- clients -------------------------------------------------------------------------------------------

Result<std::string> JobTable::submit(schema::JobSpec spec, const std::string& key, Journal& j) {
    if (!key.empty())
        if (const auto known = keys_.find(key); known != keys_.end()) return known->second;
    const std::string id = std::move(spec.job);
    spec.job = id;
    if (spec.pipeline == "noop")
        return submit_noop(std::make_shared<const schema::JobSpec>(std::move(spec)), id, key);
    if (const Noop* known = noops_.by_key(key)) return *known->id;
    if (auto ok = unused(id); !ok) return ok.error();
    Job& job = jobs_[id];
    job.spec = std::move(spec);
    job.key = key;
    job.scan.state = Unit::State::pending;
    if (!key.empty()) keys_[key] = id;
    write_job(job, j);
    state_event(job, "job.queued", j);
    return id;
}

Result<void> JobTable::unused(const std::string& id) const {
    if (!jobs_.contains(id) && !noops_.find(id)) return {};
    return Error{Errc::conflict, "a job '" + id + "' exists already", "choose another name"};
}

Result<std::string> JobTable::submit_noop(const std::shared_ptr<const schema::JobSpec>& spec,
                                          const std::string& id, const std::string& key) {
    if (const Job* known = by_key(key)) return known->id();
    if (const Noop* known = noops_.by_key(key)) return *known->id;
    if (auto ok = unused(id); !ok) return ok.error();
    noops_.submit(spec, id, key);
    return id;
}

void JobTable::write_noops(Journal& j) {
    for (auto& [kind, body] : noops_.write(j)) event(j, "jobs.noop", kind, "", body);
}

Result<JobState> JobTable::cancel(const std::string& id, bool keep_partial, Journal& j) {
    if (const Noop* noop = noops_.find(id)) {
        if (!is_terminal(noop->state)) noops_.cancel(id);
        return noop->state;
    }
    Job* job = find(id);
    if (!job) return Error{Errc::not_found, "there is no job '" + id + "'", "`sightline jobs` lists them"};
    if (is_terminal(job->state)) return job->state;
    const bool touched = job->scan.state != Unit::State::pending || job->scan.token.attempt > 0;
    job->state = JobState::canceled;
    job->ended_ns = now_ns();
    job->keep_partial = keep_partial;
    job->scan.state = job->final.state = Unit::State::none;
    for (std::size_t i = 0; i < job->streams.size(); ++i) {
        Stream& s = job->streams[i];
        for (std::int64_t k = s.prefix; k < s.reached; ++k) {
            Chunk& c = s.chunks[std::size_t(k)];
            if (c.state != ChunkState::leased) continue;
            c.state = ChunkState::pending;
            c.holder.clear();
            write_chunk(*job, i, k, j);
        }
    }
    balance(*job, j);
    if (!touched) {  // nobody ever worked on it: nothing to sweep
        job->swept = true;
        state_event(*job, "job.canceled", j);
    } else if (keep_partial && job->found) {
        job->ending = JobState::canceled;
        job->final.state = Unit::State::pending;
    } else {
        job->sweep.state = Unit::State::pending;
    }
    write_job(*job, j);
    return job->state;
}

void JobTable::drop(Job& job, Journal& j) {
    job.state = JobState::failed;
    job.ended_ns = now_ns();
    job.error_code = "QUEUE_FULL_DROP_LRU";
    job.error = "the queue was full when another job was submitted, and this one had waited longest";
    job.scan.state = Unit::State::none;
    if (job.scan.token.attempt == 0)
        job.swept = true;  // nobody ever worked on it
    else
        job.sweep.state = Unit::State::pending;
    balance(job, j);
    write_job(job, j);
    state_event(job, "job.failed", j);
}

// --- leases --------------------------------------------------------------------------------------------

Token JobTable::lease_unit(Job& job, Unit& unit, const char* name, const std::string& holder, Journal& j) {
    unit.token = make_token(job.id(), name, unit.token.attempt + 1);
    unit.holder = holder;
    unit.state = Unit::State::leased;
    write_job(job, j);
    return unit.token;
}

Token JobTable::lease_scan(Job& job, const std::string& holder, Journal& j) {
    if (job.state == JobState::queued) {
        job.state = JobState::running;
        job.started_ns = now_ns();
        state_event(job, "job.started", j);
    }
    return lease_unit(job, job.scan, "scan", holder, j);
}
Token JobTable::lease_final(Job& job, const std::string& holder, Journal& j) {
    return lease_unit(job, job.final, "final", holder, j);
}
Token JobTable::lease_sweep(Job& job, const std::string& holder, Journal& j) {
    return lease_unit(job, job.sweep, "sweep", holder, j);
}

Token JobTable::lease_chunk(Job& job, std::int32_t stream, std::int64_t seq, const std::string& holder,
                            Journal& j) {
    Chunk& c = job.streams[std::size_t(stream)].chunks[std::size_t(seq)];
    Token t = make_token(job.id(), "chunk", c.token.attempt + 1);
    t.stream = stream;
    t.seq = seq;
    job.last_grant = ++grants_;
    repeats_ += c.token.attempt > job.attempts;
    job.reached = std::max(job.reached, std::size_t(stream) + 1);
    c.token = t;
    c.holder = holder;
    c.state = ChunkState::leased;
    Stream& s = job.streams[std::size_t(stream)];
    s.reached = std::max(s.reached, seq + 1);
    write_chunk(job, std::size_t(stream), seq, j);
    return t;
}

void JobTable::pin(Job& job, const std::string& pool, const std::string& engine, Journal& j) {
    if (job.engines.emplace(pool, engine).second) write_job(job, j);
}

Token JobTable::lease_deliver(const std::string& name, const std::string& holder, std::size_t limit,
                              std::vector<schema::Alert>& alerts) {
    Outbox::Target& target = *outbox_.find(name);
    alerts = outbox_.lease(target, limit);
    // Not kept in the store: after a restart the alerts after the cursor are simply delivered again.
    target.unit.token = make_token(name, "deliver", target.unit.token.attempt + 1);
    target.unit.holder = target.last_holder = holder;
    target.unit.state = Unit::State::leased;
    return target.unit.token;
}

void JobTable::lost(const Token& token, Journal& j) {
    if (token.unit == "noop") return noops_.lost(token);
    if (!current(token)) return;
    if (token.unit == "chunk") {
        Chunk& c = *chunk_of(token);
        c.state = ChunkState::pending;
        c.holder.clear();
        write_chunk(*find(token.job), std::size_t(token.stream), token.seq, j);
        return;
    }
    Unit& u = *unit_of(token);
    u.state = Unit::State::pending;
    if (token.unit == "deliver") outbox_.lost(*outbox_.find(token.job));
    u.holder.clear();
    if (token.unit != "deliver") write_job(*find(token.job), j);
}

}  // namespace sl::broker
