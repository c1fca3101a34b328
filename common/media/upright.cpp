#include <algorithm>
#include <cstring>

#include "common/media/colour.hpp"

namespace sl::media {
namespace {

constexpr int even(int n) {
    return (n + 1) & ~1;
}

struct Plane {
    std::uint8_t* data = nullptr;
    int stride = 0;
    int width = 0;
    int height = 0;
};

Plane plane(const AVFrame& frame, int index, int width, int height) {
    return {frame.data[index], frame.linesize[index], index ? (width + 1) / 2 : width,
            index ? (height + 1) / 2 : height};
}

// to(x, y) = from(origin + x·dx + y·dy), in blocks that stay in the cache.
void turn(const Plane& from, const Plane& to, int rotation, bool flip) {
    const std::ptrdiff_t s = from.stride, w = from.width, h = from.height;
    std::ptrdiff_t origin = 0, dx = 1, dy = s;
    if (rotation == 90) origin = (h - 1) * s, dx = -s, dy = 1;
    if (rotation == 180) origin = (h - 1) * s + w - 1, dx = -1, dy = -s;
    if (rotation == 270) origin = w - 1, dx = s, dy = -1;
    if (flip) origin += (to.width - 1) * dx, dx = -dx;
    constexpr int block = 32;
    for (int top = 0; top < to.height; top += block)
        for (int left = 0; left < to.width; left += block)
            for (int y = top; y < std::min(top + block, to.height); ++y) {
                const std::uint8_t* in = from.data + origin + y * dy + left * dx;
                std::uint8_t* out = to.data + std::ptrdiff_t(y) * to.stride + left;
                for (int n = std::min(block, to.width - left); n > 0; --n, in += dx) *out++ = *in;
            }
}

// H.264 cannot crop 4:2:0 to odd sides: the last column and row are repeated.
void pad_to_even(const Plane& luma) {
    const int w = luma.width, h = luma.height;
    if (w % 2)
        for (int y = 0; y < h; ++y) {
            std::uint8_t* row = luma.data + std::ptrdiff_t(y) * luma.stride;
            row[w] = row[w - 1];
        }
    if (h % 2) {
        std::uint8_t* last = luma.data + std::ptrdiff_t(h - 1) * luma.stride;
        std::memcpy(last + luma.stride, last, std::size_t(even(w)));
    }
}

void fill(const Plane& plane, int value) {
    for (int y = 0; y < plane.height; ++y)
        std::memset(plane.data + std::ptrdiff_t(y) * plane.stride, value, std::size_t(plane.width));
}

// Planes of I420 frames from one pool: a fresh 3 MB buffer a frame costs more in page faults than its copy.
class FramePool {
public:
    FramePool(int width, int height)
        : width_(width),
          height_(height),
          size_(av_image_get_buffer_size(AV_PIX_FMT_YUV420P, width, height, align)) {
        if (size_ > 0) pool_ = av_buffer_pool_init(std::size_t(size_), nullptr);
    }
    ~FramePool() { av_buffer_pool_uninit(&pool_); }
    FramePool(const FramePool&) = delete;
    FramePool& operator=(const FramePool&) = delete;

    FramePtr get() const {
        auto frame = new_frame();
        frame->format = AV_PIX_FMT_YUV420P;
        frame->width = width_;
        frame->height = height_;
        frame->buf[0] = pool_ ? av_buffer_pool_get(pool_) : nullptr;
        if (!frame->buf[0]) throw std::bad_alloc();
        av_image_fill_arrays(frame->data, frame->linesize, frame->buf[0]->data, AV_PIX_FMT_YUV420P, width_,
                             height_, align);
        return frame;
    }

private:
    static constexpr int align = 64;
    const int width_, height_, size_;
    AVBufferPool* pool_ = nullptr;
};

}  // namespace

struct Upright::State {
    const int width, height;              // canvas
    const int coded_width, coded_height;  // canvas before the turn
    const int rotation;
    const bool flip, pads;
    schema::Rational sar;
    Result<Colour> colour;
    FramePool pool{even(width), even(height)};
    FramePool turned_pool{even(coded_width), even(coded_height)};
    // The scaler of the last size and format seen.
    ScalerPtr scaler;
    int from_width = 0, from_height = 0, from_format = -1, from_full = -1;

