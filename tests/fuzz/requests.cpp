// What a client sends, as far as it comes before a broker's state: the map, and a submit's parameters, which
// are resolved by the pipelines and presets of the program.
#include "common/bus/socket.hpp"
#include "common/camera_json.hpp"
#include "common/model/manifest.hpp"
#include "common/pipeline.hpp"
#include "common/zone_json.hpp"
#include "tests/fuzz/target.hpp"

namespace sl::fuzz {
namespace {

using Json = nlohmann::json;

std::vector<Bytes> seeds() {
    const std::vector<Json> requests{
        {{"type", "ping"}, {"req", "1"}},
        {{"type", "submit"},
         {"inputs", {{{"root", "media"}, {"path", "a.mp4"}}}},
         {"preset", "people"},
         {"params",
          {{"detect.confidence", 0.4},
           {"model", "yolox_nano"},
           {"classes", {"person", "car"}},
           {"exporters", "json,csv"},
           {"sample_fps", 5},
           {"crop", {0.1, 0.1, 0.5, 0.5}},
           {"rules", {{{"name", "r"}, {"classes", {"person"}}, {"min_score", 0.5}}}}}}},
        {{"type", "camera_set"},
         {"camera", "gate"},
         {"url", "rtsp://10.0.0.9/s"},
         {"labels", {{"site", "n"}}},
         {"motion", {{"on", true}, {"threshold", 0.01}}},
         {"params", {{"confidence", 0.4}}},
         {"zone", {{"name", "z"}, {"points", {{0, 0}, {1, 0}, {1, 1}}}}},
         {"rule", {{"name", "r"}, {"zone", "z"}, {"kind", "enter"}}}},
        {{"type", "prune"}, {"older_than_s", 60}, {"state", "failed"}, {"dry_run", true}}};
    std::vector<Bytes> all;
    for (const auto& r : requests) all.push_back(Json::to_msgpack(r));
    return all;
}

void run(View bytes) {
    struct World {
        pipeline::Catalog catalog;
        std::vector<model::Manifest> manifests;
    };
    static const World world = [] {
        auto catalog = pipeline::load(source_dir() + "/schema");
        auto manifests = model::load_manifests(source_dir() + "/schema/models");
        check(catalog && manifests, "the program's own pipelines, presets and models can be read");
        return World{std::move(*catalog), std::move(*manifests)};
    }();
    std::vector<zmq::message_t> frames;
    frames.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
    frames.emplace_back(bytes.data(), bytes.size());
    const auto e = bus::Envelope::parse(std::move(frames));
    if (!e) return;
    const Json body = Json::from_msgpack(e->header(), true, false);
    if (body.is_discarded() || !body.is_object()) return;
    try {
        (void)body.dump();
    } catch (const Json::exception&) {
        return;  // no UTF-8: a broker refuses it
    }
    const auto text = [&](const char* key, const char* otherwise) {
        const auto at = body.find(key);
        return at != body.end() && at->is_string() ? at->get<std::string>() : std::string(otherwise);
    };
    schema::Camera camera;
    if (lay_camera(body, camera)) {
        schema::Camera again;
        check(bool(lay_camera(camera_json(camera), again)) && again == camera,
              "a camera's JSON is the camera");
    }
    if (const auto zone = body.find("zone"); zone != body.end()) (void)zone_from_json(*zone);
    if (const auto rule = body.find("rule"); rule != body.end()) (void)rule_from_json(*rule);
    const auto params = body.find("params");
    schema::JobSpec spec;
    const auto ok =
        pipeline::resolve(world.catalog, {world.manifests, "yolox_nano"}, text("pipeline", "annotate"),
                          text("preset", "default"), params == body.end() ? Json::object() : *params, spec);
    check(ok || !ok.error().message.empty(), "what is refused is told why");
    if (!ok) return;
    check(spec.sample_fps >= 0 && spec.max_boxes > 0, "what is taken is in its range");
    check(bool(schema::decode<schema::JobSpec>(schema::encode(spec), "spec")), "what is taken can be kept");
}

}  // namespace

const Target target_requests{"requests", &run, &seeds};

}  // namespace sl::fuzz
