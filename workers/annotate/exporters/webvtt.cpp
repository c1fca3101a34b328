// webvtt: detections.vtt, subtitles that say what is in view ("2 person, 1 car"). What a detected frame
// shows holds until the next one; equal neighbours are one cue; nothing in view is no cue.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

namespace sl::annotate {
namespace {

// Cue text may hold neither markup nor line breaks.
std::string escape(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else
            out += c == '\n' || c == '\r' ? ' ' : c;
    }
    return out;
}

// Counts by falling number, then by name. With several models the name says whose count it is.
std::string cue_text(const schema::JobSpec& spec, const schema::FrameBoxes& frame) {
    std::map<std::string, int> counts;
    for (const schema::Box& box : frame.boxes) {
        const std::string model = spec.pools.size() > 1 ? " (" + pool_name(spec, box) + ")" : "";
        ++counts[class_name(spec, box) + model];
    }
    std::vector<std::pair<std::string, int>> order(counts.begin(), counts.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text;
    for (const auto& [name, count] : order)
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + escape(name);
    return text;
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/detections.vtt");
    if (!out) return out.error();
    out->write("WEBVTT\n");
    std::string text;  // in view since `start`
    std::int64_t start = 0, cues = 0;
    const auto close = [&](std::int64_t pts) {
        const std::int64_t end = std::max(microseconds(context.stream, pts), start + 1000);  // never empty
        if (text.empty()) return;
        out->write(fmt::format("\n{} --> {}\n{}\n", clock_text(start), clock_text(end), text));
        ++cues;
    };
    const auto read = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        std::string now = cue_text(context.spec, frame);
        if (now == text) return;
        close(frame.pts);
        text = std::move(now);
        start = microseconds(context.stream, frame.pts);
    });
    if (!read) return read.error();
    if (!context.rows.empty()) close(context.rows.back().end_pts);
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"vtt", "detections", "detections.vtt", fmt::format(R"({{"cues":{}}})", cues)};
}

}  // namespace

extern const ExporterPlugin exporter_webvtt{
    "webvtt", "subtitles that count what is in view", result_kind, result_ext, false, &open_result_part,
    &join};

}  // namespace sl::annotate
