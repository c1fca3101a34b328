#include "workers/preprocess/letterbox.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "common/media/colour.hpp"
#include "workers/preprocess/geometry.hpp"
#include "workers/preprocess/operation.hpp"

namespace sl::preprocess {
namespace {

// What the scaler was made for: another frame of the same kind uses it again.
struct Kind {
    AVPixelFormat format = AV_PIX_FMT_NONE;
    bool full = false;
    AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
    int src_width = 0, src_height = 0, dst_width = 0, dst_height = 0;
    bool operator==(const Kind&) const = default;
};

Error unreadable(const AVFrame& frame, const std::string& why) {
    const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(frame.format));
    return {Errc::bad_media,
            "cannot scale a frame of " + std::to_string(frame.width) + "x" + std::to_string(frame.height) +
                " " + (name ? name : "unknown pixels") + " for detection: " + why,
            "convert the video to 8-bit 4:2:0"};
}

// One plane of w × h decoded pixels, upright, into rows of `to_stride`: to(x, y) = from(origin + x·dx +
// y·dy).
void turn_plane(const std::uint8_t* from, std::ptrdiff_t stride, int w, int h, int rotation, bool flip,
                std::uint8_t* to, std::ptrdiff_t to_stride) {
    const bool sideways = rotation == 90 || rotation == 270;
    const int up_w = sideways ? h : w, up_h = sideways ? w : h;
    std::ptrdiff_t origin = 0, dx = 1, dy = stride;
    if (rotation == 90) origin = (h - 1) * stride, dx = -stride, dy = 1;
    if (rotation == 180) origin = (h - 1) * stride + w - 1, dx = -1, dy = -stride;
    if (rotation == 270) origin = w - 1, dx = stride, dy = -1;
    if (flip) origin += (up_w - 1) * dx, dx = -dx;
    for (int y = 0; y < up_h; ++y) {
        const std::uint8_t* in = from + origin + y * dy;
        std::uint8_t* out = to + y * to_stride;
        if (dx == 1)
            std::memcpy(out, in, std::size_t(up_w));
        else
            for (int x = 0; x < up_w; ++x) out[x] = in[x * dx];
    }
}

}  // namespace

struct Letterbox::State {
    schema::StreamInfo stream;
    schema::PoolSpec pool;
    Rect seen;  // canvas pixels
    Kind kind;
    media::ScalerPtr scaler;
    std::vector<std::uint8_t> planes;  // what the scaler writes: 3 × dst_height rows of `stride`
    int stride = 0;

    bool sideways() const { return stream.rotation == 90 || stream.rotation == 270; }

    Result<void> prepare(const Kind& wanted) {
        if (scaler && kind == wanted) return {};
        auto opened =
            media::open_scaler(wanted.src_width, wanted.src_height, wanted.format, wanted.full,
                               wanted.dst_width, wanted.dst_height, AV_PIX_FMT_GBRP, true, wanted.matrix);
        if (!opened) return opened.error();
        scaler = std::move(*opened);
        kind = wanted;
        // The scaler's vector code writes whole registers past the end of a row. An odd number of cache
        // lines a row, so that the columns that a turn reads do not fall on each other in the cache.
        stride = (((wanted.dst_width + 63) / 64 + 1) | 1) * 64;
        planes.resize(3 * std::size_t(stride) * std::size_t(wanted.dst_height));
        return {};
    }
};

Letterbox::Letterbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
Letterbox::~Letterbox() = default;
Letterbox::Letterbox(Letterbox&&) noexcept = default;
Letterbox& Letterbox::operator=(Letterbox&&) noexcept = default;

