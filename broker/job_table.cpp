#include "broker/job_table.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/alert_json.hpp"

namespace sl::broker {

using schema::Token;

namespace {

constexpr std::int32_t max_failures = 5;
constexpr std::size_t max_ended = 5000;  // jobs, kept for `jobs` and `job`
constexpr std::chrono::milliseconds first_back_off{250};

Error stale(const Token& token) {
    return Error{Errc::stale,
                 "the lease of " + token.unit + " " + token.job + "/" + std::to_string(token.stream) + "/" +
                     std::to_string(token.seq) + " attempt " + std::to_string(token.attempt) + " is over",
                 ""};
}

bool retryable(const std::string& code) {
    switch (code_from_name(code)) {
        case Errc::io:
        case Errc::unavailable:
        case Errc::timeout:
        case Errc::internal:
            return true;
        default:
            return false;
    }
}

}  // namespace

void add_counters(schema::Counters& sum, const schema::Counters& c) {
    sum.read += c.read;
    sum.decoded += c.decoded;
    sum.detected += c.detected;
    sum.annotated += c.annotated;
    sum.boxes += c.boxes;
    sum.alerts += c.alerts;
    for (const auto& [reason, n] : c.dropped) sum.dropped[reason] += n;
}

namespace {

// Advances past every chunk that is done without a gap.
void advance_prefix(Stream& s) {
    while (s.prefix < std::int64_t(s.chunks.size()) &&
           s.chunks[std::size_t(s.prefix)].state == ChunkState::done)
        ++s.prefix;
}

}  // namespace

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
    for (const auto& s : streams)
        for (std::int64_t k = s.prefix; k < s.reached; ++k)
            n += s.chunks[std::size_t(k)].state == ChunkState::leased;
    return n;
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

Token JobTable::make_token(const std::string& job, const char* unit, std::int32_t attempt) const {
    Token t;
    t.job = job;
    t.unit = unit;
    t.attempt = attempt;
    t.nonce = random_u64();
    return t;
}

Unit* JobTable::unit_of(const Token& token) {
    if (token.unit == "deliver") return &deliver_;
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
    unit(deliver_);
    for (const auto& [id, job] : jobs_) {
        unit(job.scan);
        unit(job.final);
        unit(job.sweep);
        for (const auto& s : job.streams)
            for (std::int64_t k = s.prefix; k < s.reached; ++k)
                if (const Chunk& c = s.chunks[std::size_t(k)]; c.state == ChunkState::leased)
                    all.emplace_back(c.token, c.holder);
    }
    return all;
}

// --- clients -------------------------------------------------------------------------------------------

Result<std::string> JobTable::submit(schema::JobSpec spec, const std::string& key, Journal& j) {
    if (!key.empty())
        if (const auto known = keys_.find(key); known != keys_.end()) return known->second;
    const std::string id = spec.job;
    if (jobs_.contains(id))
        return Error{Errc::conflict, "a job '" + id + "' exists already", "choose another name"};
    Job& job = jobs_[id];
    job.spec = std::move(spec);
    job.key = key;
    job.scan.state = Unit::State::pending;
    if (!key.empty()) keys_[key] = id;
    write_job(job, j);
    state_event(job, "job.queued", j);
    return id;
}

Result<JobState> JobTable::cancel(const std::string& id, bool keep_partial, Journal& j) {
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

Token JobTable::lease_deliver(const std::string& holder, std::size_t limit) {
    delivering_ = undelivered_[std::min(limit, undelivered_.size()) - 1].id;
    // Not kept in the store: after a restart the alerts after the cursor are simply delivered again.
    deliver_.token = make_token("", "deliver", deliver_.token.attempt + 1);
    deliver_.holder = holder;
    deliver_.state = Unit::State::leased;
    return deliver_.token;
}

std::vector<schema::Alert> JobTable::undelivered(std::size_t limit) const {
    std::vector<schema::Alert> alerts;
    for (std::size_t i = 0; i < undelivered_.size() && i < limit; ++i)
        alerts.push_back(undelivered_[i].alert);
    return alerts;
}

void JobTable::lost(const Token& token, Journal& j) {
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
    u.holder.clear();
    if (token.unit != "deliver") write_job(*find(token.job), j);
}

// --- results -------------------------------------------------------------------------------------------

Result<void> JobTable::found(const Token& token, const std::vector<std::string>& names, Journal& j) {
    if (auto ok = need_current(token, "scan"); !ok) return ok;
    Job& job = *find(token.job);
    if (job.found) {  // scanned again after a loss
        if (names.size() == job.streams.size() &&
            std::equal(names.begin(), names.end(), job.streams.begin(),
                       [](const auto& n, const Stream& x) { return n == x.name; }))
            return {};
        // A stream's number would mean another file than before.
        return fail_scan(job, std::string(code_name(Errc::conflict)),
                         "the inputs changed while they were scanned", j);
    }
    job.found = true;
    job.streams.resize(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        job.streams[i].name = names[i];
        write_stream(job, i, j);
    }
    if (names.empty()) {
        job.error_code = code_name(Errc::not_found);
        job.error = "the inputs hold no video and no picture:";
        for (const auto& input : job.spec.inputs)
            job.error += " " + (input.path.empty() ? input.root : input.path);
    }
    write_job(job, j);
    check_end(job, j);
    return {};
}

Result<void> JobTable::scanned(const schema::Scanned& m, Journal& j) {
    if (auto ok = need_current(m.token, "scan"); !ok) return ok;
    Job& job = *find(m.token.job);
    if (!job.found)
        return Error{Errc::unavailable, "the streams of job " + job.id() + " are not known yet", ""};
    if (m.stream < 0 || std::size_t(m.stream) >= job.streams.size())
        return Error{Errc::bad_message,
                     "cannot record a scan of stream " + std::to_string(m.stream) + " of job " + job.id(),
                     ""};
    const auto i = std::size_t(m.stream);
    Stream& s = job.streams[i];
    if (!s.scanned && s.error.empty()) {
        if (m.error_code.empty()) {
            s.info = m.info;
            s.info.name = s.name;
            s.scanned = true;
            s.total = std::int64_t(m.rows.size());
            s.chunks.resize(m.rows.size());
            for (std::size_t k = 0; k < m.rows.size(); ++k) {
                s.chunks[k].row = m.rows[k];
                write_chunk(job, i, std::int64_t(k), j);
            }
            s.states[0] = schema::encode(schema::StreamState{});
            set(j, job, "S/" + std::to_string(i) + "/0", s.states[0]);
        } else {
            end_stream(s, m.error_code, m.error);
        }
        write_stream(job, i, j);
    }
    if (std::all_of(job.streams.begin(), job.streams.end(),
                    [](const Stream& x) { return x.scanned || !x.error.empty(); })) {
        job.scan.state = Unit::State::done;
        write_job(job, j);
        check_end(job, j);
    }
    progress_event(job, j);
    return {};
}

Result<JobTable::Turn> JobTable::gathered(const Token& token, std::optional<schema::Bytes> detections,
                                          Journal& j) {
    if (auto ok = need_current(token, "chunk"); !ok) return ok.error();
    Job& job = *find(token.job);
    Stream& s = job.streams[std::size_t(token.stream)];
    auto d = s.detections.find(token.seq);
    if (d == s.detections.end()) {
        if (!detections)
            return Error{Errc::bad_message, "gathered without detections that were never recorded", ""};
        d = s.detections.emplace(token.seq, std::move(*detections)).first;
        set(j, job, "D/" + std::to_string(token.stream) + "/" + std::to_string(token.seq), d->second);
    }
    const auto state = s.states.find(token.seq);
    if (state == s.states.end()) return Turn{};
    return Turn{true, state->second, d->second};
}

Result<std::optional<Token>> JobTable::step(const Token& token, schema::Bytes next,
                                            const std::vector<schema::Alert>& alerts, Journal& j) {
    if (auto ok = need_current(token, "chunk"); !ok) return ok.error();
    Job& job = *find(token.job);
    Stream& s = job.streams[std::size_t(token.stream)];
    const auto successor = [&]() -> std::optional<Token> {
        const auto k = std::size_t(token.seq + 1);
        if (k < s.chunks.size() && s.chunks[k].state == ChunkState::leased) return s.chunks[k].token;
        return std::nullopt;
    };
    if (const auto known = s.states.find(token.seq + 1); known != s.states.end()) {
        if (known->second == next) return successor();
        // Same state and detections gave another result: this machine or build computes differently.
        kill_chunk(job, token.stream, token.seq, std::string(code_name(Errc::internal)),
                   "it stepped to two different states", j);
        return stale(token);
    }
    if (s.next != token.seq) return stale(token);
    Chunk& c = *chunk_of(token);
    s.states[token.seq + 1] = std::move(next);
    s.next = token.seq + 1;
    c.alerts = alerts;
    set(j, job, "S/" + std::to_string(token.stream) + "/" + std::to_string(s.next), s.states[s.next]);
    write_chunk(job, std::size_t(token.stream), token.seq, j);
    for (const auto& alert : alerts) {
        event(j, "alert." + s.name, "alert", job.id(), alert_json(alert));
        undelivered_.push_back({last_id_, alert});
    }
    return successor();
}

Result<void> JobTable::done(const Token& token, std::vector<schema::Part> parts, schema::Counters counters,
                            Journal& j) {
    if (const Chunk* c = chunk(token); c && c->state == ChunkState::done && c->token == token)
        return {};  // repeated
    if (auto ok = need_current(token, "chunk"); !ok) return ok;
    Job& job = *find(token.job);
    Stream& s = job.streams[std::size_t(token.stream)];
    if (s.next <= token.seq) return stale(token);  // never stepped: rule 22 "restep" by a new lease
    Chunk& c = *chunk_of(token);
    c.state = ChunkState::done;
    c.parts = std::move(parts);
    counters.alerts = std::int64_t(c.alerts.size());
    c.counters = std::move(counters);
    add_counters(s.counters, c.counters);
    ++s.done;
    write_chunk(job, std::size_t(token.stream), token.seq, j);
    const std::string at = std::to_string(token.stream) + "/";
    if (s.detections.erase(token.seq)) erase(j, job, "D/" + at + std::to_string(token.seq));
    advance_prefix(s);
    // S[k] is kept until every chunk up to k is done (rule 20): a re-run reads the same input.
    while (!s.states.empty() && s.states.begin()->first < s.prefix) {
        erase(j, job, "S/" + at + std::to_string(s.states.begin()->first));
        s.states.erase(s.states.begin());
    }
    progress_event(job, j);
    check_end(job, j);
    return {};
}

Result<void> JobTable::final_done(const Token& token, const std::string& digest, Journal& j) {
    if (auto ok = need_current(token, "final"); !ok) {
        Job* job = find(token.job);
        return job && job->final.state == Unit::State::done && job->final.token == token ? Result<void>{}
                                                                                         : ok;
    }
    Job& job = *find(token.job);
    job.final.state = Unit::State::done;
    job.manifest_digest = digest;
    job.sweep.state = Unit::State::pending;
    finish(job, job.ending, j);
    return {};
}

Result<void> JobTable::swept(const Token& token, Journal& j) {
    if (auto ok = need_current(token, "sweep"); !ok) {
        Job* job = find(token.job);
        return job && job->swept && job->sweep.token == token ? Result<void>{} : ok;
    }
    Job& job = *find(token.job);
    job.sweep.state = Unit::State::done;
    job.swept = true;
    forget_chunks(job, j);
    // The last event of a canceled job: after it nothing of the job appears (rule 25).
    if (job.state == JobState::canceled) state_event(job, "job.canceled", j);
    write_job(job, j);
    forget_old(j);
    return {};
}

// Ended jobs are shown for as long as there are not too many of them; the audit trail has them all.
void JobTable::forget_old(Journal& j) {
    std::size_t swept = 0;
    for (const auto& [id, job] : jobs_) swept += job.swept;
    for (auto it = jobs_.begin(); swept > max_ended && it != jobs_.end();) {
        if (!it->second.swept) {
            ++it;
            continue;
        }
        j.writes.push_back({store::Write::Kind::erase_record, "job:" + it->first, "", ""});
        keys_.erase(it->second.key);
        it = jobs_.erase(it);
        --swept;
    }
}

Result<void> JobTable::delivered(const Token& token, Journal& j) {
    if (auto ok = need_current(token, "deliver"); !ok) return ok;
    deliver_.state = Unit::State::none;
    while (!undelivered_.empty() && undelivered_.front().id <= delivering_) {
        delivered_ = undelivered_.front().id;
        undelivered_.pop_front();
    }
    j.writes.push_back({store::Write::Kind::set, "fleet", "delivered", delivered_.text()});
    return {};
}

Result<void> JobTable::fail(const Token& token, const std::string& code, const std::string& message,
                            Journal& j) {
    if (!current(token)) return stale(token);
    const auto back_off = [](std::int32_t failures) {
        return Clock::now() + first_back_off * (1 << (failures - 1));
    };
    if (token.unit == "chunk") {
        Job& job = *find(token.job);
        Chunk& c = *chunk_of(token);
        c.holder.clear();
        ++c.failures;
        if (retryable(code) && c.failures < max_failures) {
            c.state = ChunkState::pending;
            c.not_before = back_off(c.failures);
        } else {
            kill_chunk(job, token.stream, token.seq, code, message, j);
            return {};
        }
        write_chunk(job, std::size_t(token.stream), token.seq, j);
        check_end(job, j);
        return {};
    }
    Unit& u = *unit_of(token);
    u.holder.clear();
    u.state = Unit::State::pending;
    ++u.failures;
    u.not_before = back_off(std::min(u.failures, 7));
    if (token.unit == "deliver") return {};  // alerts are never given up
    Job& job = *find(token.job);
    if (!retryable(code) || u.failures >= max_failures) {
        if (token.unit == "scan") {
            return fail_scan(job, code, message, j);
        } else if (token.unit == "final") {
            u.state = Unit::State::done;
            job.error_code = code;
            job.error = message;
            job.sweep.state = Unit::State::pending;
            finish(job, job.ending == JobState::canceled ? JobState::canceled : JobState::failed, j);
        }  // a sweep that fails is tried again, rarely: it only costs disk space
    }
    write_job(job, j);
    return {};
}

Result<void> JobTable::fail_scan(Job& job, const std::string& code, const std::string& message, Journal& j) {
    job.scan.state = Unit::State::done;
    job.found = true;
    job.error_code = code;
    job.error = message;
    for (std::size_t i = 0; i < job.streams.size(); ++i) {
        if (!job.streams[i].scanned) end_stream(job.streams[i], code, message);
        write_stream(job, i, j);
    }
    write_job(job, j);
    check_end(job, j);
    return {};
}

// The stream ends before this chunk: it and the later ones are released, earlier ones finish.
void JobTable::kill_chunk(Job& job, std::int32_t stream, std::int64_t seq, const std::string& code,
                          const std::string& message, Journal& j) {
    const auto i = std::size_t(stream);
    Stream& s = job.streams[i];
    s.dead_at = std::min(s.dead_at, seq);
    end_stream(s, code, "chunk " + std::to_string(seq) + ": " + message);
    for (std::int64_t k = seq; k < s.reached; ++k) {
        Chunk& c = s.chunks[std::size_t(k)];
        if (k == seq)
            c.state = ChunkState::dead;
        else if (c.state == ChunkState::leased)
            c.state = ChunkState::pending;
        else
            continue;
        c.holder.clear();
        write_chunk(job, i, k, j);
    }
    write_stream(job, i, j);
    check_end(job, j);
}

// --- endings -------------------------------------------------------------------------------------------

void JobTable::end_stream(Stream& s, const std::string& code, const std::string& message) {
    if (!s.error.empty()) return;
    s.error_code = code;
    s.error = message;
    if (s.dead_at == INT64_MAX) s.dead_at = s.prefix;
}

void JobTable::check_end(Job& job, Journal& j) {
    if (job.state != JobState::running || !job.found || job.final.state != Unit::State::none) return;
    for (const auto& s : job.streams)
        if (!s.ended()) return;
    for (const auto& s : job.streams)
        if (job.error.empty() && !s.error.empty()) {
            job.error_code = s.error_code;
            job.error = s.name + ": " + s.error;
        }
    job.scan.state = Unit::State::done;
    job.ending = job.error.empty() ? JobState::succeeded : JobState::failed;
    job.final.state = Unit::State::pending;
    write_job(job, j);
}

void JobTable::finish(Job& job, JobState state, Journal& j) {
    const bool canceled = job.state == JobState::canceled;  // its event comes when it is swept
    job.state = state;
    if (!canceled) job.ended_ns = now_ns();
    write_job(job, j);
    for (std::size_t i = 0; i < job.streams.size(); ++i) write_stream(job, i, j);
    if (!canceled) state_event(job, state == JobState::succeeded ? "job.succeeded" : "job.failed", j);
}

void JobTable::forget_chunks(Job& job, Journal& j) {
    for (std::size_t i = 0; i < job.streams.size(); ++i) {
        Stream& s = job.streams[i];
        const std::string at = std::to_string(i) + "/";
        for (std::size_t k = 0; k < s.chunks.size(); ++k) erase(j, job, "chunk/" + at + std::to_string(k));
        for (const auto& [k, bytes] : s.states) erase(j, job, "S/" + at + std::to_string(k));
        for (const auto& [k, bytes] : s.detections) erase(j, job, "D/" + at + std::to_string(k));
        s.states.clear();
        s.detections.clear();
        s.chunks = {};
        s.prefix = s.reached = 0;
        s.info.codec.clear();
        write_stream(job, i, j);
    }
}

std::vector<schema::StreamParts> JobTable::stream_parts(const Job& job) const {
    std::vector<schema::StreamParts> all;
    for (const auto& s : job.streams) {
        schema::StreamParts p;
        p.info = s.info;
        p.info.name = s.name;
        p.error = s.error;
        p.complete = s.scanned && s.prefix == std::int64_t(s.chunks.size());
        for (std::int64_t k = 0; k < s.prefix; ++k) {
            const Chunk& c = s.chunks[std::size_t(k)];
            p.rows.push_back(c.row);
            p.parts.push_back(c.parts);
            p.alerts.push_back(c.alerts);
            add_counters(p.counters, c.counters);
        }
        all.push_back(std::move(p));
    }
    return all;
}

}  // namespace sl::broker
