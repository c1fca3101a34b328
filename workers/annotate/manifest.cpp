#include "workers/annotate/manifest.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sl::annotate {
namespace {
using Json = nlohmann::ordered_json;

Json meta_of(const Output& output) {
    if (output.meta.empty()) return Json::object();
    return Json::parse(output.meta);
}

Json counters_of(const schema::Counters& c) {
    return {{"read", c.read},   {"decoded", c.decoded}, {"detected", c.detected}, {"annotated", c.annotated},
            {"boxes", c.boxes}, {"alerts", c.alerts},   {"dropped", c.dropped}};
}

}  // namespace

std::string manifest_json(const JobReport& report) {
    Json outputs = Json::object(), warnings = Json::object(), counters = Json::object();
    Json overlays = Json::array();  // roles that a viewer can lay over the video, in the order of the outputs
    for (const StreamReport& stream : report.streams) {
        Json files = Json::array(), said = stream.warnings;
        for (const Output& output : stream.outputs) {
            const Json meta = meta_of(output);
            if (output.path.empty()) {
                said.push_back("no " + output.role + ": " + meta.value("reason", "nothing to show"));
                continue;
            }
            files.push_back({{"type", output.type},
                             {"role", output.role},
                             {"path", stream.name + "/" + output.path},
                             {"meta", meta}});
            const bool picture = output.type == "video" || output.type == "png";
            if (!picture && std::find(overlays.begin(), overlays.end(), output.role) == overlays.end())
                overlays.push_back(output.role);
        }
        outputs[stream.name] = std::move(files);
        if (!said.empty()) warnings[stream.name] = std::move(said);
        counters[stream.name] = counters_of(stream.counters);
    }
    Json out{{"job_id", report.job}, {"dataset_id", nullptr}, {"status", report.status}};
    if (!report.reason.empty()) out["reason"] = report.reason;
    out["program"] = {{"name", "sightline"}, {"version", report.program}};
    out["engines"] = report.engines;
    out["outputs"] = std::move(outputs);
    out["warnings"] = std::move(warnings);
    out["counters"] = std::move(counters);
    out["viewer_hint"] = {{"overlayOrder", std::move(overlays)}};
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sl::annotate
