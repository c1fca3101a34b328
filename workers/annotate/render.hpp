// Renders one chunk: decode, draw, and write one part for every part kind that the job's exporters need.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "workers/annotate/exporter.hpp"
#include "workers/annotate/step.hpp"

namespace sl::annotate {

struct Rendered {
    std::vector<schema::Part> parts;  // one a part kind, in the order of spec.exporters
    schema::Counters counters;        // of this chunk; alerts stay 0: the ordered step counts them
};

// The plug-ins that spec.exporters names, in that order; invalid_argument lists what there is.
Result<std::vector<const ExporterPlugin*>> chosen_exporters(const schema::JobSpec& spec);

// `packed`: the chunk's packets (media::decode_chunk). `before`: the state before the chunk, `stepped` the
// step from it (shown.hpp says what frames between the detected ones show).
//
// Parts are {parts_dir}/{stem}.{ending}, written under a temporary name, fsynced, renamed; parts_rel is the
// same folder as Part.path names it. The folder must exist: not_found means that the job was swept.
// On any failure no temporary file is left. `stop` is asked for every frame; true: Errc::canceled.
// Single-threaded; the bytes depend on the arguments alone.
Result<Rendered> render_chunk(const ChunkContext& context, std::span<const std::uint8_t> packed,
                              const schema::StreamState& before, const Stepped& stepped,
                              const std::string& parts_dir, const std::string& parts_rel,
                              const std::string& stem, const std::function<bool()>& stop);

}  // namespace sl::annotate
