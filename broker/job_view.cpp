// What clients see of jobs, pools and health (PROTOCOL.md sections 3 and 3.2).
#include "broker/core.hpp"

namespace sl::broker {
namespace {

Json counters_view(const schema::Counters& c) {
    return {{"read", c.read},   {"decoded", c.decoded}, {"detected", c.detected}, {"annotated", c.annotated},
            {"boxes", c.boxes}, {"alerts", c.alerts},   {"dropped", c.dropped}};
}

}  // namespace

std::int64_t Core::queue_position(const Job& job) const {
    if (job.state != JobState::queued) return 0;
    std::int64_t ahead = 0, running = 0;
    for (const auto& [id, other] : table_.jobs()) {
        running += other.state == JobState::running;
        ahead +=
            other.state == JobState::queued && &other != &job &&
            (other.spec.priority > job.spec.priority ||
             (other.spec.priority == job.spec.priority && other.spec.submitted_ns < job.spec.submitted_ns));
    }
    return std::max<std::int64_t>(0, ahead + running + 1 - options_.limits.running_jobs);
}

Json Core::job_view(const Job& job) const {
    std::int64_t frames = 0, frames_done = 0, chunks = 0, chunks_done = 0;
    Json streams = Json::array();
    for (const auto& s : job.streams) {
        frames += s.info.frames;
        frames_done += s.counters.read;
        chunks += s.total;
        chunks_done += s.done;
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
           {"waiting_for",
            is_terminal(job.state) ? std::vector<std::string>{} : members_.missing(job.spec, job.engines)}};
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
    part("store", !store_.away(), store_.away() ? store_.why() : "");
    part("audit", !audit_.away(), audit_.away() ? audit_.why() : "",
         false);  // rows wait in the log meanwhile
    std::map<std::string, int> stages{
        {"ingest", 0}, {"preprocess", 0}, {"detect", 0}, {"annotate", 0}, {"alert", 0}};
    for (const auto& [id, m] : members_.all())
        if (!m.draining) ++stages[m.hello.stage];
    for (const auto& [stage, n] : stages)
        part(stage, n > 0, std::to_string(n) + (n == 1 ? " worker" : " workers"));
    part("alerts", table_.undelivered_count() < 100000,
         std::to_string(table_.undelivered_count()) + " undelivered", false);
    return {
        {"ready", ready}, {"parts", parts}, {"bad_messages", bad_messages_}, {"lost_replies", lost_replies_}};
}

}  // namespace sl::broker
