// What clients see of jobs, pools and health (PROTOCOL.md sections 3 and 3.2).
#include <algorithm>

#include "broker/core.hpp"

namespace sl::broker {
namespace {

Json counters_view(const schema::Counters& c) {
    return {{"read", c.read},   {"decoded", c.decoded}, {"detected", c.detected}, {"annotated", c.annotated},
            {"boxes", c.boxes}, {"alerts", c.alerts},   {"dropped", c.dropped}};
}

Json frames_view(const StageFrames& f) {
    return {{"in", f.in}, {"out", f.out}, {"dropped", f.dropped}};
}

Json reconciliation_view(const Reconciliation& r) {
    Json streams = Json::array();
    for (const StreamFrames& s : r.streams)
        streams.push_back({{"name", s.name},
                           {"ingest", frames_view(s.ingest)},
                           {"preprocess", frames_view(s.preprocess)},
                           {"detect", frames_view(s.detect)},
                           {"annotate", frames_view(s.annotate)}});
    return {{"balanced", r.balanced}, {"streams", std::move(streams)}};
}

void waits(std::vector<std::string>& list, const Trouble& t) {
    if (!t.waits_for.empty() && std::find(list.begin(), list.end(), t.waits_for) == list.end())
        list.push_back(t.waits_for);
}

}  // namespace

std::int64_t Core::queue_position(const Job& job) const {
    if (job.state != JobState::queued) return 0;
    const auto& index = table_.index();
    return std::max<std::int64_t>(
        0, std::int64_t(index.ahead(job) + index.running_count()) + 1 - options_.limits.running_jobs);
}

std::optional<double> Core::predicted_start_s(const Job& job) const {
    if (job.state != JobState::queued || durations_s_.empty()) return std::nullopt;
    double sum = 0;
    for (const double d : durations_s_) sum += d;
    return sum / double(durations_s_.size()) * double(queue_position(job)) /
           double(options_.limits.running_jobs);
}

Json Core::job_view(const Job& job) const {
    std::vector<std::string> waiting;
    if (!is_terminal(job.state)) waiting = members_.missing(job.spec, job.engines);
    for (const Unit* u : {&job.scan, &job.final})
        if (u->state == Unit::State::pending) waits(waiting, u->trouble);
    Json dead = Json::array();
    std::int64_t frames = 0, frames_done = 0, chunks = 0, chunks_done = 0;
    Json streams = Json::array();
    for (const auto& s : job.streams) {
        frames += s.info.frames;
        frames_done += s.counters.read;
        chunks += s.total;
        chunks_done += s.done;
        for (std::int64_t k = s.prefix; k < s.reached; ++k)
            if (const Chunk& c = s.chunks[std::size_t(k)]; c.state == ChunkState::pending)
                waits(waiting, c.trouble);
        for (const Dead& d : s.dead)
            dead.push_back({{"stream", s.name},
                            {"seq", d.seq},
                            {"stage", d.stage},
                            {"piece", d.piece},
                            {"causes", d.causes}});
        Json v{
            {"name", s.name},        {"frames", s.info.frames},     {"chunks", s.total},
            {"chunks_done", s.done}, {"warnings", s.info.warnings}, {"counters", counters_view(s.counters)}};
        if (!s.error.empty()) v["error"] = {{"code", s.error_code}, {"message", s.error}};
        streams.push_back(std::move(v));
    }
    const bool scanned = job.scan.state == Unit::State::done;
    const char* stage = job.state != JobState::running         ? ""
                        : job.final.state != Unit::State::none ? "finalize"
                        : !scanned && chunks_done == 0         ? "scan"
                                                               : "detect";
    double progress = is_terminal(job.state) && job.state == JobState::succeeded ? 1 : 0;
    if (job.state != JobState::succeeded && frames > 0) progress = double(frames_done) / double(frames);
    const auto until = job.ended_ns ? job.ended_ns : now_ns();
    const double seconds = job.started_ns ? double(until - job.started_ns) * 1e-9 : 0;
    Json v{{"job", job.id()},
           {"state", state_name(job.state)},
           {"stage", stage},
           {"pipeline", job.spec.pipeline},
           {"preset", job.spec.preset},
           {"priority", job.spec.priority},
           {"tenant", job.spec.tenant},
           {"tags", job.spec.tags},
           {"submitted_ns", job.spec.submitted_ns},
           {"started_ns", job.started_ns},
           {"ended_ns", job.ended_ns},
           {"queue_position", queue_position(job)},
           {"progress", progress},
           {"frames_total", frames},
           {"frames_done", frames_done},
           {"chunks_total", chunks},
           {"chunks_done", chunks_done},
           {"rate_fps", seconds > 0 ? double(frames_done) / seconds : 0},
           {"output", {{"root", job.spec.output.root}, {"path", job.spec.output.path}}},
           {"swept", job.swept},
           {"streams", std::move(streams)},
           {"workers", job.worked},
           {"waiting_for", waiting},
           {"dead", std::move(dead)},
           {"retries", job.retries}};
    if (const auto s = predicted_start_s(job)) v["predicted_start_s"] = *s;
    if (!job.last_error.empty()) v["last_error"] = job.last_error;
    if (job.forget != Job::Forget::no) v["forgetting"] = true;
    if (job.reconciliation.made) v["reconciliation"] = reconciliation_view(job.reconciliation);
    if (!job.error.empty()) v["error"] = {{"code", job.error_code}, {"message", job.error}};
    return v;
}

Json Core::health_view() const {
    Json parts = Json::array();
    bool ready = true;
    const auto part = [&](const std::string& name, bool ok, const std::string& detail, bool needed = true) {
        parts.push_back({{"name", name}, {"ok", ok}, {"detail", detail}});
        ready = ready && (ok || !needed);
    };
    const auto refused = not_admitting();
    const auto queued = std::int64_t(table_.index().queued_count() + table_.noops().pending());
    const bool room = queued < options_.queued_jobs || options_.drop_lru;
    part("store", !store_.away(), store_.away() ? store_.why() : "");
    const bool open = options_.security.open_to_all(options_.endpoint);
    part("security", true,
         open                     ? "INSECURE: no keys, and other hosts can connect to " + options_.endpoint
         : options_.security.keys ? "keys"
                                  : "this host alone");
    part("audit", !audit_.away(), audit_.away() ? audit_.why() : "",
         false);  // rows wait in the log meanwhile
    part("admission", !refused && room,
         refused ? refused->message
                 : std::to_string(queued) + " of " + std::to_string(options_.queued_jobs) + " places taken");
    for (const std::string stage : {"ingest", "preprocess", "detect", "annotate", "alert"}) {
        int n = 0;
        bool served = false;
        for (const auto& [id, m] : members_.all()) {
            if (m.hello.stage != stage || m.draining) continue;
            ++n;
            served = served || members_.serves(m.hello.pool);
        }
        part(stage, served,
             std::to_string(n) + (n == 1 ? " worker" : " workers") +
                 (n > 0 && !served ? ", resting after failures" : ""));
    }
    live_health(part);
    const Outbox& outbox = table_.outbox();
    std::string away;
    for (const auto& t : outbox.targets())
        if (t.state != "closed") away += "; " + t.name + " is away: " + t.last_error;
    part("alerts", away.empty(), std::to_string(outbox.undelivered()) + " undelivered" + away, false);
    return {{"ready", ready},
            {"admitting", !refused && room},
            {"parts", parts},
            {"last_error", last_error_},
            {"retained",
             {{"log_entries", recent_.size()},
              {"log_bytes", recent_bytes_},
              {"jobs", table_.jobs().size() + table_.noops().all().size()},
              {"dead_letters", outbox.dead_letters()},
              {"undelivered", outbox.undelivered()}}},
            {"counts",
             {{"bad_messages", bad_messages_},
              {"lost_replies", lost_replies_},
              {"releases", releases_},
              {"false_releases", false_releases_},
              {"stale", stale_},
              {"refused", gate_.refused()},
              {"repeats", table_.repeats()},
              {"unbalanced", table_.unbalanced()}}}};
}

}  // namespace sl::broker
