// What may happen to a job that ended: it is retried, forgotten, or let go by the retention.
#include <algorithm>

#include "broker/job_table.hpp"

namespace sl::broker {
namespace {

Error no_job(const std::string& id) {
    return Error{Errc::not_found, "there is no job '" + id + "'", "`sightline jobs` lists them"};
}

}  // namespace

Result<JobState> JobTable::retry(const std::string& id, Journal& j) {
    if (const Noop* noop = noops_.find(id))
        return Error{Errc::conflict,
                     "cannot retry job " + id + ": it is " + state_name(noop->state) + ", not failed", ""};
    Job* job = find(id);
    if (!job) return no_job(id);
    if (job->state != JobState::failed)
        return Error{Errc::conflict,
                     "cannot retry job " + id + ": it is " + state_name(job->state) + ", not failed", ""};
    if (job->forget != Job::Forget::no)
        return Error{Errc::conflict, "cannot retry job " + id + ": it is being removed", ""};
    if (job->sweep.state == Unit::State::leased)
        return Error{Errc::unavailable,
                     "cannot retry job " + id + ": what is left of it is being removed just now",
                     "try again in a moment"};
    index();
    index_.erase(*job);
    ++job->retries;
    job->error_code.clear();
    job->error.clear();
    job->last_error.clear();
    job->manifest_digest.clear();
    job->ending = JobState::succeeded;
    job->ended_ns = 0;
    job->reconciliation = {};
    erase(j, *job, "reconciliation");
    for (Unit* u : {&job->scan, &job->final, &job->sweep}) u->trouble = {};
    job->final.state = job->sweep.state = Unit::State::none;
    job->first_open = 0;
    if (job->swept || job->done() == 0) {
        rescan(*job, j);
    } else {
        job->state = JobState::running;
        for (std::size_t i = 0; i < job->streams.size(); ++i) {
            rewind(*job, i, j);
            if (!job->streams[i].scanned) job->scan.state = Unit::State::pending;
        }
    }
    write_job(*job, j);
    state_event(*job, "job.retried", j);
    check_end(*job, j);
    return job->state;
}

// A stream that ended early goes on before its dead chunk: that and the later ones are done again. S of the
// dead chunk stays, and which alerts were published.
void JobTable::rewind(Job& job, std::size_t i, Journal& j) {
    Stream& s = job.streams[i];
    if (s.error.empty()) return;
    const std::int64_t from = s.dead_at;
    s.error_code.clear();
    s.error.clear();
    s.dead_at = INT64_MAX;
    s.dead.clear();
    const std::string at = std::to_string(i) + "/";
    for (std::int64_t k = from; k < s.reached; ++k) {
        Chunk& c = s.chunks[std::size_t(k)];
        c.state = ChunkState::pending;
        c.trouble = {};
        c.parts.clear();
        c.counters = {};
        c.undetected = 0;
        write_chunk(job, i, k, j);
        if (s.states.erase(k + 1)) erase(j, job, "S/" + at + std::to_string(k + 1));
        if (s.detections.erase(k)) erase(j, job, "D/" + at + std::to_string(k));
    }
    s.next = s.prefix;
    s.done = s.prefix;
    s.counters = {};
    for (std::int64_t k = 0; k < s.prefix; ++k) add_counters(s.counters, s.chunks[std::size_t(k)].counters);
    write_stream(job, i, j);
}

// From the beginning; attempts go on rising.
void JobTable::rescan(Job& job, Journal& j) {
    forget_chunks(job, j);
    for (std::size_t i = 0; i < job.streams.size(); ++i) erase(j, job, "stream/" + std::to_string(i));
    job.streams.clear();
    job.engines.clear();
    job.worked.clear();
    job.found = job.swept = false;
    job.state = JobState::queued;
    job.started_ns = 0;
    job.scan.state = Unit::State::pending;
}

Result<void> JobTable::forget(const std::string& id, bool results, Journal& j) {
    Job* job = find(id);
    const Noop* noop = noops_.find(id);
    if (!job && !noop) return no_job(id);
    if (const auto state = noop ? noop->state : job->state; !is_terminal(state))
        return Error{Errc::conflict, "cannot remove job " + id + ": it is " + state_name(state),
                     "cancel it first"};
    if (noop) {
        write_noops(j);  // its end is told before
        state_event(noops_.view(*noop), "job.forgotten", j);
        noops_.forget(id);
        return {};
    }
    const auto how = results ? Job::Forget::all : Job::Forget::work;
    if (job->forget >= how) return {};
    if (how == Job::Forget::work && job->swept) {
        state_event(*job, "job.forgotten", j);
        erase_job(*job, j);
        return {};
    }
    job->forget = how;
    // A sweep that is under way does not know that the results go, too: another one follows.
    const bool ending = job->final.state == Unit::State::pending || job->final.state == Unit::State::leased;
    if (!ending && (results || job->sweep.state != Unit::State::leased)) {
        job->sweep.state = Unit::State::pending;
        job->sweep.holder.clear();
    }
    write_job(*job, j);
    return {};
}

void JobTable::erase_job(Job& job, Journal& j) {
    const std::string id = job.id();
    j.writes.push_back({store::Write::Kind::erase_record, "job:" + id, "", ""});
    index();
    index_.erase(job);
    keys_.erase(job.key);
    jobs_.erase(id);
}

void JobTable::prune(std::int64_t at_ns, Journal& j) {
    outbox_.tend(at_ns, j);
    constexpr std::int64_t every_ns = 1'000'000'000;
    const auto& ended = index().ended();
    if (ended.size() <= retention_.jobs && at_ns < pruned_ns_ + every_ns) return;
    pruned_ns_ = at_ns;
    auto left = ended.size();
    for (auto at = ended.begin(); at != ended.end();) {
        const std::int64_t age = at_ns - at->first;
        Job& job = jobs_.at(at->second);
        ++at;
        if (left > retention_.jobs || (retention_.job_ns > 0 && age > retention_.job_ns)) {
            --left;
            if (job.swept && job.forget == Job::Forget::no)
                erase_job(job, j);  // quietly: the audit trail keeps it, and nothing else of it is gone
            else
                (void)forget(job.id(), false, j);
        } else if (age <= retention_.work_ns) {
            break;
        } else if (job.state == JobState::failed && !job.swept && job.sweep.state == Unit::State::none) {
            job.sweep.state = Unit::State::pending;
            write_job(job, j);
        }
    }
}

}  // namespace sl::broker
