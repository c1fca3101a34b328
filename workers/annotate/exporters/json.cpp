// json: detections.json, everything that was found in a stream (schema/json/detections.schema.json).
// Only frames that were looked at are listed. One frame a line; written as it is read.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

namespace sl::annotate {
namespace {
constexpr int schema_version = 1;
using Json = nlohmann::ordered_json;

// Bytes that are no UTF-8 (file names may hold any) become U+FFFD.
std::string text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double finite(double v) {
    return std::isfinite(v) ? v : 0;
}

std::string box_text(const schema::JobSpec& spec, const schema::Box& b) {
    return fmt::format(
        R"({{"x":{:.2f},"y":{:.2f},"width":{:.2f},"height":{:.2f},"score":{:.4f},"class":{},"class_id":{},"model":{}}})",
        finite(b.x), finite(b.y), finite(b.width), finite(b.height), finite(b.score),
        text(class_name(spec, b)), b.class_id, text(pool_name(spec, b)));
}

void write_head(OutFile& out, const JoinContext& context) {
    const schema::StreamInfo& s = context.stream;
    const auto ratio = [](schema::Rational r) { return Json{{"num", r.num}, {"den", r.den}}; };
    Json models = Json::array(), classes = Json::object();
    for (const schema::PoolSpec& pool : context.spec.pools) {
        models.push_back(pool.name);
        classes[pool.name] = pool.classes;
    }
    const Json stream{{"name", s.name},
                      {"width", s.width},
                      {"height", s.height},
                      {"frame_rate", ratio(s.frame_rate)},
                      {"time_base", ratio(s.time_base)},
                      {"frames", s.frames}};
    out.write(fmt::format(
        "{{\n\"schema_version\":{},\n\"stream\":{},\n\"complete\":{},\n\"models\":{},\n\"classes\":{},\n",
        schema_version, text(stream), context.complete, text(models), text(classes)));
}

void write_frame(OutFile& out, const JoinContext& context, const schema::FrameBoxes& frame) {
    out.write(fmt::format(R"({{"frame":{},"time_s":{})", frame.frame,
                          seconds_text(microseconds(context.stream, frame.pts))));
    if (!context.stream.names.empty())
        out.write(R"(,"file":)" + text(picture_name(context.stream, frame.frame)));
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
        text(id), text(a.kind), text(a.rule), text(a.zone), text(a.class_name), a.box.track, a.frame,
        finite(a.time_s), box_text(context.spec, a.box)));
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
