#include "workers/annotate/rule_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/spelling.hpp"

namespace sl::annotate {
namespace {

double seconds(const schema::StreamInfo& info, std::int64_t ticks) {
    return double(ticks) * info.time_base.num / info.time_base.den;
}

// Why the condition of the rule never came about: the last thing it lacked.
std::string lacking(const schema::StreamInfo& info, const schema::Rule& rule, const schema::Zone* zone,
                    const Finding& f) {
    if (f.best < 0)
        return rule.classes.empty() ? "its class is excepted"
                                    : "its class is not among " + join(rule.classes);
    if (double(f.best) < rule.min_score)
        return fmt::format("{:.2f} at best, below min_score {:.2f}", f.best, rule.min_score);
    if (rule.kind == "line") {
        if (f.sides == 0) return "did not cross line " + rule.zone;
        return fmt::format("crossed line {} only {}", rule.zone, f.sides == 1 ? "forward" : "backward");
    }
    if (!f.inside && zone && zone->inside == "overlap")
        return fmt::format("{:.2f} of it in zone {} at most, below overlap {:.2f}", f.share, rule.zone,
                           zone->overlap);
    if (!f.inside) return fmt::format("{:.0f} px outside zone {} at its nearest", f.outside_px, rule.zone);
    if (f.run == 0 && rule.kind != "count") return "another of its class was stronger all the time";
    if (rule.kind == "count" && f.count <= rule.limit)
        return fmt::format("{} at once at most, not more than {}", f.count, rule.limit);
    if (f.run < rule.min_frames)
        return fmt::format("only on {} of {} frames in a row", f.run, rule.min_frames);
    if (rule.kind == "dwell")
        return fmt::format("stayed {:.1f} s, below dwell_s {:.1f}", seconds(info, f.stayed), rule.dwell_s);
    if (rule.kind == "enter") return "was inside from its beginning, did not come in";
    if (rule.kind == "exit") return "did not leave";
    return "another of its class was told about";
}

}  // namespace

std::string moment(const schema::JobSpec& spec, const schema::StreamInfo& info, std::int64_t pts) {
    if (spec.camera.empty()) return fmt::format("{:.1f} s", seconds(info, pts - info.start_pts));
    const std::int64_t tenths = std::int64_t(seconds(info, pts) * 10);
    const std::time_t whole = tenths / 10;
    std::tm utc{};
    gmtime_r(&whole, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    return fmt::format("{}.{}Z", text, tenths % 10);
}

std::vector<std::string> sentences(const schema::JobSpec& spec, const schema::StreamInfo& info,
                                   const schema::Rule& rule, const Finding& finding) {
    std::vector<std::string> out;
    for (const Said& said : finding.said)
        out.push_back(fmt::format("rule {}: {} at {}", rule.name, said.text, moment(spec, info, said.pts)));
    if (!out.empty()) return out;
    const auto zone = std::ranges::find(spec.zones, rule.zone, &schema::Zone::name);
    return {"rule " + rule.name + ": " +
            lacking(info, rule, zone == spec.zones.end() ? nullptr : &*zone, finding)};
}

std::string trace_json(const schema::JobSpec& spec, const schema::StreamInfo& info, std::int64_t track,
                       const Followed& t, bool ended) {
    using Json = nlohmann::ordered_json;
    Json decisions = Json::array();
    const auto weak = fmt::format("{} frames below confidence {:.2f}, {:.2f} at best", t.weak_frames,
                                  spec.confidence, t.weak_best);
    if (t.frames > 0)
        decisions.push_back(fmt::format("seen on {} frames, {:.2f} at best", t.frames, t.best) +
                            (t.weak_frames > 0 ? ", and on " + weak : ""));
    else
        decisions.push_back("seen on " + weak + ": no track");
    for (const schema::Rule& rule : spec.rules)
        if (const auto f = t.findings.find(rule.name); f != t.findings.end())
            for (auto& text : sentences(spec, info, rule, f->second)) decisions.push_back(std::move(text));
    const auto at = [&](std::int64_t pts) { return seconds(info, pts - info.start_pts); };
    const auto ns = [&](std::int64_t pts) { return spec.camera.empty() ? 0 : pts; };
    const Json json{{"track", track},        {"class_name", t.class_name}, {"camera", spec.camera},
                    {"stream", info.name},   {"from_s", at(t.from)},       {"to_s", at(t.to)},
                    {"from_ns", ns(t.from)}, {"to_ns", ns(t.to)},          {"ended", ended},
                    {"decisions", decisions}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sl::annotate
