#include "broker/cli/job_text.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "broker/cli/exit_code.hpp"
#include "common/spelling.hpp"

namespace sl::cli {

using nlohmann::json;

std::string time_text(std::int64_t ns) {
    return ns == 0
               ? "-"
               : fmt::format("{:%Y-%m-%d %H:%M:%S}Z", fmt::gmtime(static_cast<std::time_t>(ns / 1000000000)));
}

std::string job_header() {
    return fmt::format("{:<26}  {:<9}  {:>6}  {:<9}  {:<10}  {}", "JOB", "STATE", "DONE", "STAGE", "PRESET",
                       "SUBMITTED");
}

std::string job_line(const json& job) {
    return fmt::format("{:<26}  {:<9}  {:>4.0f} %  {:<9}  {:<10}  {}", job.value("job", ""),
                       job.value("state", ""), 100 * job.value("progress", 0.0), job.value("stage", ""),
                       job.value("preset", ""), time_text(job.value("submitted_ns", std::int64_t{0})));
}

namespace {

std::string counters_text(const json& counters) {
    std::string text;
    for (const char* key : {"read", "decoded", "detected", "annotated", "boxes", "alerts"})
        if (counters.contains(key))
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key, counters[key].dump());
    const json dropped = counters.value("dropped", json::object());
    for (const auto& [reason, count] : dropped.items())
        text += fmt::format(", dropped {} {}", reason, count.dump());
    return text;
}

// Of several inputs one that is bad does not spoil the others.
std::string whole_text(const json& job) {
    const json streams = job.value("streams", json::array());
    const auto whole = std::count_if(streams.begin(), streams.end(), [](const json& s) {
        return s.value("chunks", 0) > 0 && s.value("chunks_done", 0) == s.value("chunks", 0);
    });
    if (streams.size() < 2 || whole == 0) return "";
    return fmt::format("{} of {} inputs are whole; their results are kept", whole, streams.size());
}

// What was given up, with its causes.
std::string dead_text(const json& job) {
    std::string text;
    for (const json& chunk : job.value("dead", json::array())) {
        const json stream = chunk.value("stream", json());
        text += fmt::format("dead       chunk {} of {}, at {}\n", chunk.value("seq", std::int64_t{0}),
                            stream.is_string() ? stream.get<std::string>() : stream.dump(),
                            chunk.value("stage", ""));
        for (const json& cause : chunk.value("causes", json::array()))
            text += "           " + (cause.is_string() ? cause.get<std::string>() : cause.dump()) + "\n";
    }
    if (const auto retries = job.value("retries", std::int64_t{0}); retries > 0)
        text += fmt::format("retries    {}\n", retries);
    return text;
}

}  // namespace

