// replay: replay.msgpack, from which `sightline replay` decides tracks and rules again (replay_file.hpp).
#include <nlohmann/json.hpp>

#include "schema/codec.hpp"
#include "workers/annotate/out_file.hpp"
#include "workers/annotate/replay_file.hpp"
#include "workers/annotate/result.hpp"

namespace sl::annotate {
namespace {

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/replay.msgpack");
    if (!out) return out.error();
    schema::StreamInfo stream = context.stream;
    stream.input = stream.recut = {};  // where it lay, and the job's id in it
    append_record(*out, schema::encode(ReplayHead{1, stream, context.spec.pools, context.spec.confidence}));
    const auto read = for_each_result(
        context, [&](const schema::FrameBoxes& frame) { append_record(*out, schema::encode(frame)); });
    if (!read) return read.error();
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"msgpack", "replay", "replay.msgpack",
                  nlohmann::json{{"confidence", context.spec.confidence}}.dump()};
}

}  // namespace

extern const ExporterPlugin exporter_replay{
    "replay",    "what `sightline replay` needs: every box as detected (set confidence=0.1 tracker=none)",
    result_kind, result_ext,
    false,       &open_result_part,
    &join};

}  // namespace sl::annotate
