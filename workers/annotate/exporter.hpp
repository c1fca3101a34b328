// Exporter: one kind of output of a stream. One file in exporters/ is one plug-in: it defines a row
// `extern const ExporterPlugin exporter_<file stem>` and hides all else.
//
// Work happens twice: per chunk (a part file, written by the chunk's home while the job runs, in any
// order) and once per stream (the join of all parts, by the final unit). Both must give the same bytes for
// the same input, whoever runs them and however often: no times, host names, job ids or map order of hashes.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/media/media.hpp"
#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::annotate {

// What is known when a chunk is rendered.
struct ChunkContext {
    const schema::JobSpec& spec;
    const schema::StreamInfo& stream;
    const schema::Row& row;
};

// One annotated frame: what a person would see at this pts.
struct AnnotatedFrame {
    const AVFrame* picture = nullptr;  // upright I420 canvas, boxes drawn; null when nobody needs pixels
    std::int64_t ordinal = 0;
    std::int64_t pts = 0;
    std::int64_t duration = 0;
    bool sampled = false;                // boxes were detected on this very frame
    std::span<const schema::Box> boxes;  // detected here, or on their way between two samples (shown.hpp)
};

// Writes one part: frames are added in order, then finish. The file is complete (and fsynced) at `path`
// after finish; the caller gave a temporary name and renames it.
class PartWriter {
public:
    virtual ~PartWriter() = default;
    virtual Result<void> add(const AnnotatedFrame& frame) = 0;
    virtual Result<void> finish() = 0;
};

struct JoinContext {
    const schema::JobSpec& spec;
    const schema::StreamInfo& stream;
    std::span<const schema::Row> rows;   // of the finished chunks, in order (a prefix when incomplete)
    std::span<const std::string> parts;  // absolute paths of this exporter's parts, in the same order
    std::span<const std::vector<schema::Alert>> alerts;  // by chunk
    std::string source_path;  // absolute path of the input, for audio; may be empty
    bool complete = true;     // false: the stream ended early
};

// One file of the result, as the manifest lists it.
struct Output {
    std::string type;  // "json" "csv" "vtt" "txt" "video" "png"
    std::string role;  // "detections" "tracks" "annotated_video" "contact_sheet"
    std::string
        path;  // file name inside the stream's folder; empty: nothing was written, meta.reason says why
    std::string
        meta;  // JSON object as text: what was done (frames, audio, padding, …); empty: nothing to say
};

struct ExporterPlugin {
    const char* name;  // "video"
    const char* help;
    const char* part_kind;  // exporters of the same kind share one part ("result" for json, csv, …)
    const char* part_ext;   // file name ending of the part
    bool needs_pixels;      // add() looks at frame.picture
    Result<std::unique_ptr<PartWriter>> (*open_part)(const ChunkContext& context, const std::string& path);
    // Writes the stream's file into out_dir (absolute, existing) under a temporary name, then renames it.
    Result<Output> (*join)(const JoinContext& context, const std::string& out_dir);
};

std::span<const ExporterPlugin* const> exporter_table();

}  // namespace sl::annotate
