// coco: coco.json, what was found on the frames that were looked at, as COCO's detection format has it:
// images, annotations (with score and track_id) and categories, each with ids from 1. Of a video a picture's
// file_name is what `ffmpeg -i VIDEO -start_number 0 %06d.jpg` would call it. A class that several models
// have is one category.
#include <fmt/format.h>

#include <map>

#include "workers/annotate/json_text.hpp"
#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

namespace sl::annotate {
namespace {
using Json = nlohmann::ordered_json;

class Categories {
public:
    explicit Categories(const schema::JobSpec& spec) : spec_(spec) {
        for (const schema::PoolSpec& pool : spec.pools)
            for (const std::string& name : pool.classes) add(name);
    }
    std::size_t of(const schema::Box& box) { return add(class_name(spec_, box)); }
    Json list() const {
        Json out = Json::array();
        for (const std::string& name : names_)
            out.push_back({{"id", out.size() + 1}, {"name", name}, {"supercategory", ""}});
        return out;
    }

private:
    std::size_t add(const std::string& name) {
        const auto [at, fresh] = ids_.try_emplace(name, names_.size() + 1);
        if (fresh) names_.push_back(name);
        return at->second;
    }
    const schema::JobSpec& spec_;
    std::map<std::string, std::size_t> ids_;
    std::vector<std::string> names_;
};

std::string file_name(const schema::StreamInfo& stream, std::int64_t frame) {
    return stream.names.empty() ? fmt::format("{:06}.jpg", frame) : picture_name(stream, frame);
}

std::string annotation(const schema::Box& b, std::int64_t id, std::int64_t image, std::size_t category) {
    const double width = finite(b.width), height = finite(b.height);
    const std::string track = b.track == 0 ? "" : fmt::format(R"(,"track_id":{})", b.track);
    return fmt::format(
        R"({{"id":{},"image_id":{},"category_id":{},"bbox":[{:.2f},{:.2f},{:.2f},{:.2f}],"area":{:.2f},"iscrowd":0,"score":{:.4f}{}}})",
        id, image, category, finite(b.x), finite(b.y), width, height, width * height, finite(b.score), track);
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto out = OutFile::create(out_dir + "/coco.json");
    if (!out) return out.error();
    const schema::StreamInfo& stream = context.stream;
    out->write("{\n\"info\":" + json_text(Json{{"description", stream.name}}) + ",\n\"images\":[");
    std::int64_t images = 0;
    const auto listed = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        out->write(
            fmt::format(R"({}{{"id":{},"width":{},"height":{},"file_name":{},"frame":{},"time_s":{}}})",
                        images == 0 ? "\n" : ",\n", images + 1, stream.width, stream.height,
                        json_text(file_name(stream, frame.frame)), frame.frame,
                        seconds_text(microseconds(stream, frame.pts))));
        ++images;
    });
    if (!listed) return listed.error();
    out->write("\n],\n\"annotations\":[");
    Categories categories(context.spec);
    std::int64_t image = 0, annotations = 0;
    const auto read = for_each_result(context, [&](const schema::FrameBoxes& frame) {
        ++image;
        for (const schema::Box& b : frame.boxes) {
            out->write(annotations == 0 ? "\n" : ",\n");
            ++annotations;
            out->write(annotation(b, annotations, image, categories.of(b)));
        }
    });
    if (!read) return read.error();
    out->write("\n],\n\"categories\":" + json_text(categories.list()) + "\n}\n");
    const auto done = out->finish();
    if (!done) return done.error();
    return Output{"json", "detections", "coco.json",
                  fmt::format(R"({{"images":{},"annotations":{}}})", images, annotations)};
}

}  // namespace

extern const ExporterPlugin exporter_coco{"coco",      "boxes of every detected frame, in COCO's format",
                                          result_kind, result_ext,
                                          false,       &open_result_part,
                                          &join};

}  // namespace sl::annotate
