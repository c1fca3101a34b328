// What workers report of a scan, a chunk and deliveries.
#include <algorithm>
#include <utility>

#include "broker/job_table.hpp"
#include "common/alert_json.hpp"

namespace sl::broker {

using schema::Token;

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

Result<void> JobTable::found(const Token& token, const std::vector<std::string>& names, Journal& j) {
    if (auto ok = need_current(token, "scan"); !ok) return ok;
    Job& job = *find(token.job);
    if (job.found) {  // scanned again after a loss
        if (names.size() == job.streams.size() &&
            std::equal(names.begin(), names.end(), job.streams.begin(),
                       [](const auto& n, const Stream& x) { return n == x.name; }))
            return {};
        // A stream's number would mean another file than before.
        fail_scan(job, std::string(code_name(Errc::conflict)), "the inputs changed while they were scanned",
                  j);
        return {};
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
                s.chunks[k].token.attempt = job.attempts;
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
                                          Journal& j, std::int64_t undetected) {
    if (auto ok = need_current(token, "chunk"); !ok) return ok.error();
    Job& job = *find(token.job);
    Stream& s = job.streams[std::size_t(token.stream)];
    auto d = s.detections.find(token.seq);
    if (d == s.detections.end()) {
        if (!detections)
            return Error{Errc::bad_message, "gathered without detections that were never recorded", ""};
        d = s.detections.emplace(token.seq, std::move(*detections)).first;
        chunk_of(token)->undetected = undetected;
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
        give_up(token, {token.seq, "annotate", "", {"it stepped to two different states"}},
                std::string(code_name(Errc::internal)), j);
        return stale(token);
    }
    if (s.next != token.seq) return stale(token);
    Chunk& c = *chunk_of(token);
    s.states[token.seq + 1] = std::move(next);
    s.next = token.seq + 1;
    const auto published = std::exchange(c.alerts, alerts);  // before a retry; they stand
    set(j, job, "S/" + std::to_string(token.stream) + "/" + std::to_string(s.next), s.states[s.next]);
    write_chunk(job, std::size_t(token.stream), token.seq, j);
    for (const auto& alert : alerts) {
        if (std::any_of(published.begin(), published.end(),
                        [&](const schema::Alert& a) { return a.alert == alert.alert; }))
            continue;
        schema::Alert recorded = alert;
        recorded.job = job.id();
        recorded.stream = s.name;
        record_alert(std::move(recorded), j);
    }
    return successor();
}

void JobTable::record_alert(schema::Alert alert, Journal& j) {
    alert.decided_ns = now_ns();
    event(j, "alert." + alert.stream, "alert", alert.job, alert_json(alert));
    outbox_.add(last_id_, alert, alert.decided_ns, j);
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

Result<void> JobTable::delivered(const schema::Delivered& report, Journal& j) {
    if (auto ok = need_current(report.token, "deliver"); !ok) return ok;
    Outbox::Target& target = *outbox_.find(report.token.job);
    outbox_.report(target, report, now_ns(), j);
    if (!report.ended) return {};
    outbox_.lost(target);
    target.unit.state = Unit::State::none;
    target.unit.trouble = {};
    return {};
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
        for (std::size_t k = std::size_t(s.prefix); k < s.chunks.size(); ++k) {
            p.counters.read += s.chunks[k].row.frames;
            p.counters.dropped[why_missing(job, s.chunks[k])] += s.chunks[k].row.frames;
        }
        all.push_back(std::move(p));
    }
    return all;
}

}  // namespace sl::broker
