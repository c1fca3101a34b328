// What could not be done: strikes, rests, dead chunks, scans and finals that fail (rules 6 and 23).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/job_table.hpp"

namespace sl::broker {

using schema::Token;

namespace {

constexpr std::size_t most_strikes = 5;
constexpr std::chrono::milliseconds first_rest{250}, longest_rest{30'000};

// 0, 0.25, 0.5, 1 s … after strike n.
Clock::duration rest_after(std::size_t n) {
    if (n < 2) return {};
    return std::min<Clock::duration>(first_rest * (1 << std::min<std::size_t>(n - 2, 7)), longest_rest);
}

bool retryable(const std::string& code) {
    switch (code_from_name(code)) {
        case Errc::io:
        case Errc::timeout:
        case Errc::internal:
            return true;
        default:
            return false;
    }
}

// Whoever holds such a unit.
const char* stage_of(const std::string& unit) {
    return unit == "scan" ? "ingest" : unit == "deliver" ? "alert" : "annotate";
}

// What a peer wrote, fit to be kept and to be told to clients: short, and UTF-8.
std::string name_of(const schema::JobSpec& spec, const schema::Piece& piece) {
    if (piece.pool < 0) return "source";
    const auto pool = std::size_t(piece.pool);
    return (pool < spec.pools.size() ? spec.pools[pool].name : std::to_string(pool)) + "/" +
           std::to_string(piece.batch);
}

// Of the pieces that the last strike is about, the one with the most strikes of its stage.
Dead worst_of(const schema::JobSpec& spec, std::int64_t seq, const std::vector<Strike>& strikes) {
    const Strike& last = strikes.back();
    Dead worst{seq, last.stage, "", {}};
    const auto consider = [&](const std::string& name, const auto& is_about) {
        std::vector<std::string> causes;
        for (const Strike& s : strikes)
            if (s.stage == last.stage && is_about(s.pieces)) causes.push_back(s.cause);
        if (causes.size() > worst.causes.size()) worst.piece = name, worst.causes = std::move(causes);
    };
    if (last.pieces.empty()) consider("", [](const auto& pieces) { return pieces.empty(); });
    for (const schema::Piece& p : last.pieces)
        consider(name_of(spec, p), [&](const auto& pieces) {
            return std::find(pieces.begin(), pieces.end(), p) != pieces.end();
        });
    return worst;
}

std::string text_of(const Dead& why) {
    if (why.causes.size() < 2) return why.causes.empty() ? why.stage : why.causes.back();
    return why.causes.back() + " (strike " + std::to_string(why.causes.size()) + " in " + why.stage +
           (why.piece.empty() ? ")" : " on " + why.piece + ")");
}

}  // namespace

std::string clean(const std::string& text) {
    constexpr std::size_t most = 1000;
    const nlohmann::json cut = text.substr(0, most);
    return nlohmann::json::parse(cut.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Trouble* JobTable::trouble_of(const Token& token) {
    if (token.unit != "chunk") {
        Unit* u = unit_of(token);
        return u ? &u->trouble : nullptr;
    }
    Chunk* c = chunk_of(token);
    return c ? &c->trouble : nullptr;
}

bool JobTable::resting(const Token& token, Clock::time_point now) const {
    const Trouble* t = const_cast<JobTable*>(this)->trouble_of(token);
    return t && t->not_before > now;
}

Result<void> JobTable::fail(const Token& token, const std::string& code, const std::string& why, Journal& j,
                            const std::string& stage) {
    if (!current(token)) return stale(token);
    lost(token, j);
    if (token.unit == "noop") return {};  // there is nothing in it that can fail
    const std::string at = stage.empty() ? stage_of(token.unit) : clean(stage);
    const std::string message = clean(why);
    if (code_from_name(code) == Errc::unavailable || token.unit == "sweep" || token.unit == "deliver")
        wait(token, message, j);
    else if (retryable(code))
        add_strike(token, {at, {}, "", message}, code, j);
    else
        give_up(token, {token.seq, at, "", {message}}, code, j);
    return {};
}

Result<void> JobTable::strike(const Token& token, const std::string& stage,
                              const std::vector<schema::Piece>& pieces, const std::string& cause,
                              const std::string& worker, Journal& j) {
    if (token.unit == "noop") return {};  // there is nothing in it that can kill
    Trouble* t = trouble_of(token);
    Job* job = find(token.job);
    const auto open = [&] {
        if (const Unit* u = unit_of(token))
            return u->state == Unit::State::pending || u->state == Unit::State::leased;
        const Chunk* c = chunk(token);
        return job && job->state == JobState::running &&
               token.seq < job->streams[std::size_t(token.stream)].dead_at &&
               (c->state == ChunkState::pending || c->state == ChunkState::leased);
    };
    if (!t || !open()) return stale(token);
    if (token.unit == "sweep" || token.unit == "deliver") {
        wait(token, clean(cause), j);
        return {};
    }
    const bool counted = std::any_of(t->strikes.begin(), t->strikes.end(),
                                     [&](const Strike& s) { return !worker.empty() && s.worker == worker; });
    if (!counted)
        add_strike(token, {clean(stage), pieces, worker, clean(cause)},
                   std::string(code_name(Errc::internal)), j);
    return {};
}

void JobTable::add_strike(const Token& token, Strike strike, const std::string& code, Journal& j) {
    Trouble& t = *trouble_of(token);
    Job& job = *find(token.job);
    t.strikes.push_back(std::move(strike));
    t.waits = 0;
    t.waits_for.clear();
    const Dead worst = worst_of(job.spec, token.seq, t.strikes);
    t.not_before = Clock::now() + rest_after(worst.causes.size());
    job.last_error = text_of(worst);
    unit_event(job, "job.strike", token, worst, j);
    if (worst.causes.size() >= most_strikes) return give_up(token, worst, code, j);
    write_job(job, j);
    if (token.unit == "chunk") write_chunk(job, std::size_t(token.stream), token.seq, j);
}

// No fault of anybody: the unit is tried again until what it needs is there.
void JobTable::wait(const Token& token, const std::string& message, Journal& j) {
    Trouble& t = *trouble_of(token);
    t.waits_for = message;
    t.not_before = Clock::now() + rest_after(std::size_t(++t.waits) + 1);
    Job* job = token.unit == "deliver" ? nullptr : find(token.job);  // a target may be named like a job
    if (!job || job->last_error == message) return;
    job->last_error = message;
    write_job(*job, j);
}

void JobTable::give_up(const Token& token, Dead why, const std::string& code, Journal& j) {
    Job& job = *find(token.job);
    job.last_error = text_of(why);
    unit_event(job, "job.dead", token, why, j);
    if (token.unit == "chunk")
        kill_chunk(job, token.stream, std::move(why), code, j);
    else if (token.unit == "scan")
        fail_scan(job, code, text_of(why), j);
    else
        fail_final(job, code, text_of(why), j);
}

void JobTable::fail_scan(Job& job, const std::string& code, const std::string& message, Journal& j) {
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
}

void JobTable::fail_final(Job& job, const std::string& code, const std::string& message, Journal& j) {
    job.final.state = Unit::State::done;
    job.error_code = code;
    job.error = message;
    finish(job, job.ending == JobState::canceled ? JobState::canceled : JobState::failed, j);
}

// The stream ends before this chunk: it and the later ones are released, earlier ones finish.
void JobTable::kill_chunk(Job& job, std::int32_t stream, Dead why, const std::string& code, Journal& j) {
    const auto i = std::size_t(stream);
    Stream& s = job.streams[i];
    if (why.seq < s.dead_at) {
        s.dead_at = why.seq;
        s.error_code = code;
        s.error = "chunk " + std::to_string(why.seq) + ": " + text_of(why);
    }
    for (std::int64_t k = why.seq; k < s.reached; ++k) {
        Chunk& c = s.chunks[std::size_t(k)];
        if (k == why.seq)
            c.state = ChunkState::dead;
        else if (c.state == ChunkState::leased)
            c.state = ChunkState::pending;
        else
            continue;
        c.holder.clear();
        write_chunk(job, i, k, j);
    }
    s.dead.push_back(std::move(why));
    write_stream(job, i, j);
    write_job(job, j);
    check_end(job, j);
}

void JobTable::end_stream(Stream& s, const std::string& code, const std::string& message) {
    if (!s.error.empty()) return;
    s.error_code = code;
    s.error = message;
    if (s.dead_at == INT64_MAX) s.dead_at = s.prefix;
}

}  // namespace sl::broker
