// video: video.mp4. Parts are segments of closed GOPs; the join copies packets and adds the audio.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/files.hpp"
#include "workers/annotate/exporter.hpp"
#include "workers/annotate/out_file.hpp"

namespace sl::annotate {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Opens the encoder at the first frame: a chunk without one is an empty file, which the join skips.
class SegmentWriter final : public PartWriter {
public:
    SegmentWriter(const ChunkContext& context, std::string path)
        : context_(context), path_(std::move(path)) {}

    Result<void> add(const AnnotatedFrame& frame) override {
        if (!encoder_) {
            const media::EncodeOptions options{context_.spec.video_preset, context_.spec.video_crf};
            auto opened = media::SegmentEncoder::open(context_.stream, context_.row.seq, options, path_);
            if (!opened) return opened.error();
            encoder_ = std::move(*opened);
        }
        return encoder_->add(*frame.picture, frame.pts, frame.duration);
    }
    Result<void> finish() override {
        if (!encoder_) return files::write_durably(path_, "");
        return encoder_->finish();
    }

private:
    const ChunkContext context_;
    const std::string path_;
    std::unique_ptr<media::SegmentEncoder> encoder_;
};

Result<std::unique_ptr<PartWriter>> open_part(const ChunkContext& context, const std::string& path) {
    return std::unique_ptr<PartWriter>(std::make_unique<SegmentWriter>(context, path));
}

std::string meta(const schema::StreamInfo& stream, const media::JoinReport& report, bool complete) {
    Json out{{"frames", report.frames},
             {"audio", report.audio},
             {"width", stream.width + stream.width % 2},
             {"height", stream.height + stream.height % 2},
             {"padding", {{"right", stream.width % 2}, {"bottom", stream.height % 2}}},
             {"rotation", stream.rotation},
             {"flip", stream.flip},
             {"origin_pts", report.origin_pts},
             {"time_base", {{"num", stream.time_base.num}, {"den", stream.time_base.den}}},
             {"complete", complete}};
    if (!stream.recut.path.empty()) out["recut"] = stream.recut_reason;
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    std::vector<std::string> segments;
    for (const std::string& part : context.parts) {
        std::error_code ec;
        const auto bytes = fs::file_size(part, ec);
        if (ec) return Error{Errc::not_found, "cannot join segment " + part + ": " + ec.message(), ""};
        if (bytes > 0) segments.push_back(part);
    }
    if (segments.empty())
        return Output{"video", "annotated_video", "", R"({"reason":"no frame could be decoded"})"};
    const std::string path = out_dir + "/video.mp4";
    const auto report = media::join_segments(context.stream, segments, context.source_path, path + ".tmp");
    const auto done = settle(path, report ? Result<void>() : report.error());
    if (!done) return done.error();
    return Output{"video", "annotated_video", "video.mp4", meta(context.stream, *report, context.complete)};
}

}  // namespace

extern const ExporterPlugin exporter_video{
    "video", "the stream with its boxes drawn, H.264 in MP4, audio kept", "video", "mp4", true, &open_part,
    &join};

}  // namespace sl::annotate