    explicit State(const schema::StreamInfo& s)
        : width(s.width),
          height(s.height),
          coded_width(s.rotation % 180 ? s.height : s.width),
          coded_height(s.rotation % 180 ? s.width : s.height),
          rotation(s.rotation),
          flip(s.flip),
          pads(s.fit == "pad"),
          sar(s.sar),
          colour(stream_colour(s)) {}

    bool fits(const AVFrame& frame) const {
        return is_i420(frame.format) && frame.width == coded_width && frame.height == coded_height &&
               is_full(frame) == wants_full();
    }
    bool wants_full() const { return colour->range == AVCOL_RANGE_JPEG; }
    static bool is_full(const AVFrame& frame) {
        return full_range(AVPixelFormat(frame.format), frame.color_range);
    }

    // Another size or format → I420 of the coded canvas, in the top left corner when pictures are padded.
    Result<FramePtr> scale(const AVFrame& frame) {
        auto out = turned_pool.get();
        const int to_width = pads ? std::min(frame.width, coded_width) : coded_width;
        const int to_height = pads ? std::min(frame.height, coded_height) : coded_height;
        if (to_width < coded_width || to_height < coded_height)
            for (int p = 0; p < 3; ++p)
                fill(plane(*out, p, coded_width, coded_height), p ? 128 : wants_full() ? 0 : 16);
        const bool full = is_full(frame);
        if (!scaler || frame.width != from_width || frame.height != from_height ||
            frame.format != from_format || full != from_full) {
            auto opened = open_scaler(frame.width, frame.height, AVPixelFormat(frame.format), full, to_width,
                                      to_height, AV_PIX_FMT_YUV420P, wants_full(), colour->matrix);
            if (!opened) return opened.error();
            scaler = std::move(*opened);
            from_width = frame.width, from_height = frame.height, from_format = frame.format,
            from_full = full;
        }
        sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, out->data, out->linesize);
        return out;
    }
};

Upright::Upright(const schema::StreamInfo& stream) : state_(std::make_unique<State>(stream)) {}
Upright::~Upright() = default;

Result<FramePtr> Upright::convert(const AVFrame& frame) {
    State& s = *state_;
    if (!s.colour) return s.colour.error();
    if (s.width <= 0 || s.height <= 0)
        return Error{Errc::invalid_argument, "cannot turn frames upright: the stream has no picture size",
                     ""};
    FramePtr scaled;
    const AVFrame* from = &frame;
    if (!s.fits(frame)) {
        auto made = s.scale(frame);
        if (!made) return made;
        scaled = std::move(*made);
        from = scaled.get();
    }

    auto out = s.pool.get();
    for (int p = 0; p < 3; ++p) {
        const Plane in = plane(*from, p, s.coded_width, s.coded_height);
        const Plane to = plane(*out, p, s.width, s.height);
        if (s.rotation == 0 && !s.flip)
            av_image_copy_plane(to.data, to.stride, in.data, in.stride, to.width, to.height);
        else
            turn(in, to, s.rotation, s.flip);
    }
    pad_to_even(plane(*out, 0, s.width, s.height));
    out->pts = frame.pts;
    out->color_range = s.colour->range;
    out->color_primaries = s.colour->primaries;
    out->color_trc = s.colour->transfer;
    out->colorspace = s.colour->matrix;
    out->chroma_location = s.colour->chroma;
    out->sample_aspect_ratio = to_av(s.sar);
    return out;
}

}  // namespace sl::media