Result<Letterbox> Letterbox::open(const schema::StreamInfo& stream, const schema::PoolSpec& pool,
                                  std::span<const schema::Operation> operations) {
    const auto refuse = [&](const std::string& why) {
        return Error{Errc::invalid_argument, "cannot feed pool " + pool.name + ": " + why, ""};
    };
    if (pool.width < 1 || pool.height < 1 || pool.width > 8192 || pool.height > 8192)
        return refuse("its input is " + std::to_string(pool.width) + "x" + std::to_string(pool.height));
    if (pool.color != "bgr" && pool.color != "rgb")
        return refuse("unknown colour order '" + pool.color + "'");
    if (pool.letterbox != "top_left" && pool.letterbox != "center" && pool.letterbox != "stretch")
        return refuse("unknown letterbox mode '" + pool.letterbox + "'");
    if (pool.pad < 0 || pool.pad > 255)
        return refuse("pad is " + std::to_string(pool.pad) + ", not in 0..255");
    if (stream.width < 1 || stream.height < 1) return refuse("the stream " + stream.name + " has no size");
    if (auto fine = check_operations(operations); !fine) return fine.error();
    auto state = std::make_unique<State>();
    state->stream = stream;
    state->pool = pool;
    state->seen = seen_part(operations, {0, 0, double(stream.width), double(stream.height)});
    return Letterbox(std::move(state));
}

std::size_t Letterbox::tensor_bytes() const {
    return 3 * std::size_t(state_->pool.height) * std::size_t(state_->pool.width);
}

Result<schema::Mapping> Letterbox::convert(const AVFrame& frame, std::span<std::uint8_t> tensor) {
    State& s = *state_;
    if (tensor.size() != tensor_bytes())
        return Error{Errc::internal, "letterbox got a tensor of " + std::to_string(tensor.size()) + " bytes",
                     ""};
    const auto format = static_cast<AVPixelFormat>(frame.format);
    const AVPixFmtDescriptor* layout = av_pix_fmt_desc_get(format);
    if (!layout || !frame.data[0] || frame.width < 1 || frame.height < 1 || !sws_isSupportedInput(format))
        return unreadable(frame, "no pixels of a known kind");

    const Placement at = place(s.stream, s.pool, s.seen, frame.width, frame.height,
                               1 << layout->log2_chroma_w, 1 << layout->log2_chroma_h);
    if (at.width != s.pool.width || at.height != s.pool.height)
        std::memset(tensor.data(), s.pool.pad, tensor.size());
    if (at.src_width == 0) return at.mapping;  // the crop lies outside of this smaller picture

    // A view of the part that is seen; shares the pixels.
    const media::FramePtr part = media::share(frame);
    part->crop_left = std::size_t(at.src_x);
    part->crop_top = std::size_t(at.src_y);
    part->crop_right = std::size_t(frame.width - at.src_x - at.src_width);
    part->crop_bottom = std::size_t(frame.height - at.src_y - at.src_height);
    if (av_frame_apply_cropping(part.get(), AV_FRAME_CROP_UNALIGNED) < 0)
        return unreadable(frame, "it cannot be cropped");

    const int dst_width = s.sideways() ? at.height : at.width,
              dst_height = s.sideways() ? at.width : at.height;
    auto ready = s.prepare({format, media::full_range(format, frame.color_range), frame.colorspace,
                            at.src_width, at.src_height, dst_width, dst_height});
    if (!ready) return ready.error();
    const std::size_t plane = std::size_t(s.stride) * std::size_t(dst_height);
    std::uint8_t* const scaled[4] = {s.planes.data(), s.planes.data() + plane, s.planes.data() + 2 * plane,
                                     nullptr};
    const int strides[4] = {s.stride, s.stride, s.stride, 0};
    if (sws_scale(s.scaler.get(), part->data, part->linesize, 0, at.src_height, scaled, strides) !=
        dst_height)
        return unreadable(frame, "swscale failed");

    // GBRP: plane 0 is green, 1 blue, 2 red.
    const std::array<int, 3> order = s.pool.color == "bgr" ? std::array{1, 0, 2} : std::array{2, 0, 1};
    const std::size_t model_plane = std::size_t(s.pool.width) * std::size_t(s.pool.height);
    for (std::size_t c = 0; c < 3; ++c)
        turn_plane(scaled[order[c]], s.stride, dst_width, dst_height, s.stream.rotation, s.stream.flip,
                   tensor.data() + c * model_plane + std::size_t(at.y) * std::size_t(s.pool.width) +
                       std::size_t(at.x),
                   s.pool.width);
    return at.mapping;
}

}  // namespace sl::preprocess
