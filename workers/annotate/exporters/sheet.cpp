// sheet: sheet.png, twelve annotated frames spread evenly over the stream, each with its time (or, of an
// images stream, its file name). Which frames is known from the scan, so a chunk keeps only those.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/files.hpp"
#include "common/image/picture.hpp"
#include "schema/codec.hpp"
#include "workers/annotate/exporter.hpp"
#include "workers/annotate/out_file.hpp"
#include "workers/annotate/result.hpp"
#include "workers/annotate/timeline.hpp"

extern "C" {
#include <libavutil/frame.h>
}

namespace sl::annotate {

struct Thumb {
    std::int64_t frame = 0;
    std::int64_t pts = 0;
    std::int32_t width = 0, height = 0;
    schema::Bytes pixels;  // I420, no padding
    MSGPACK_DEFINE_MAP(frame, pts, width, height, pixels)
};
struct Thumbs {
    std::vector<Thumb> thumbs;
    MSGPACK_DEFINE_MAP(thumbs)
};

namespace {
constexpr int max_thumbs = 12, columns = 4, max_side = 320, gap = 8;
constexpr image::Color paper{24, 128, 128};

// The frames of the sheet, by ordinal: the middles of twelve equal spans. The first is moved into the first
// chunk if need be, so that a stream that ends early has a picture too.
std::vector<std::int64_t> wanted_frames(const ChunkContext& context) {
    const std::int64_t total = std::max<std::int64_t>(context.stream.frames, 1);
    const std::int64_t count = std::min<std::int64_t>(total, max_thumbs);
    const std::int64_t first = context.row.first_frame, end = first + context.row.frames;
    std::vector<std::int64_t> wanted;
    for (std::int64_t k = 0; k < count; ++k) {
        std::int64_t frame = (2 * k + 1) * total / (2 * count);
        if (k == 0 && first == 0) frame = std::min(frame, end - 1);
        if (k == 0 && first > 0 && frame >= first) continue;  // the first chunk has it
        if (frame >= first && frame < end) wanted.push_back(frame);
    }
    return wanted;
}

// Even sides, at most 320, in the shape that the picture has on a screen.
std::pair<int, int> thumb_size(const schema::StreamInfo& stream, const AVFrame& picture) {
    const double sar = stream.sar.num > 0 && stream.sar.den > 0 ? double(stream.sar.num) / stream.sar.den : 1;
    const double width = picture.width * sar, height = picture.height;
    const double scale = std::min(1.0, max_side / std::max(width, height));
    const auto even = [&](double side) {
        return std::clamp(int(std::lround(side * scale / 2)) * 2, 2, max_side);
    };
    return {even(width), even(height)};
}

schema::Bytes pixels_of(const AVFrame& frame) {
    schema::Bytes out;
    for (int p = 0; p < 3; ++p) {
        const int shift = p > 0;
        for (int y = 0; y < frame.height >> shift; ++y) {
            const std::uint8_t* row = frame.data[p] + std::ptrdiff_t(y) * frame.linesize[p];
            out.insert(out.end(), row, row + (frame.width >> shift));
        }
    }
    return out;
}

class ThumbWriter final : public PartWriter {
public:
    ThumbWriter(const ChunkContext& context, std::string path)
        : stream_(context.stream), path_(std::move(path)), wanted_(wanted_frames(context)) {}

