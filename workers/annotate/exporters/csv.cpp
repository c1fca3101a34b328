// csv: detections.csv, one row a box (RFC 4180: CRLF, quotes doubled), for spreadsheets and data frames.
#include <fmt/format.h>

#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

namespace sl::annotate {
namespace {

std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + '"';
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/detections.csv");
    if (!out) return out.error();
    out->write("frame,time_s,file,x,y,width,height,score,class,class_id,model,track\r\n");
    std::int64_t rows = 0;
    const auto read = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        const std::string time = seconds_text(microseconds(context.stream, frame.pts));
        const std::string file = field(picture_name(context.stream, frame.frame));
        for (const schema::Box& b : frame.boxes)
            out->write(fmt::format(
                "{},{},{},{:.2f},{:.2f},{:.2f},{:.2f},{:.4f},{},{},{},{}\r\n", frame.frame, time, file, b.x,
                b.y, b.width, b.height, b.score, field(class_name(context.spec, b)), b.class_id,
                field(pool_name(context.spec, b)), b.track == 0 ? "" : std::to_string(b.track)));
        rows += std::int64_t(frame.boxes.size());
    });
    if (!read) return read.error();
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"csv", "detections", "detections.csv", fmt::format(R"({{"rows":{}}})", rows)};
}

}  // namespace

extern const ExporterPlugin exporter_csv{"csv", "one row a box, RFC 4180", result_kind, result_ext,
                                         false, &open_result_part,         &join};

}  // namespace sl::annotate
