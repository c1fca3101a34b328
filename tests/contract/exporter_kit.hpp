// Streams made by hand, and what every exporter test does with them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>

#include "common/files.hpp"
#include "common/image/picture.hpp"
#include "common/media/carry.hpp"
#include "workers/annotate/exporter.hpp"

namespace sl::annotate::kit {
namespace fs = std::filesystem;

// A folder of its own for each test, removed behind it.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "sightline-test-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    Folder(const Folder&) = delete;
    ~Folder() { fs::remove_all(path_); }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    std::string make(const std::string& name) const {
        fs::create_directories(*this / name);
        return *this / name;
    }

private:
    std::string path_;
};

inline std::map<std::string, std::string> files_in(const std::string& dir) {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(dir))
        if (entry.is_regular_file())
            out[fs::relative(entry.path(), dir).string()] = *files::read(entry.path().string());
    return out;
}

// A stream of `frames` grey pictures at 10 fps, every second one detected, cut into chunks of given lengths.
struct Made {
    schema::JobSpec spec;
    schema::StreamInfo stream;
    std::vector<schema::Row> rows;
    std::vector<std::vector<schema::Alert>> alerts;  // by chunk
};

inline Made make_stream(int width, int height, const std::vector<int>& chunks) {
    Made m;
    m.spec.job = "01JOB";
    m.spec.sample_fps = 5;
    m.spec.video_preset = "ultrafast";
    schema::PoolSpec pool;
    pool.name = "detect/test@1";
    pool.classes = {"person", "car, \"blue\"", "Größe <&>"};
    m.spec.pools = {pool};
    m.stream.name = "клип 監視 \"1\".mp4";
    m.stream.source = "file";
    m.stream.time_base = {1, 1000};
    m.stream.frame_rate = {10, 1};
    m.stream.start_pts = 500;
    m.stream.width = width;
    m.stream.height = height;
    const media::CodecParametersPtr codec(avcodec_parameters_alloc());
    codec->codec_type = AVMEDIA_TYPE_VIDEO;
    codec->codec_id = AV_CODEC_ID_H264;
    codec->width = width;
    codec->height = height;
    m.stream.codec = media::pack_codec(*codec);
    std::int64_t frame = 0;
    for (const int frames : chunks) {
        schema::Row row;
        row.seq = std::int64_t(m.rows.size());
        row.first_frame = frame;
        row.frames = frames;
        row.pts = m.stream.start_pts + frame * 100;
        row.end_pts = row.pts + frames * 100;
        m.rows.push_back(row);
        m.alerts.emplace_back();
        frame += frames;
    }
    m.stream.frames = frame;
    m.stream.end_pts = m.stream.start_pts + frame * 100;
    if (!m.alerts.empty()) {
        schema::Alert alert;
        alert.alert = "01JOB-0123456789abcdef";
        alert.job = "01JOB";
        alert.rule = "somebody";
        alert.class_name = "person";
        alert.box = {1, 1, 2, 2, 0.5f, 0, 0};
        m.alerts.front().push_back(alert);
    }
    return m;
}

// Frame 4k shows two boxes, the first of them track 3, frame 4k + 2 none; odd frames were not looked at.
inline std::vector<schema::Box> boxes_of(const Made& m, std::int64_t frame) {
    if (frame % 4 != 0) return {};
    const auto w = float(m.stream.width), h = float(m.stream.height), at = float(frame);
    return {{w / 4 + at / 3, h / 4, w / 2, h / 2, 0.875f, 0, 0, 3},
            {0, at, w / 3, h / 3, 0.123456f, frame / 4 % 2 == 0 ? 1 : 0, 0}};
}

using Skip = std::function<bool(std::int64_t frame)>;

// One part of a chunk; frames that `skip` names were lost by the decoder.
inline Result<void> write_part(const ExporterPlugin& exporter, const Made& m, const schema::Row& row,
                               const std::string& path, const Skip& skip = {}) {
    const ChunkContext context{m.spec, m.stream, row};
    auto writer = exporter.open_part(context, path);
    if (!writer) return writer.error();
    for (std::int64_t f = row.first_frame; f < row.first_frame + row.frames; ++f) {
        if (skip && skip(f)) continue;
        const auto picture =
            image::blank(m.stream.width + m.stream.width % 2, m.stream.height + m.stream.height % 2,
                         {std::uint8_t(40 + f * 7 % 150), 128, 128});
        if (!picture) return picture.error();
        const auto boxes = boxes_of(m, f);
        const AnnotatedFrame frame{picture->get(), f, m.stream.start_pts + f * 100, 100, f % 2 == 0, boxes};
        if (auto added = (*writer)->add(frame); !added) return added;
    }
    return (*writer)->finish();
}

// The first `chunks` parts in `dir`/parts (all by default), then their join in `dir`/out.
inline Result<Output> run(const ExporterPlugin& exporter, const Made& m, const std::string& dir,
                          std::size_t chunks = SIZE_MAX, const Skip& skip = {}) {
    fs::create_directories(dir + "/parts");
    fs::create_directories(dir + "/out");
    const std::size_t count = std::min(chunks, m.rows.size());
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < count; ++i) {
        parts.push_back(dir + "/parts/" + std::to_string(i) + "." + exporter.part_ext);
        if (auto written = write_part(exporter, m, m.rows[i], parts.back(), skip); !written)
            return written.error();
    }
    const JoinContext context{m.spec,
                              m.stream,
                              std::span(m.rows).first(count),
                              parts,
                              std::span(m.alerts).first(count),
                              "",
                              count == m.rows.size()};
    return exporter.join(context, dir + "/out");
}

inline const ExporterPlugin& exporter_named(const std::string& name) {
    for (const ExporterPlugin* plugin : exporter_table())
        if (name == plugin->name) return *plugin;
    throw std::runtime_error("no exporter " + name);
}

// Passes when Debian's python3-jsonschema accepts the file under schema/json/{schema}.
inline void expect_valid(const std::string& schema, const std::string& file) {
    const char* source = std::getenv("SIGHTLINE_SOURCE_DIR");
    ASSERT_NE(source, nullptr) << "SIGHTLINE_SOURCE_DIR is not set";
    if (std::system("/usr/bin/python3 -c 'import jsonschema' 2>/dev/null") != 0)
        GTEST_SKIP() << "python3-jsonschema is not installed";
    const std::string command =
        "/usr/bin/python3 -c 'import json,sys,jsonschema\n"
        "s=json.load(open(sys.argv[1]))\n"
        "jsonschema.Draft202012Validator.check_schema(s)\n"
        "jsonschema.Draft202012Validator(s).validate(json.load(open(sys.argv[2])))' '" +
        std::string(source) + "/schema/json/" + schema + "' '" + file + "' >&2";
    EXPECT_EQ(std::system(command.c_str()), 0) << file;
}

}  // namespace sl::annotate::kit