    // A wanted frame that could not be decoded is replaced by the next one of the chunk.
    Result<void> add(const AnnotatedFrame& frame) override {
        if (next_ == wanted_.size() || frame.ordinal < wanted_[next_]) return {};
        while (next_ < wanted_.size() && wanted_[next_] <= frame.ordinal) ++next_;
        const auto [width, height] = thumb_size(stream_, *frame.picture);
        const auto small = image::scaled(*frame.picture, width, height);
        if (!small) return small.error();
        part_.thumbs.push_back({frame.ordinal, frame.pts, width, height, pixels_of(**small)});
        return {};
    }
    Result<void> finish() override {
        const schema::Bytes bytes = schema::encode(part_);
        return files::write_durably(path_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }

private:
    const schema::StreamInfo& stream_;
    const std::string path_;
    const std::vector<std::int64_t> wanted_;
    std::size_t next_ = 0;
    Thumbs part_;
};

Result<std::unique_ptr<PartWriter>> open_part(const ChunkContext& context, const std::string& path) {
    return std::unique_ptr<PartWriter>(std::make_unique<ThumbWriter>(context, path));
}

Result<std::vector<Thumb>> read_thumbs(const JoinContext& context) {
    std::vector<Thumb> all;
    for (const std::string& path : context.parts) {
        const auto text = files::read(path);
        if (!text) return text.error();
        auto part = schema::decode<Thumbs>(
            {reinterpret_cast<const std::uint8_t*>(text->data()), text->size()}, "thumb part " + path);
        if (!part) return part.error();
        for (Thumb& t : part->thumbs) {
            const bool sound = t.width >= 2 && t.height >= 2 && t.width <= max_side && t.height <= max_side &&
                               (t.width | t.height) % 2 == 0 &&
                               t.pixels.size() == std::size_t(t.width) * std::size_t(t.height) * 3 / 2;
            if (!sound)
                return Error{Errc::bad_message, "cannot read thumb part " + path + ": sizes do not fit", ""};
            all.push_back(std::move(t));
        }
    }
    return all;
}

// Borrows the thumb's pixels.
media::FramePtr view(Thumb& thumb) {
    media::FramePtr frame(av_frame_alloc());
    frame->width = thumb.width;
    frame->height = thumb.height;
    const std::ptrdiff_t luma = std::ptrdiff_t(thumb.width) * thumb.height;
    for (int p = 0; p < 3; ++p) frame->linesize[p] = p == 0 ? thumb.width : thumb.width / 2;
    frame->data[0] = thumb.pixels.data();
    frame->data[1] = frame->data[0] + luma;
    frame->data[2] = frame->data[1] + luma / 4;
    return frame;
}

std::string caption(const JoinContext& context, const Thumb& thumb) {
    const std::string name = picture_name(context.stream, thumb.frame);
    return name.empty() ? clock_text(microseconds(context.stream, thumb.pts)) : name;
}

// Takes characters off the end until the text fits.
std::string fitted(const image::Font& font, std::string text, int width) {
    while (font.width(text) > width) {
        while (text.size() > 1 && (text.back() & 0xc0) == 0x80) text.pop_back();
        text.pop_back();
    }
    return text;
}

Result<media::FramePtr> lay_out(const JoinContext& context, std::vector<Thumb>& thumbs) {
    const image::Font& font = image::font_for(0);
    int cell_width = 0, cell_height = 0;
    for (const Thumb& t : thumbs) {
        cell_width = std::max(cell_width, t.width);
        cell_height = std::max(cell_height, t.height);
    }
    cell_width = std::max(cell_width, (font.width("00:00:00.000") + 1) & ~1);
    const int line = (font.height() + 6) & ~1;
    const int count = int(thumbs.size()), across = std::min(count, columns),
              down = (count + across - 1) / across;
    auto sheet =
        image::blank(gap + across * (cell_width + gap), gap + down * (cell_height + line + gap), paper);
    if (!sheet) return sheet.error();
    for (int i = 0; i < count; ++i) {
        Thumb& t = thumbs[std::size_t(i)];
        const int x = gap + i % across * (cell_width + gap),
                  y = gap + i / across * (cell_height + line + gap);
        image::paste(**sheet, x, y, *view(t));
        image::draw_text(**sheet, x, y + t.height + 3, font, fitted(font, caption(context, t), cell_width),
                         220);
    }
    return sheet;
}

Result<Output> join(const JoinContext& context, const std::string& out_dir) {
    auto thumbs = read_thumbs(context);
    if (!thumbs) return thumbs.error();
    if (thumbs->empty())
        return Output{"png", "contact_sheet", "", R"({"reason":"no frame could be decoded"})"};
    const auto sheet = lay_out(context, *thumbs);
    if (!sheet) return sheet.error();
    const std::string path = out_dir + "/sheet.png";
    const auto done = settle(path, media::write_png(**sheet, path + ".tmp"));
    if (!done) return done.error();
    nlohmann::ordered_json frames = nlohmann::ordered_json::array();
    for (const Thumb& t : *thumbs) frames.push_back(t.frame);
    return Output{
        "png", "contact_sheet", "sheet.png",
        nlohmann::ordered_json{{"width", (*sheet)->width}, {"height", (*sheet)->height}, {"frames", frames}}
            .dump()};
}

}  // namespace

extern const ExporterPlugin exporter_sheet{
    "sheet", "contact sheet: twelve annotated frames in one PNG", "thumb", "thumb.msgpack", true, &open_part,
    &join};

}  // namespace sl::annotate
