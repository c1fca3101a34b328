// What holds in every state and over every transition: design.md section 3 and PROTOCOL.md section 8.
#include <set>

#include "tests/model/world.hpp"

namespace sl::model {

using broker::ChunkState;
using broker::JobState;
using broker::Stream;
using broker::Unit;

namespace {

std::string text(const schema::Bytes& bytes) {
    return std::to_string(std::hash<std::string>()({bytes.begin(), bytes.end()}));
}
std::string text(const Token& t) {
    return t.unit + " " + std::to_string(t.stream) + "/" + std::to_string(t.seq) + " " +
           std::to_string(t.attempt) + "-" + std::to_string(t.nonce);
}
std::string text(const schema::Counters& c) {
    std::string s;
    for (const auto n : {c.read, c.decoded, c.detected, c.annotated, c.boxes, c.alerts})
        s += std::to_string(n) + " ";
    for (const auto& [reason, n] : c.dropped) s += reason + "=" + std::to_string(n) + " ";
    return s;
}
std::string text(const std::vector<broker::Strike>& strikes) {
    std::string s;
    for (const auto& x : strikes)
        s += " strike in " + x.stage + " on " + std::to_string(x.pieces.size()) + " by " + x.worker + " of " +
             x.cause;
    return s;
}
std::string text(const Unit& u) {
    return std::to_string(int(u.state)) + " " + std::to_string(u.token.attempt) + "-" +
           std::to_string(u.token.nonce) + " by " + u.holder + text(u.trouble.strikes) + "\n";
}

void check_stream(const Stream& s, const std::string& name) {
    const auto n = std::int64_t(s.chunks.size());
    std::int64_t done = 0, prefix = 0;
    schema::Counters sum;
    for (std::int64_t k = 0; k < n; ++k) {
        const auto& c = s.chunks[std::size_t(k)];
        const std::string at = name + "/" + std::to_string(k);
        if (c.state == ChunkState::done) {
            ++done;
            if (prefix == k) ++prefix;
            broker::add_counters(sum, c.counters);
            require(s.next > k, "done is stepped: " + at);
            require(!c.parts.empty(), "done has its parts: " + at);
            require(k + 1 < s.prefix || s.states.contains(k + 1), "done(s) has S[s+1]: " + at);
        } else {
            require(k > s.next || s.states.contains(k), "S[s] is there for what may step: " + at);
        }
        require(c.state != ChunkState::leased || !c.holder.empty(), "a lease has a holder: " + at);
        require(c.state != ChunkState::dead || s.dead_at <= k, "a dead chunk ends its stream: " + at);
        require(c.state != ChunkState::leased || k < s.dead_at, "nothing runs behind a dead chunk: " + at);
        require(c.token.nonce == 0 || k < s.reached, "reached counts every lease: " + at);
    }
    require(s.done == done && s.prefix == prefix, "chunks done are counted: " + name);
    require(text(sum) == text(s.counters), "counters are the sum of the chunks': " + name);
    std::int64_t dropped = 0;
    for (const auto& [reason, count] : s.counters.dropped) dropped += count;
    require(s.counters.read == s.counters.annotated + dropped, "read = annotated + dropped: " + name);
    for (const auto& [k, bytes] : s.states) require(k <= s.next, "no state behind the head: " + name);
}

void check_job(const World& w, const Job& job) {
    const bool terminal = broker::is_terminal(job.state);
    if (!job.swept)
        for (const auto& s : job.streams) check_stream(s, s.name);
    require(!terminal || job.ended_ns > 0, "an end has its time");

    // The terminal event: of a canceled job when nothing of it is left, of another with its end.
    const bool told = job.state == JobState::canceled ? job.swept : terminal;
    const auto known = w.terminal_events.find(job.id());
    const int events = known == w.terminal_events.end() ? 0 : known->second;
    require(events == (told ? 1 : 0), "exactly one terminal event");
    if (job.state == JobState::canceled) {
        require(job.scan.state != Unit::State::leased, "cancel voids the scan");
        for (const auto& s : job.streams)
            for (const auto& c : s.chunks) require(c.state != ChunkState::leased, "cancel voids every chunk");
        require(job.keep_partial || job.final.state == Unit::State::none, "cancel voids the final");
    }
    if (job.final.state != Unit::State::none && job.state != JobState::canceled)
        for (const auto& s : job.streams) require(s.ended(), "final waits for every stream");
    if (job.state == JobState::succeeded) {
        require(job.error.empty() && !job.manifest_digest.empty(), "success has a result and no error");
        for (const auto& s : job.streams)
            require(s.done == s.total && s.counters.read == s.info.frames,
                    "success has every chunk and frame");
    }
    require(job.state != JobState::failed || !job.error.empty(), "failure has its reason");
    require(!terminal || job.state == JobState::canceled || job.reconciliation.balanced,
            "every frame is accounted for");
    require(w.table.unbalanced() == 0, "every frame is accounted for");

    if (!job.swept) {
        const auto parts = w.table.stream_parts(job);
        for (std::size_t i = 0; i < parts.size(); ++i)
            require(std::int64_t(parts[i].parts.size()) == job.streams[i].prefix,
                    "final gets what is done without a gap");
    } else {
        for (const auto& [field, value] : w.records.at("job:" + job.id()))
            require(field == "job" || field == "reconciliation" || field.starts_with("stream/"),
                    "nothing but the report is left: " + field);
    }
}

void check_change(const Job& a, const Job* b, const std::string& action) {
    if (!b) {
        require(a.forget != Job::Forget::no || action.starts_with("forget") || action == "prune",
                "a job that was acknowledged is there");
        return;
    }
    if (action == "retry") {
        for (std::size_t i = 0; i < b->streams.size(); ++i)
            for (std::int64_t k = 0; k < std::min(a.streams[i].prefix, a.streams[i].dead_at); ++k)
                require(
                    b->streams[i].chunks[std::size_t(k)].token == a.streams[i].chunks[std::size_t(k)].token,
                    "retry does only the dead chunk and later ones again");
        return;
    }
    if (broker::is_terminal(a.state)) require(a.state == b->state, "terminal states never change");
    const bool canceled = a.state == JobState::canceled;
    require(b->swept || a.streams.size() <= b->streams.size(), "streams stay");
    if (b->swept) return;
    for (std::size_t i = 0; i < a.streams.size(); ++i) {
        const Stream &x = a.streams[i], &y = b->streams[i];
        require(x.chunks.empty() || x.chunks.size() == y.chunks.size(), "rows stay");
        require(y.next >= x.next, "the head goes on");
        for (std::size_t k = 0; k < x.chunks.size(); ++k) {
            const auto &c = x.chunks[k], &d = y.chunks[k];
            if (c.state == ChunkState::done)
                require(
                    d.state == ChunkState::done && d.token == c.token && d.parts[0].path == c.parts[0].path,
                    "done is final");
            require(!canceled || (c.state == d.state && c.alerts.size() == d.alerts.size()),
                    "nothing happens to a canceled job's chunks: " + action);
            require(d.token.attempt >= c.token.attempt, "attempts rise");
        }
    }
}

}  // namespace

std::string describe(const JobTable& table) {
    std::string s;
    for (const auto& t : table.outbox().targets()) {
        s += t.name + " delivered " + t.delivered.text() + " waiting";
        for (const auto& id : t.waiting) s += " " + id.text();
        s += "\n";
    }
    for (const auto& [id, job] : table.jobs()) {
        const Job* by_key = table.by_key(job.key);
        s += id + " key " + (by_key ? by_key->id() : "") + " " + broker::state_name(job.state) + " to end " +
             broker::state_name(job.ending) + " error " + job.error_code + " " + job.error + " manifest " +
             job.manifest_digest + " at " + std::to_string(job.spec.submitted_ns) + " " +
             std::to_string(job.started_ns) + " " + std::to_string(job.ended_ns) + " found " +
             std::to_string(job.found) + " partial " + std::to_string(job.keep_partial) + " swept " +
             std::to_string(job.swept) + " forget " + std::to_string(int(job.forget)) + " retries " +
             std::to_string(job.retries) + " attempts " + std::to_string(job.attempts) + " last error " +
             job.last_error + " balanced " + std::to_string(job.reconciliation.balanced) + "\n";
        s += "  scan " + text(job.scan) + "  final " + text(job.final) + "  sweep " + text(job.sweep);
        for (const auto& [pool, engine] : job.engines) s += "  engine " + pool + " " + engine + "\n";
        for (const auto& x : job.streams) {
            s += "  " + x.name + " frames " + std::to_string(x.info.frames) + " scanned " +
                 std::to_string(x.scanned) + " error " + x.error_code + " " + x.error + " total " +
                 std::to_string(x.total) + " done " + std::to_string(x.done) + " dead at " +
                 std::to_string(x.dead_at) + " counters " + text(x.counters) + "\n";
            for (const auto& d : x.dead)
                s += "    dead " + std::to_string(d.seq) + " " + d.stage + " " + d.piece + " of " +
                     std::to_string(d.causes.size()) + "\n";
            if (job.swept) continue;
            s += "    next " + std::to_string(x.next) + " prefix " + std::to_string(x.prefix) + " reached " +
                 std::to_string(x.reached);
            for (const auto& [k, bytes] : x.states) s += " S" + std::to_string(k) + "=" + text(bytes);
            for (const auto& [k, bytes] : x.detections) s += " D" + std::to_string(k) + "=" + text(bytes);
            s += "\n";
            for (const auto& c : x.chunks) {
                s += std::string("    ") + broker::state_name(c.state) + " by " + c.holder +
                     text(c.trouble.strikes) + " undetected " + std::to_string(c.undetected) + " frames " +
                     std::to_string(c.row.frames) + " alerts " + std::to_string(c.alerts.size()) +
                     " counters " + text(c.counters);
                s += std::to_string(c.token.attempt) + "-" + std::to_string(c.token.nonce);
                for (const auto& p : c.parts) s += " " + p.path;
                s += "\n";
            }
        }
    }
    return s;
}

void check_state(const World& w) {
    // Fail-over at this point: what the store has is what the table is.
    World other = w;
    other.fail_over(w.last_id.epoch + 1);
    const std::string mine = describe(w.table), loaded = describe(other.table);
    require(mine == loaded,
            "the table loaded from the store is the table:\n" + mine + "--- loaded\n" + loaded);

    std::set<std::string> units;
    for (const auto& [token, holder] : w.table.leases()) {
        require(w.table.current(token), "a lease is current: " + text(token));
        require(units
                    .insert(token.job + token.unit + std::to_string(token.stream) + "/" +
                            std::to_string(token.seq))
                    .second,
                "one lease a unit: " + text(token));
        require(!holder.empty(), "a lease has a holder: " + text(token));
    }
    for (const auto& [id, job] : w.table.jobs()) check_job(w, job);
}

void check_transition(const World& before, const World& after, const std::string& action) {
    for (const auto& [id, job] : before.table.jobs()) check_change(job, after.job(id), action);
}

}  // namespace sl::model
