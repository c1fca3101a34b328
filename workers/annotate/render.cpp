#include "workers/annotate/render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/files.hpp"
#include "common/image/draw.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/shown.hpp"

namespace sl::annotate {
namespace {
namespace fs = std::filesystem;

// A part being written; removed unless it was kept.
struct OpenPart {
    std::string kind, name, path;
    std::unique_ptr<PartWriter> writer;

    OpenPart(std::string part_kind, std::string part_name, std::string part_path)
        : kind(std::move(part_kind)), name(std::move(part_name)), path(std::move(part_path)) {}
    OpenPart(OpenPart&&) = default;
    OpenPart(const OpenPart&) = delete;
    ~OpenPart() {
        if (path.empty()) return;
        writer.reset();
        std::error_code ignored;
        fs::remove(tmp(), ignored);
    }
    std::string tmp() const { return path + ".tmp"; }

    Result<schema::Part> keep(const std::string& parts_rel) {
        auto done = writer->finish();
        if (!done) return done.error();
        auto sum = files::sha256_file(tmp());
        if (!sum) return sum.error();
        std::error_code ec;
        const auto bytes = std::int64_t(fs::file_size(tmp(), ec));
        if (!ec) fs::rename(tmp(), path, ec);
        if (ec)
            return Error{files::code_of(ec.value()),
                         "cannot rename " + tmp() + " to " + path + ": " + ec.message(),
                         files::hint_of(ec.value())};
        path.clear();
        return schema::Part{kind, parts_rel + "/" + name, bytes, *sum};
    }
};

Result<std::vector<OpenPart>> open_parts(const ChunkContext& context,
                                         const std::vector<const ExporterPlugin*>& exporters,
                                         const std::string& dir, const std::string& stem) {
    if (!fs::is_directory(dir))
        return Error{Errc::not_found,
                     fmt::format("cannot render chunk {} of '{}' into {}: there is no such folder",
                                 context.row.seq, context.stream.name, dir),
                     "the job was canceled and swept, or this host does not mount the job's output root"};
    std::vector<OpenPart> parts;
    for (const ExporterPlugin* exporter : exporters) {
        const auto same = [&](const OpenPart& part) { return part.kind == exporter->part_kind; };
        if (std::any_of(parts.begin(), parts.end(), same)) continue;
        const std::string name = stem + "." + exporter->part_ext;
        OpenPart part(exporter->part_kind, name, dir + "/" + name);
        auto writer = exporter->open_part(context, part.tmp());
        if (!writer) return writer.error();
        part.writer = std::move(*writer);
        parts.push_back(std::move(part));
    }
    return parts;
}

std::vector<image::Mark> marks_of(const schema::JobSpec& spec, std::span<const schema::Box> boxes) {
    std::vector<image::Mark> marks;
    for (const schema::Box& b : boxes) {
        const std::string number = b.track == 0 ? "" : fmt::format(" #{}", b.track);
        marks.push_back({b.x, b.y, b.width, b.height, b.class_id,
                         fmt::format("{}{} {:.2f}", class_name(spec, b), number, b.score)});
    }
    return marks;
}

}  // namespace

Result<std::vector<const ExporterPlugin*>> chosen_exporters(const schema::JobSpec& spec) {
    std::vector<const ExporterPlugin*> chosen;
    for (const std::string& name : spec.exporters) {
        std::string known;
        const ExporterPlugin* found = nullptr;
        for (const ExporterPlugin* plugin : exporter_table()) {
            if (name == plugin->name) found = plugin;
            known += std::string(known.empty() ? "" : ", ") + plugin->name;
        }
        if (!found)
            return Error{Errc::invalid_argument, "there is no exporter '" + name + "'",
                         "choose among " + known};
        chosen.push_back(found);
    }
    return chosen;
}

Result<Rendered> render_chunk(const ChunkContext& context, std::span<const std::uint8_t> packed,
                              const schema::StreamState& before, const Stepped& stepped,
                              const std::string& parts_dir, const std::string& parts_rel,
                              const std::string& stem, const std::function<bool()>& stop) {
    const auto exporters = chosen_exporters(context.spec);
    if (!exporters) return exporters.error();
    auto parts = open_parts(context, *exporters, parts_dir, stem);
    if (!parts) return parts.error();
    const bool pixels =
        std::any_of(exporters->begin(), exporters->end(), [](const auto* e) { return e->needs_pixels; });

    media::Upright upright(context.stream);
    Shown shown(context, before.last, stepped);
    Rendered out;
    Result<void> verdict;
    const auto each = [&](const media::Decoded& decoded) {
        const auto annotate = [&]() -> Result<void> {
            if (stop())
                return Error{Errc::canceled, fmt::format("chunk {} was canceled", context.row.seq), ""};
            AnnotatedFrame frame{nullptr, decoded.ordinal, decoded.pts, decoded.duration, false, {}};
            frame.sampled = shown.advance(decoded.ordinal, decoded.pts);
            frame.boxes = shown.boxes();
            media::FramePtr picture;
            if (pixels) {
                auto converted = upright.convert(*decoded.frame);
                if (!converted) return converted.error();
                picture = std::move(*converted);
                image::draw_marks(*picture, marks_of(context.spec, frame.boxes));
                frame.picture = picture.get();
            }
            for (OpenPart& part : *parts)
                if (auto added = part.writer->add(frame); !added) return added;
            ++out.counters.annotated;
            if (frame.sampled) {
                ++out.counters.detected;
                out.counters.boxes += std::int64_t(frame.boxes.size());
            }
            return {};
        };
        verdict = annotate();
        return bool(verdict);
    };
    const auto report =
        media::decode_chunk(context.stream, context.row, media::sampling_of(context.spec), packed, each);
    if (!verdict) return verdict.error();
    if (!report) return report.error();

    for (OpenPart& part : *parts) {
        auto kept = part.keep(parts_rel);
        if (!kept) return kept.error();
        out.parts.push_back(std::move(*kept));
    }
    if (auto synced = files::sync(parts_dir); !synced) return synced.error();
    out.counters.read = report->packets;
    out.counters.decoded = report->frames;
    const std::int64_t missing = report->packets - out.counters.annotated;
    if (missing > 0) out.counters.dropped["decode:no_frame"] = missing;
    return out;
}

}  // namespace sl::annotate
