// How the job table is written to the store's records and read back (job_records.hpp).
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "broker/job_records.hpp"
#include "broker/job_table.hpp"

namespace sl::broker {
namespace {

UnitRecord record_of(const Unit& u) {
    return {std::int32_t(u.state), u.token.attempt, u.token.nonce, u.holder, u.trouble.strikes};
}

Unit unit_from(const UnitRecord& r, const std::string& job, const char* name) {
    Unit u;
    u.state = r.state >= 0 && r.state <= 3 ? Unit::State(r.state) : Unit::State::none;
    u.token.job = job;
    u.token.unit = name;
    u.token.attempt = r.attempt;
    u.token.nonce = r.nonce;
    u.holder = r.holder;
    u.trouble.strikes = r.strikes;
    return u;
}

JobState job_state_from(const std::string& name) {
    for (const JobState s :
         {JobState::queued, JobState::running, JobState::succeeded, JobState::failed, JobState::canceled})
        if (name == state_name(s)) return s;
    return JobState::queued;
}

ChunkState chunk_state_from(const std::string& name) {
    for (const ChunkState s : {ChunkState::pending, ChunkState::leased, ChunkState::done, ChunkState::dead})
        if (name == state_name(s)) return s;
    return ChunkState::pending;
}

template <typename T>
bool number_from(std::string_view text, T& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

std::span<const std::uint8_t> bytes_of(const std::string& s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

}  // namespace

void JobTable::set(Journal& j, const Job& job, const std::string& field, const schema::Bytes& value) {
    j.writes.push_back(
        {store::Write::Kind::set, "job:" + job.id(), field, std::string(value.begin(), value.end())});
    j.bytes += value.size();
}
void JobTable::erase(Journal& j, const Job& job, const std::string& field) {
    j.writes.push_back({store::Write::Kind::erase_field, "job:" + job.id(), field, ""});
}

void JobTable::write_job(Job& job, Journal& j) {
    index();
    index_.update(job);
    JobRecord r;
    r.spec = job.spec;
    r.key = job.key;
    r.state = state_name(job.state);
    r.ending = state_name(job.ending);
    r.error_code = job.error_code;
    r.error = job.error;
    r.started_ns = job.started_ns;
    r.ended_ns = job.ended_ns;
    r.scan = record_of(job.scan);
    r.final = record_of(job.final);
    r.sweep = record_of(job.sweep);
    r.found = job.found;
    r.keep_partial = job.keep_partial;
    r.swept = job.swept;
    r.streams = std::int32_t(job.streams.size());
    r.manifest_digest = job.manifest_digest;
    r.engines = job.engines;
    r.last_error = job.last_error;
    r.forget = std::int32_t(job.forget);
    r.retries = job.retries;
    r.attempts = job.attempts;
    set(j, job, "job", schema::encode(r));
}

void JobTable::write_stream(const Job& job, std::size_t i, Journal& j) const {
    const Stream& s = job.streams[i];
    StreamRecord r;
    r.name = s.name;
    r.info = s.info;
    r.scanned = s.scanned;
    r.error_code = s.error_code;
    r.error = s.error;
    r.chunks = s.total;
    r.dead_at = s.dead_at;
    r.done = s.done;
    r.dead = s.dead;
    r.counters = s.counters;
    set(j, job, "stream/" + std::to_string(i), schema::encode(r));
}

void JobTable::write_chunk(const Job& job, std::size_t i, std::int64_t seq, Journal& j) const {
    const Chunk& c = job.streams[i].chunks[std::size_t(seq)];
    ChunkRecord r;
    r.row = c.row;
    r.state = state_name(c.state);
    r.attempt = c.token.attempt;
    r.nonce = c.token.nonce;
    r.holder = c.holder;
    r.strikes = c.trouble.strikes;
    r.undetected = c.undetected;
    r.parts = c.parts;
    r.alerts = c.alerts;
    r.counters = c.counters;
    set(j, job, "chunk/" + std::to_string(i) + "/" + std::to_string(seq), schema::encode(r));
}

void JobTable::event(Journal& j, std::string topic, std::string kind, std::string job,
                     const std::string& body, bool audit) {
    if (last_id_.epoch != epoch_) last_id_ = {epoch_, 0};
    ++last_id_.n;
    j.log.push_back({last_id_, std::move(topic), std::move(kind), std::move(job), now_ns(), body, audit});
}

void JobTable::state_event(const Job& job, const char* kind, Journal& j) {
    // Most events of a busy broker are these: their text is put together, where no name needs care.
    const auto plain = [](const std::string& s) { return s.find_first_of("\"\\") == std::string::npos; };
    if (job.state != JobState::failed && job.retries == 0 && plain(job.spec.pipeline) &&
        plain(job.spec.preset))
        return event(j, "job." + job.id() + ".state", kind, job.id(),
                     R"({"pipeline":")" + job.spec.pipeline + R"(","preset":")" + job.spec.preset +
                         R"(","state":")" + state_name(job.state) + "\"}");
    nlohmann::json body{
        {"state", state_name(job.state)}, {"pipeline", job.spec.pipeline}, {"preset", job.spec.preset}};
    if (job.retries > 0) body["retries"] = job.retries;
    if (job.state == JobState::failed) body["error"] = {{"code", job.error_code}, {"message", job.error}};
    event(j, "job." + job.id() + ".state", kind, job.id(),
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// What went wrong with a unit of work, and how often in that place.
void JobTable::unit_event(const Job& job, const char* kind, const schema::Token& token, const Dead& why,
                          Journal& j) {
    const nlohmann::json body{{"unit", token.unit},
                              {"stream", token.stream},
                              {"seq", token.seq},
                              {"attempt", token.attempt},
                              {"stage", why.stage},
                              {"piece", why.piece},
                              {"strikes", why.causes.size()},
                              {"cause", why.causes.empty() ? "" : why.causes.back()}};
    event(j, "job." + job.id() + ".strike", kind, job.id(),
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void JobTable::progress_event(const Job& job, Journal& j) {
    std::int64_t frames = 0, frames_done = 0, chunks = 0, chunks_done = 0;
    for (const auto& s : job.streams) {
        frames += s.info.frames;
        frames_done += s.counters.read;
        chunks += s.total;
        chunks_done += s.done;
    }
    const nlohmann::json body{{"frames_total", frames},
                              {"frames_done", frames_done},
                              {"chunks_total", chunks},
                              {"chunks_done", chunks_done}};
    event(j, "job." + job.id() + ".progress", "job.progress", job.id(), body.dump(), false);
}

Result<void> JobTable::load(const store::Records& records) {
    const auto fields_of = [&](const char* record) {
        const auto at = records.find(record);
        return at == records.end() ? std::map<std::string, std::string>{} : at->second;
    };
    if (auto ok = outbox_.load(fields_of("fleet"), fields_of("outbox"), fields_of("dead_letters")); !ok)
        return ok;
    for (const auto& [record, fields] : records) {
        if (record == "noops") {
            if (auto ok = noops_.load(fields); !ok) return ok;
            continue;
        }
        const auto root = fields.find("job");
        if (!record.starts_with("job:") || root == fields.end()) continue;
        auto r = schema::decode<JobRecord>(bytes_of(root->second), record + " job");
        if (!r) return r.error();
        Job job;
        job.spec = r->spec;
        job.key = r->key;
        job.state = job_state_from(r->state);
        job.ending = job_state_from(r->ending);
        job.error_code = r->error_code;
        job.error = r->error;
        job.started_ns = r->started_ns;
        job.ended_ns = r->ended_ns;
        job.scan = unit_from(r->scan, job.id(), "scan");
        job.final = unit_from(r->final, job.id(), "final");
        job.sweep = unit_from(r->sweep, job.id(), "sweep");
        job.found = r->found;
        job.keep_partial = r->keep_partial;
        job.swept = r->swept;
        job.manifest_digest = r->manifest_digest;
        job.engines = r->engines;
        job.last_error = r->last_error;
        job.forget = r->forget > 0 && r->forget <= 2 ? Job::Forget(r->forget) : Job::Forget::no;
        job.retries = r->retries;
        job.attempts = r->attempts;
        if (const auto f = fields.find("reconciliation"); f != fields.end()) {
            auto frames = schema::decode<Reconciliation>(bytes_of(f->second), record + " reconciliation");
            if (!frames) return frames.error();
            job.reconciliation = std::move(*frames);
        }
        if (r->streams < 0 || std::size_t(r->streams) > fields.size())
            return Error{Errc::internal, record + " lacks streams: it counts " + std::to_string(r->streams),
                         ""};
        job.streams.resize(std::size_t(r->streams));
        for (std::size_t i = 0; i < job.streams.size(); ++i) {
            Stream& s = job.streams[i];
            const std::string at = std::to_string(i);
            const auto field = fields.find("stream/" + at);
            if (field == fields.end()) return Error{Errc::internal, record + " lacks stream/" + at, ""};
            auto sr = schema::decode<StreamRecord>(bytes_of(field->second), record + " stream/" + at);
            if (!sr) return sr.error();
            s.name = sr->name;
            s.info = sr->info;
            s.scanned = sr->scanned;
            s.error_code = sr->error_code;
            s.error = sr->error;
            s.dead_at = sr->dead_at;
            s.total = sr->chunks;
            s.dead = sr->dead;
            if (job.swept) {
                s.done = sr->done;
                s.counters = sr->counters;
                continue;
            }
            if (sr->chunks < 0 || std::size_t(sr->chunks) > fields.size())
                return Error{Errc::internal,
                             record + " lacks chunks: stream/" + at + " counts " + std::to_string(sr->chunks),
                             ""};
            s.chunks.resize(std::size_t(sr->chunks));
            for (std::size_t k = 0; k < s.chunks.size(); ++k) {
                const std::string name = "chunk/" + at + "/" + std::to_string(k);
                const auto f = fields.find(name);
                if (f == fields.end()) return Error{Errc::internal, record + " lacks " + name, ""};
                auto cr = schema::decode<ChunkRecord>(bytes_of(f->second), record + " " + name);
                if (!cr) return cr.error();
                Chunk& c = s.chunks[k];
                c.row = cr->row;
                c.state = chunk_state_from(cr->state);
                c.token = {job.id(), "chunk", std::int32_t(i), std::int64_t(k), cr->attempt, cr->nonce};
                c.holder = cr->holder;
                c.trouble.strikes = cr->strikes;
                c.undetected = cr->undetected;
                if (c.token.attempt > job.attempts) {
                    s.reached = std::int64_t(k) + 1;
                    job.reached = i + 1;
                }
                c.parts = cr->parts;
                c.alerts = cr->alerts;
                c.counters = cr->counters;
                if (c.state == ChunkState::done) {
                    ++s.done;
                    add_counters(s.counters, c.counters);
                }
            }
            while (s.prefix < std::int64_t(s.chunks.size()) &&
                   s.chunks[std::size_t(s.prefix)].state == ChunkState::done)
                ++s.prefix;
        }
        for (const auto& [field, value] : fields) {
            const bool state = field.starts_with("S/");
            if (!state && !field.starts_with("D/")) continue;
            const auto slash = std::min(field.find('/', 2), field.size() - 1);
            std::size_t i = 0;
            std::int64_t k = 0;
            if (!number_from(std::string_view(field).substr(2, slash - 2), i) ||
                !number_from(std::string_view(field).substr(slash + 1), k) || i >= job.streams.size())
                return Error{Errc::internal, record + " has a field '" + field + "' of no stream of it", ""};
            Stream& s = job.streams[i];
            (state ? s.states : s.detections)[k] = schema::Bytes(value.begin(), value.end());
            if (state) s.next = std::max<std::int64_t>(s.next, k);
            if (state || k < 0 || std::size_t(k) >= s.chunks.size()) continue;
            auto d = schema::decode<schema::Detections>(bytes_of(value), record + " " + field);
            if (!d) return d.error();
            s.chunks[std::size_t(k)].undetected = d->dropped;
        }
        if (!job.key.empty()) keys_[job.key] = job.id();
        Job& kept = jobs_[job.id()] = std::move(job);
        index_.update(kept);
    }
    return {};
}

void JobTable::load_undelivered(const std::vector<store::LogEntry>& entries) {
    for (const auto& e : entries) {
        last_id_ = std::max(last_id_, e.id);
        if (e.kind == "alert") outbox_.load_entry(e);
    }
}

}  // namespace sl::broker
