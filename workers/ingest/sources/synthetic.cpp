// Source "synthetic": moving rectangles from a text file that ends in .synthetic, for tests and benchmarks.
// Lines `key: value` of width, height (even, 16 to 4096), fps, frames, seed; '#' begins a comment. The same
// text makes the same frames everywhere.
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "common/files.hpp"
#include "common/media/lossless.hpp"
#include "workers/ingest/source.hpp"

namespace sl::ingest {
namespace {

struct Recipe {
    std::int64_t width = 320, height = 240, fps = 25, frames = 100, seed = 1;
};

struct Key {
    const char* name;
    std::int64_t Recipe::*value;
    std::int64_t least, most, step;
};
constexpr Key keys[] = {{"width", &Recipe::width, 16, 4096, 2},
                        {"height", &Recipe::height, 16, 4096, 2},
                        {"fps", &Recipe::fps, 1, 240, 1},
                        {"frames", &Recipe::frames, 1, 1'000'000, 1},
                        {"seed", &Recipe::seed, 0, 1'000'000'000, 1}};

std::string trimmed(const std::string& text) {
    const auto from = text.find_first_not_of(" \t\r");
    if (from == std::string::npos) return "";
    return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

Result<Recipe> parse(const std::string& path, const std::string& text) {
    Recipe recipe;
    std::istringstream lines(text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        const auto colon = line.find(':');
        const std::string name = trimmed(line.substr(0, colon));
        const std::string value = colon == std::string::npos ? "" : trimmed(line.substr(colon + 1));
        bool taken = false;
        for (const auto& key : keys) {
            if (name != key.name) continue;
            std::int64_t n = 0;
            const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), n);
            if (ec != std::errc() || end != value.data() + value.size() || n < key.least || n > key.most ||
                n % key.step)
                return Error{Errc::bad_media,
                             "cannot read " + path + ": line " + std::to_string(number) + ": " + name +
                                 " must be a number from " + std::to_string(key.least) + " to " +
                                 std::to_string(key.most) + (key.step == 2 ? ", even" : ""),
                             ""};
            recipe.*key.value = n;
            taken = true;
        }
        if (!taken)
            return Error{
                Errc::bad_media,
                "cannot read " + path + ": line " + std::to_string(number) + ": '" + name + "' is no key",
                "keys are width, height, fps, frames, seed"};
    }
    return recipe;
}

// A small generator of its own: the standard's distributions differ between libraries.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
    int below(int n) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return int((state_ >> 33) % std::uint64_t(n));
    }

private:
    std::uint64_t state_;
};

struct Rectangle {
    int x, y, width, height, dx, dy, luma, cb, cr;
};

// Where something that goes to and fro between 0 and `room` is at time n.
int bounce(int start, int step, std::int64_t n, int room) {
    if (room <= 0) return 0;
    const std::int64_t period = 2 * std::int64_t(room);
    const std::int64_t at = ((start + step * n) % period + period) % period;
    return int(at <= room ? at : period - at);
}

class Scene {
public:
    explicit Scene(const Recipe& recipe) : width_(int(recipe.width)), height_(int(recipe.height)) {
        Random random(std::uint64_t(recipe.seed));
        for (auto& r : rectangles_) {
            r.width = width_ / 8 + random.below(width_ / 8);
            r.height = height_ / 8 + random.below(height_ / 8);
            r.x = random.below(width_);
            r.y = random.below(height_);
            r.dx = 1 + random.below(5);
            r.dy = 1 + random.below(5);
            r.luma = 64 + random.below(160);
            r.cb = 64 + random.below(128);
            r.cr = 64 + random.below(128);
        }
    }

