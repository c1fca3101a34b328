#include "broker/reconciliation.hpp"

#include "broker/job.hpp"

namespace sl::broker {
namespace {

bool balances(const StageFrames& f) {
    std::int64_t dropped = 0;
    for (const auto& [reason, n] : f.dropped) dropped += n;
    return f.in == f.out + dropped;
}

}  // namespace

std::string why_missing(const Job& job, const Chunk& c) {
    return c.state == ChunkState::dead       ? "job:dead_chunk"
           : job.state == JobState::canceled ? "job:canceled"
                                             : "job:after_dead_chunk";
}

Reconciliation reconcile(const Job& job) {
    Reconciliation r;
    r.made = true;
    for (const Stream& s : job.streams) {
        StreamFrames f;
        f.name = s.name;
        f.ingest.in = s.info.frames;
        for (std::size_t k = 0; k < s.chunks.size(); ++k) {
            const Chunk& c = s.chunks[k];
            if (std::int64_t(k) >= s.prefix) {  // not in the results
                f.ingest.dropped[why_missing(job, c)] += c.row.frames;
                continue;
            }
            f.ingest.out += c.counters.read;
            f.preprocess.in += c.row.frames;
            f.preprocess.out += c.counters.decoded;
            for (const auto& [reason, n] : c.counters.dropped) f.preprocess.dropped[reason] += n;
            f.annotate.in += c.counters.decoded;
            f.annotate.out += c.counters.annotated;
            if (job.spec.pools.empty()) continue;
            f.detect.in += c.row.sampled;
            f.detect.out += c.counters.detected;
            if (c.undetected) f.detect.dropped["decode:no_frame"] += c.undetected;
        }
        r.balanced = r.balanced && f.ingest.out == f.preprocess.in && balances(f.ingest) &&
                     balances(f.preprocess) && balances(f.detect) && balances(f.annotate);
        r.streams.push_back(std::move(f));
    }
    return r;
}

}  // namespace sl::broker
