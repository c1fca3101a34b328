// json: detections.json, everything that was found in a stream (schema/json/detections.schema.json).
// Only frames that were looked at are listed. One frame a line; written as it is read.
#include <fmt/format.h>

#include "workers/annotate/json_text.hpp"
#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

namespace sl::annotate {
namespace {
constexpr int schema_version = 1;
using Json = nlohmann::ordered_json;

std::string box_text(const schema::JobSpec& spec, const schema::Box& b) {
    const std::string track = b.track == 0 ? "" : fmt::format(R"(,"track":{})", b.track);
    return fmt::format(
        R"({{"x":{:.2f},"y":{:.2f},"width":{:.2f},"height":{:.2f},"score":{:.4f},"class":{},"class_id":{},"model":{}{}}})",
        finite(b.x), finite(b.y), finite(b.width), finite(b.height), finite(b.score),
        json_text(class_name(spec, b)), b.class_id, json_text(pool_name(spec, b)), track);
}

void write_head(OutFile& out, const JoinContext& context) {
    Json models = Json::array(), classes = Json::object();
    for (const schema::PoolSpec& pool : context.spec.pools) {
        models.push_back(pool.name);
        classes[pool.name] = pool.classes;
    }
    out.write(fmt::format(
        "{{\n\"schema_version\":{},\n\"stream\":{},\n\"complete\":{},\n\"models\":{},\n\"classes\":{},\n",
        schema_version, json_text(stream_json(context.stream)), context.complete, json_text(models),
        json_text(classes)));
}

void write_frame(OutFile& out, const JoinContext& context, const schema::FrameBoxes& frame) {
    out.write(fmt::format(R"({{"frame":{},"time_s":{})", frame.frame,
                          seconds_text(microseconds(context.stream, frame.pts))));
    if (!context.stream.names.empty())
        out.write(R"(,"file":)" + json_text(picture_name(context.stream, frame.frame)));
    out.write(R"(,"boxes":[)");
    const char* comma = "";
    for (const schema::Box& box : frame.boxes) {
        out.write(comma + box_text(context.spec, box));
        comma = ",";
    }
    out.write("]}");
}

// The job's id is left out of the alert's, so that equal input gives equal bytes.
void write_alert(OutFile& out, const JoinContext& context, const schema::Alert& a) {
    const std::string prefix = a.job + "-";
    const std::string id = a.alert.starts_with(prefix) ? a.alert.substr(prefix.size()) : a.alert;
    out.write(fmt::format(
        R"({{"alert":{},"kind":{},"rule":{},"zone":{},"class":{},"track":{},"frame":{},"time_s":{:.6f},"box":{}}})",
        json_text(id), json_text(a.kind), json_text(a.rule), json_text(a.zone), json_text(a.class_name),
        a.box.track, a.frame, finite(a.time_s), box_text(context.spec, a.box)));
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/detections.json");
    if (!out) return out.error();
    write_head(*out, context);
    std::int64_t frames = 0, boxes = 0, alerts = 0;
    out->write("\"frames\":[");
    const auto read = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        out->write(frames++ == 0 ? "\n" : ",\n");
        boxes += std::int64_t(frame.boxes.size());
        write_frame(*out, context, frame);
    });
    if (!read) return read.error();
    out->write("\n],\n\"alerts\":[");
    for (const auto& chunk : context.alerts)
        for (const schema::Alert& alert : chunk) {
            out->write(alerts++ == 0 ? "\n" : ",\n");
            write_alert(*out, context, alert);
        }
    out->write("\n]\n}\n");
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"json", "detections", "detections.json",
                  Json{{"frames", frames}, {"boxes", boxes}, {"alerts", alerts}}.dump()};
}

}  // namespace

extern const ExporterPlugin exporter_json{
    "json",      "boxes of every detected frame, and the alerts, as JSON",
    result_kind, result_ext,
    false,       &open_result_part,
    &join};

}  // namespace sl::annotate