    void draw(AVFrame& frame, std::int64_t n) const {
        for (int p = 0; p < 3; ++p)
            for (int y = 0; y < (p ? height_ / 2 : height_); ++y)
                std::memset(frame.data[p] + std::ptrdiff_t(y) * frame.linesize[p], p ? 128 : 32,
                            std::size_t(p ? width_ / 2 : width_));
        for (const auto& r : rectangles_) {
            const int x = bounce(r.x, r.dx, n, width_ - r.width),
                      y = bounce(r.y, r.dy, n, height_ - r.height);
            fill(frame, 0, x, y, r.width, r.height, r.luma);
            fill(frame, 1, x / 2, y / 2, r.width / 2, r.height / 2, r.cb);
            fill(frame, 2, x / 2, y / 2, r.width / 2, r.height / 2, r.cr);
        }
    }

private:
    static void fill(AVFrame& frame, int plane, int x, int y, int width, int height, int value) {
        for (int row = y; row < y + height; ++row)
            std::memset(frame.data[plane] + std::ptrdiff_t(row) * frame.linesize[plane] + x, value,
                        std::size_t(width));
    }

    const int width_, height_;
    std::array<Rectangle, 5> rectangles_{};
};

class SyntheticSource final : public Source {
public:
    explicit SyntheticSource(Located at) : at_(std::move(at)) {}

    Result<media::Scan> scan(const media::ScanOptions& options) override {
        const auto text = files::read(at_.path);
        if (!text) return text.error();
        const auto recipe = parse(at_.path, *text);
        if (!recipe) return recipe.error();
        media::Scan scan;
        auto& stream = scan.stream;
        stream.source = "synthetic";
        stream.time_base = {1, std::int32_t(recipe->fps)};
        stream.frame_rate = {std::int32_t(recipe->fps), 1};
        stream.width = std::int32_t(recipe->width);
        stream.height = std::int32_t(recipe->height);
        stream.video_codec = "synthetic";
        stream.recut_reason = "synthetic frames are drawn by the scan";
        stream.recut.path = options.recut_path;

        auto writer = media::LosslessWriter::create(stream.time_base, options);
        if (!writer) return writer.error();
        auto frame = media::new_frame();
        frame->format = AV_PIX_FMT_YUV420P;
        frame->width = stream.width;
        frame->height = stream.height;
        if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
        const Scene scene(*recipe);
        for (std::int64_t n = 0; n < recipe->frames; ++n) {
            if (options.stop && options.stop())
                return Error{Errc::canceled, "canceled while drawing " + at_.path, ""};
            if (av_frame_make_writable(frame.get()) < 0) throw std::bad_alloc();
            scene.draw(*frame, n);
            if (auto added = (*writer)->add(*frame, n, 1); !added) return added.error();
            if (n % 64 == 0 && options.progress) options.progress(n);
        }
        auto rows = (*writer)->finish();
        if (!rows) return rows.error();
        stream.codec = media::pack_codec(*parameters(stream));
        stream.frames = rows->frames;
        stream.end_pts = recipe->frames;
        scan.rows = std::move(rows->rows);
        return scan;
    }

    Result<schema::Bytes> chunk(const schema::StreamInfo& stream, const schema::Row& row,
                                const std::string& recut_path) override {
        if (!cutter_) {
            auto opened = media::Cutter::open(recut_path, stream);
            if (!opened) return opened.error();
            cutter_ = std::move(*opened);
        }
        return cutter_->cut(row);
    }

private:
    static media::CodecParametersPtr parameters(const schema::StreamInfo& stream) {
        auto codec = media::new_parameters();
        codec->codec_type = AVMEDIA_TYPE_VIDEO;
        codec->codec_id = AV_CODEC_ID_H264;
        codec->format = AV_PIX_FMT_YUV420P;
        codec->width = stream.width;
        codec->height = stream.height;
        return codec;
    }

    const Located at_;
    std::unique_ptr<media::Cutter> cutter_;
};

int claims(const std::string& path) {
    return path.ends_with(".synthetic") && std::filesystem::is_regular_file(path) ? 10 : 0;
}

Result<std::unique_ptr<Source>> open(const Located& at) {
    return std::unique_ptr<Source>(new SyntheticSource(at));
}

}  // namespace

extern const SourcePlugin source_synthetic;
const SourcePlugin source_synthetic{"synthetic", "moving rectangles, described by a .synthetic text file",
                                    claims, open};

}  // namespace sl::ingest
