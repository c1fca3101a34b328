// Where every frame of a job went, stage by stage; made once, when the job ends, and kept with it
// (PROTOCOL.md section 3.2). What each figure comes from is independent of the next: the scan's count, the
// rows, what the homes counted, what detection reported.
#pragma once

#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <string>
#include <vector>

namespace sl::broker {

struct Job;
struct Chunk;

struct StageFrames {
    std::int64_t in = 0, out = 0;
    std::map<std::string, std::int64_t> dropped;  // by reason
    MSGPACK_DEFINE_MAP(in, out, dropped)
};

struct StreamFrames {
    std::string name;
    StageFrames ingest, preprocess, detect, annotate;
    MSGPACK_DEFINE_MAP(name, ingest, preprocess, detect, annotate)
};

struct Reconciliation {
    bool made = false;
    bool balanced = true;
    std::vector<StreamFrames> streams;
    MSGPACK_DEFINE_MAP(made, balanced, streams)
};

// Of a job whose chunks are still known and of which nothing more will come.
Reconciliation reconcile(const Job& job);

// Why the frames of a chunk are not in the results: "job:dead_chunk", "job:after_dead_chunk", "job:canceled".
std::string why_missing(const Job& job, const Chunk& chunk);

}  // namespace sl::broker
