#include "workers/annotate/result.hpp"

#include "common/files.hpp"
#include "schema/codec.hpp"

namespace sl::annotate {
namespace {

class ResultWriter final : public PartWriter {
public:
    ResultWriter(std::string path, bool all) : path_(std::move(path)), all_(all) {}

    Result<void> add(const AnnotatedFrame& frame) override {
        if (frame.sampled || all_)
            detections_.frames.push_back(
                {frame.ordinal, frame.pts, {frame.boxes.begin(), frame.boxes.end()}});
        return {};
    }
    Result<void> finish() override {
        const schema::Bytes bytes = schema::encode(detections_);
        return files::write_durably(path_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }

private:
    const std::string path_;
    const bool all_;
    schema::Detections detections_;
};

}  // namespace

Result<std::unique_ptr<PartWriter>> open_result_part(const ChunkContext&, const std::string& path) {
    return std::unique_ptr<PartWriter>(std::make_unique<ResultWriter>(path, false));
}

Result<std::unique_ptr<PartWriter>> open_shown_part(const ChunkContext&, const std::string& path) {
    return std::unique_ptr<PartWriter>(std::make_unique<ResultWriter>(path, true));
}

Result<void> for_each_result(const JoinContext& context,
                             const std::function<void(const schema::FrameBoxes&)>& each) {
    for (const std::string& path : context.parts) {
        const auto text = files::read(path);
        if (!text) return text.error();
        const auto part = schema::decode<schema::Detections>(
            {reinterpret_cast<const std::uint8_t*>(text->data()), text->size()}, "result part " + path);
        if (!part) return part.error();
        for (const schema::FrameBoxes& frame : part->frames) each(frame);
    }
    return {};
}

std::string class_name(const schema::JobSpec& spec, const schema::Box& box) {
    const auto pool = std::size_t(box.pool), id = std::size_t(box.class_id);
    if (pool < spec.pools.size() && id < spec.pools[pool].classes.size()) return spec.pools[pool].classes[id];
    return "class " + std::to_string(box.class_id);
}

std::string pool_name(const schema::JobSpec& spec, const schema::Box& box) {
    const auto pool = std::size_t(box.pool);
    return pool < spec.pools.size() ? spec.pools[pool].name : "";
}

std::string picture_name(const schema::StreamInfo& stream, std::int64_t frame) {
    const auto index = std::size_t(frame);
    return index < stream.names.size() ? stream.names[index] : "";
}

}  // namespace sl::annotate