std::string job_text(const json& job) {
    const auto number = [&](const char* key) { return job.value(key, std::int64_t{0}); };
    std::string out =
        fmt::format("job        {}\nstate      {}\npipeline   {}, preset {}\n", job.value("job", ""),
                    job.value("state", ""), job.value("pipeline", ""), job.value("preset", ""));
    const json error = job.value("error", json());
    if (error.is_object() && !error.empty())
        out += fmt::format("error      {}: {}\n", error.value("code", ""), error.value("message", ""));
    if (const std::string whole = whole_text(job); job.value("state", "") == "failed" && !whole.empty())
        out += "           " + whole + "\n";
    // A pool's name, or a sentence of what is away.
    for (const auto& what : job.value("waiting_for", std::vector<std::string>{}))
        out += "waits for  " + (what.find(' ') == std::string::npos ? "a worker of " + what : what) + "\n";
    if (const std::string last = job.value("last_error", ""); !last.empty() && !error.is_object())
        out += "last error " + last + "\n";
    if (job.value("state", "") == "queued") {
        const double start = job.value("predicted_start_s", -1.0);
        out += fmt::format("position   {} in the queue{}\n", number("queue_position"),
                           start >= 0 ? fmt::format(", starts in about {:.0f} s", start) : "");
    }
    out += fmt::format(
        "progress   {:.0f} %  {}/{} frames, {}/{} chunks{}\n", 100 * job.value("progress", 0.0),
        number("frames_done"), number("frames_total"), number("chunks_done"), number("chunks_total"),
        job.value("rate_fps", 0.0) > 0 ? fmt::format(", {:.0f} fps", job.value("rate_fps", 0.0)) : "");
    out += fmt::format("submitted  {}   started {}   ended {}\n", time_text(number("submitted_ns")),
                       time_text(number("started_ns")), time_text(number("ended_ns")));
    const json tags = job.value("tags", json::object());
    for (const auto& [key, value] : tags.items())
        out += fmt::format("tag        {}={}\n", key, value.get<std::string>());
    const json streams = job.value("streams", json::array());
    for (const json& stream : streams) {
        out +=
            fmt::format("stream     {}: {} frames, {}/{} chunks\n", stream.value("name", ""),
                        stream.value("frames", std::int64_t{0}), stream.value("chunks_done", std::int64_t{0}),
                        stream.value("chunks", std::int64_t{0}));
        const std::string counters = counters_text(stream.value("counters", json::object()));
        if (!counters.empty()) out += "           " + counters + "\n";
        const auto warnings = stream.value("warnings", std::vector<std::string>{});
        if (!warnings.empty()) out += "           warnings: " + join(warnings) + "\n";
    }
    out += dead_text(job);
    const json pools = job.value("workers", json::object());
    for (const auto& [pool, workers] : pools.items())
        for (const auto& [worker, done] : workers.items())
            out += fmt::format("worker     {}  {}  did {}\n", pool, worker, done.dump());
    return out;
}

std::string frames_text(const json& job) {
    const json table = job.value("reconciliation", json());
    if (!table.is_object()) return "";
    std::string text = fmt::format("frames     {:>8} {:>8} {:>8}\n", "in", "out", "dropped");
    for (const json& stream : table.value("streams", json::array())) {
        text += "           " + stream.value("name", "") + "\n";
        for (const char* stage : {"ingest", "preprocess", "detect", "annotate"}) {
            const json row = stream.value(stage, json());
            if (!row.is_object()) continue;
            std::int64_t dropped = 0;
            std::string why;
            const json reasons = row.value("dropped", json::object());
            for (const auto& [reason, count] : reasons.items()) {
                dropped += count.get<std::int64_t>();
                why += fmt::format("{}{} {}", why.empty() ? "  (" : ", ", reason, count.dump());
            }
            text += fmt::format("{:>10} {:>8} {:>8} {:>8}{}\n", stage, row.value("in", std::int64_t{0}),
                                row.value("out", std::int64_t{0}), dropped, why.empty() ? "" : why + ")");
        }
    }
    return text + (table.value("balanced", false) ? "balanced   yes\n" : "balanced   NO\n");
}

std::string alert_line(const json& body) {
    const json box = body.value("box", json::object());
    const std::string kind = body.value("kind", "new");
    // Of a camera it is told as it happens; in a video the place counts.
    std::string where = body.value("stream", "");
    if (body.value("camera", "").empty())
        where += fmt::format("  {:.1f} s (frame {})", body.value("time_s", 0.0),
                             body.value("frame", std::int64_t{0}));
    if (kind != "new")  // the incident is told already
        return fmt::format("alert {}  {}  {}: {}", kind, where, body.value("rule", ""),
                           body.value("class_name", ""));
    return fmt::format("alert  {}  {}: {} {:.2f} at {:.0f},{:.0f} {:.0f}x{:.0f}", where,
                       body.value("rule", ""), body.value("class_name", ""), box.value("score", 0.0),
                       box.value("x", 0.0), box.value("y", 0.0), box.value("width", 0.0),
                       box.value("height", 0.0));
}

int job_exit_code(const json& job) {
    const std::string state = job.value("state", "");
    if (state == "canceled") return exit_canceled;
    if (state != "failed") return exit_ok;
    const json error = job.value("error", json::object());
    return error.is_object() && error.value("code", "") == "BAD_MEDIA" ? exit_bad_media : exit_job_failed;
}

}  // namespace sl::cli
