// tracks: tracks.json, every object that was followed, from its first frame to its last, with its boxes on
// the frames that were looked at (schema/json/tracks.schema.json). One track a line, by rising number. Boxes
// are gathered in memory: some 40 bytes each.
#include <fmt/format.h>

#include <map>

#include "workers/annotate/json_text.hpp"
#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

namespace sl::annotate {
namespace {
constexpr int schema_version = 1;

struct Seen {
    std::int64_t frame, pts;
    float x, y, width, height, score;
};
struct Track {
    schema::Box first;  // tells class and pool
    std::vector<Seen> seen;
};

void write_track(OutFile& out, const JoinContext& context, std::int64_t number, const Track& track) {
    const auto time = [&](const Seen& s) { return seconds_text(microseconds(context.stream, s.pts)); };
    const Seen &first = track.seen.front(), &last = track.seen.back();
    out.write(fmt::format(
        R"({{"track":{},"class":{},"class_id":{},"model":{},"first_frame":{},"last_frame":{},"first_s":{},"last_s":{},"boxes":[)",
        number, json_text(class_name(context.spec, track.first)), track.first.class_id,
        json_text(pool_name(context.spec, track.first)), first.frame, last.frame, time(first), time(last)));
    const char* comma = "";
    for (const Seen& s : track.seen) {
        out.write(fmt::format(
            R"({}{{"frame":{},"time_s":{},"x":{:.2f},"y":{:.2f},"width":{:.2f},"height":{:.2f},"score":{:.4f}}})",
            comma, s.frame, time(s), finite(s.x), finite(s.y), finite(s.width), finite(s.height),
            finite(s.score)));
        comma = ",";
    }
    out.write("]}");
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/tracks.json");
    if (!out) return out.error();
    std::map<std::int64_t, Track> tracks;
    const auto read = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        for (const schema::Box& b : frame.boxes) {
            if (b.track == 0) continue;
            Track& track = tracks.try_emplace(b.track, Track{b, {}}).first->second;
            track.seen.push_back({frame.frame, frame.pts, b.x, b.y, b.width, b.height, b.score});
        }
    });
    if (!read) return read.error();
    out->write(fmt::format("{{\n\"schema_version\":{},\n\"stream\":{},\n\"complete\":{},\n\"tracks\":[",
                           schema_version, json_text(stream_json(context.stream)), context.complete));
    std::size_t boxes = 0;
    const char* comma = "\n";
    for (const auto& [number, track] : tracks) {
        out->write(comma);
        write_track(*out, context, number, track);
        boxes += track.seen.size();
        comma = ",\n";
    }
    out->write("\n]\n}\n");
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"json", "tracks", "tracks.json",
                  fmt::format(R"({{"tracks":{},"boxes":{}}})", tracks.size(), boxes)};
}

}  // namespace

extern const ExporterPlugin exporter_tracks{
    "tracks", "every object that was followed, as JSON", result_kind, result_ext, false, &open_result_part,
    &join};

}  // namespace sl::annotate
