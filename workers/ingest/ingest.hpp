// Ingest: finds the streams of a job's inputs, scans them into chunk tables, and sends chunks to preprocess
// when their homes ask. Demux only: decoding is preprocess's, but for a source that must be recut.
#pragma once

#include <list>
#include <memory>

#include "common/roots.hpp"
#include "common/worker/stage.hpp"
#include "workers/ingest/source.hpp"

namespace sl::ingest {

// The streams that an input holds: a file is one; a folder that a source claims whole (pictures) is one;
// any other folder is searched, by name, depth first. `name` of each is its path below the root.
// INVALID_PARAMS / NOT_FOUND as Roots::resolve; a file that no source claims is BAD_MEDIA.
Result<std::vector<Found>> find_streams(const Roots& roots, const schema::Input& input);

class IngestStage final : public worker::Stage {
public:
    explicit IngestStage(Roots roots) : roots_(std::move(roots)) {}
    void work(bus::Envelope& item, worker::Emit& emit) override;

private:
    void scan(const schema::Task& task, worker::Emit& emit);
    Result<void> prepare(const schema::Task& task, std::size_t streams);
    Result<schema::Bytes> cut(const schema::Task& task);

    const Roots roots_;
    // Open sources, the last used first: chunks of a stream are mostly asked for in order.
    struct Open {
        std::string key;  // "job/stream"
        std::unique_ptr<Source> source;
    };
    std::list<Open> open_;
};

}  // namespace sl::ingest
