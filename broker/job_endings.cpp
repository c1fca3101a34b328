// How a job ends: its streams, final, the terminal state, the sweep.
#include <algorithm>

#include "broker/job_table.hpp"
#include "common/log.hpp"

namespace sl::broker {

using schema::Token;

void JobTable::check_end(Job& job, Journal& j) {
    if (job.state != JobState::running || !job.found || job.final.state != Unit::State::none) return;
    while (job.first_open < job.streams.size() && job.streams[job.first_open].ended()) ++job.first_open;
    if (job.first_open < job.streams.size()) return;
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
    if (!canceled) {
        job.ended_ns = now_ns();
        balance(job, j);
    }
    // What was done of a failed job is kept for `retry`, for a while.
    if (state != JobState::failed || retention_.work_ns == 0 || job.done() == 0)
        job.sweep.state = Unit::State::pending;
    write_job(job, j);
    for (std::size_t i = 0; i < job.streams.size(); ++i) write_stream(job, i, j);
    if (!canceled) state_event(job, state == JobState::succeeded ? "job.succeeded" : "job.failed", j);
}

// Nothing more will come of its chunks: where did every frame go?
void JobTable::balance(Job& job, Journal& j) {
    job.reconciliation = reconcile(job);
    set(j, job, "reconciliation", schema::encode(job.reconciliation));
    if (job.reconciliation.balanced) return;
    ++unbalanced_;
    log::error("frames_unbalanced", "job={} its frames do not balance: `sightline job` shows them", job.id());
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
    finish(job, job.ending, j);
    return {};
}

Result<void> JobTable::swept(const Token& token, Journal& j) {
    if (auto ok = need_current(token, "sweep"); !ok) {
        Job* job = find(token.job);
        return job && job->swept && job->sweep.token == token ? Result<void>{} : ok;
    }
    Job& job = *find(token.job);
    const bool again = job.swept;
    job.sweep.state = Unit::State::done;
    job.swept = true;
    forget_chunks(job, j);
    // The last event of a canceled job: after it nothing of the job appears (rule 25).
    if (job.state == JobState::canceled && !again) state_event(job, "job.canceled", j);
    if (job.forget == Job::Forget::no) {
        write_job(job, j);
    } else {
        state_event(job, "job.forgotten", j);
        erase_job(job, j);
    }
    return {};
}

void JobTable::forget_chunks(Job& job, Journal& j) {
    for (std::size_t i = 0; i < job.streams.size(); ++i) {
        Stream& s = job.streams[i];
        const std::string at = std::to_string(i) + "/";
        for (std::size_t k = 0; k < s.chunks.size(); ++k) {
            job.attempts = std::max(job.attempts, s.chunks[k].token.attempt);
            erase(j, job, "chunk/" + at + std::to_string(k));
        }
        for (const auto& [k, bytes] : s.states) erase(j, job, "S/" + at + std::to_string(k));
        for (const auto& [k, bytes] : s.detections) erase(j, job, "D/" + at + std::to_string(k));
        s.states.clear();
        s.detections.clear();
        s.chunks = {};
        s.prefix = s.reached = 0;
        s.info.codec.clear();
        write_stream(job, i, j);
    }
    job.first_open = job.reached = 0;
}

}  // namespace sl::broker
