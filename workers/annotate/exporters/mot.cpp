// mot: mot.txt in MOTChallenge's format, for its tools: `frame,id,left,top,width,height,score,-1,-1,-1`,
// frames from 1, on every frame: between samples as the video shows them. Boxes of no track are left out;
// where nothing is tracked (tracker "none", a folder of pictures) all are there, with id -1, as a file of
// detections has them.
#include <fmt/format.h>

#include "common/tracking.hpp"
#include "workers/annotate/json_text.hpp"
#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"

namespace sl::annotate {
namespace {

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/mot.txt");
    if (!out) return out.error();
    const bool tracked = tracking_of(context.spec, context.stream.source).kind != "none";
    std::int64_t rows = 0;
    const auto read = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        for (const schema::Box& b : frame.boxes) {
            if (tracked && b.track == 0) continue;
            out->write(fmt::format("{},{},{:.2f},{:.2f},{:.2f},{:.2f},{:.4f},-1,-1,-1\n", frame.frame + 1,
                                   tracked ? b.track : -1, finite(b.x), finite(b.y), finite(b.width),
                                   finite(b.height), finite(b.score)));
            ++rows;
        }
    });
    if (!read) return read.error();
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"txt", "tracks", "mot.txt", fmt::format(R"({{"rows":{}}})", rows)};
}

}  // namespace

extern const ExporterPlugin exporter_mot{
    "mot", "tracks on every frame, in MOTChallenge's format", shown_kind, shown_ext, false, &open_shown_part,
    &join};

}  // namespace sl::annotate
