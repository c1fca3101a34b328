// replay.msgpack: every box of every detected frame of a stream, exactly as detected, and what the step needs
// to know of the stream: so that tracks and rules are decided again without detecting again (`sightline
// replay`). A record, then the detections of each chunk in order; each after its length (8 bytes,
// little-endian).
#pragma once

#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::annotate {

class OutFile;

struct ReplayHead {
    std::int32_t version = 1;
    schema::StreamInfo stream;
    std::vector<schema::PoolSpec> pools;
    double confidence = 0;  // least score of its boxes
    MSGPACK_DEFINE_MAP(version, stream, pools, confidence)
};
struct Replay {
    ReplayHead head;
    schema::Detections detections;
};

void append_record(OutFile& out, const schema::Bytes& record);
// bad_media: it is no such file, or of a newer version.
Result<Replay> read_replay(const std::string& path);

}  // namespace sl::annotate
