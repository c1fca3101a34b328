// How a job ends: its streams, final, the terminal state, the sweep.
#include <algorithm>

#include "broker/job_table.hpp"

namespace sl::broker {

using schema::Token;

namespace {

constexpr std::size_t max_ended = 5000;  // jobs, kept for `jobs` and `job`

}  // namespace

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

}  // namespace sl::broker
