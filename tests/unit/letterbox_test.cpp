// Pixels: a marked rectangle of a decoded frame is found in the tensor where the mapping says.
#include "workers/preprocess/letterbox.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "common/media/libav.hpp"
#include "workers/preprocess/geometry.hpp"

namespace sl::preprocess {
namespace {

using Rgb = std::array<std::uint8_t, 3>;

// A frame of one colour with a rectangle of another, painted in RGB and converted by swscale.
media::FramePtr painted(int width, int height, AVPixelFormat format, const Rect& mark, Rgb ground,
                        Rgb colour) {
    auto rgb = media::new_frame();
    rgb->format = AV_PIX_FMT_RGB24;
    rgb->width = width;
    rgb->height = height;
    if (av_frame_get_buffer(rgb.get(), 0) < 0) throw std::bad_alloc();
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const bool inside = x >= mark.x && x < mark.right() && y >= mark.y && y < mark.bottom();
            std::copy_n((inside ? colour : ground).data(), 3, rgb->data[0] + y * rgb->linesize[0] + 3 * x);
        }
    if (format == AV_PIX_FMT_RGB24) return rgb;
    auto out = media::new_frame();
    out->format = format;
    out->width = width;
    out->height = height;
    if (av_frame_get_buffer(out.get(), 0) < 0) throw std::bad_alloc();
    const media::ScalerPtr scaler(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, format,
                                                 media::exact_scaling | SWS_FULL_CHR_H_INP, nullptr, nullptr,
                                                 nullptr));
    sws_scale(scaler.get(), rgb->data, rgb->linesize, 0, height, out->data, out->linesize);
    return out;
}

schema::StreamInfo stream_of(int width, int height, int rotation = 0, bool flip = false) {
    schema::StreamInfo out;
    out.name = "clip";
    out.width = width;
    out.height = height;
    out.rotation = rotation;
    out.flip = flip;
    return out;
}
schema::PoolSpec pool_of(int width, int height, const std::string& letterbox,
                         const std::string& color = "bgr") {
    schema::PoolSpec out;
    out.name = "detect/tiny@1";
    out.width = width;
    out.height = height;
    out.letterbox = letterbox;
    out.color = color;
    return out;
}

struct Fed {
    std::vector<std::uint8_t> tensor;
    schema::Mapping mapping;
};
Fed feed(const AVFrame& frame, const schema::StreamInfo& stream, const schema::PoolSpec& pool,
         std::span<const schema::Operation> operations = {}) {
    auto letterbox = Letterbox::open(stream, pool, operations);
    if (!letterbox) throw std::runtime_error(letterbox.error().text());
    // Bytes of its own behind the tensor: nothing may be written there.
    Fed out{std::vector<std::uint8_t>(letterbox->tensor_bytes() + 64, 0xA5), {}};
    const auto mapping = letterbox->convert(frame, std::span(out.tensor).first(letterbox->tensor_bytes()));
    if (!mapping) throw std::runtime_error(mapping.error().text());
    for (std::size_t i = letterbox->tensor_bytes(); i < out.tensor.size(); ++i)
        EXPECT_EQ(out.tensor[i], 0xA5);
    out.mapping = *mapping;
    return out;
}

std::uint8_t pixel(const Fed& fed, const schema::PoolSpec& pool, int channel, int x, int y) {
    return fed
        .tensor[(std::size_t(channel) * std::size_t(pool.height) + std::size_t(y)) * std::size_t(pool.width) +
                std::size_t(x)];
}

// The box around all pixels of a plane over `level`.
std::optional<Rect> bright(const Fed& fed, const schema::PoolSpec& pool, int channel, int level) {
    int left = pool.width, right = -1, top = pool.height, bottom = -1;
    for (int y = 0; y < pool.height; ++y)
        for (int x = 0; x < pool.width; ++x)
            if (pixel(fed, pool, channel, x, y) > level) {
                left = std::min(left, x), right = std::max(right, x);
                top = std::min(top, y), bottom = std::max(bottom, y);
            }
    if (right < 0) return std::nullopt;
    return Rect{double(left), double(top), double(right + 1 - left), double(bottom + 1 - top)};
}

TEST(Letterbox, AMarkIsWhereTheMapSays) {
    const Rect mark{70, 31, 60, 45};  // of the decoded frame
    const std::vector<schema::Operation> crop = {
        {"crop", {{"x", 0.1}, {"y", 0.05}, {"width", 0.85}, {"height", 0.9}}}};
    for (const int rotation : {0, 90, 180, 270})
        for (const bool flip : {false, true})
            for (const char* mode : {"top_left", "center", "stretch"})
                for (const bool cropped : {false, true})
                    for (const auto& [width, height] :
                         {std::pair{321, 181}, std::pair{320, 180}, std::pair{181, 240}}) {
                        SCOPED_TRACE(testing::Message() << rotation << flip << mode << cropped << width);
                        const bool sideways = rotation % 180 != 0;
                        const auto stream =
                            stream_of(sideways ? height : width, sideways ? width : height, rotation, flip);
                        const auto pool = pool_of(200, 168, mode);
                        const auto frame =
                            painted(width, height, AV_PIX_FMT_YUV420P, mark, {0, 0, 0}, {255, 255, 255});
                        const auto fed = feed(*frame, stream, pool,
                                              cropped ? std::span(crop) : std::span<schema::Operation>());
                        const auto found = bright(fed, pool, 1, 127);
                        ASSERT_TRUE(found);
                        const auto box = schema::to_canvas(
                            fed.mapping, {float(found->x), float(found->y), float(found->width),
                                          float(found->height), 1, 0, 0});
                        ASSERT_TRUE(box);
                        const Rect want = intersect(
                            to_canvas(stream, width, height)(mark),
                            {fed.mapping.left, fed.mapping.top, fed.mapping.right - fed.mapping.left,
                             fed.mapping.bottom - fed.mapping.top});
                        // Half a model pixel at each edge.
                        EXPECT_NEAR(box->x, want.x, 0.55 * fed.mapping.xx + 0.5);
                        EXPECT_NEAR(box->y, want.y, 0.55 * fed.mapping.yy + 0.5);
                        EXPECT_NEAR(box->x + box->width, want.right(), 0.55 * fed.mapping.xx + 0.5);
                        EXPECT_NEAR(box->y + box->height, want.bottom(), 0.55 * fed.mapping.yy + 0.5);
                    }
}

TEST(Letterbox, EveryPixelFormatGivesTheSameColours) {
    const Rgb orange = {230, 120, 20};
    for (const auto format :
         {AV_PIX_FMT_RGB24, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P,
          AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_YUVA420P, AV_PIX_FMT_GBRP, AV_PIX_FMT_BGRA,
          AV_PIX_FMT_YUYV422, AV_PIX_FMT_GBRP10LE}) {
        SCOPED_TRACE(av_get_pix_fmt_name(format));
        const auto frame = painted(96, 64, format, {0, 0, 0, 0}, orange, orange);
        for (const bool cropped : {false, true}) {
            const std::vector<schema::Operation> crop = {
                {"crop", {{"x", 0.3}, {"y", 0.3}, {"width", 0.5}, {"height", 0.5}}}};
            const auto rgb = pool_of(48, 32, "stretch", "rgb"), bgr = pool_of(48, 32, "stretch", "bgr");
            const auto operations = cropped ? std::span(crop) : std::span<const schema::Operation>();
            const auto as_rgb = feed(*frame, stream_of(96, 64), rgb, operations);
            const auto as_bgr = feed(*frame, stream_of(96, 64), bgr, operations);
            for (int c = 0; c < 3; ++c)
                for (const auto& [x, y] : {std::pair{0, 0}, std::pair{47, 31}, std::pair{20, 11}}) {
                    EXPECT_NEAR(pixel(as_rgb, rgb, c, x, y), orange[std::size_t(c)], 4);
                    EXPECT_EQ(pixel(as_bgr, bgr, 2 - c, x, y), pixel(as_rgb, rgb, c, x, y));
                }
        }
    }
}

TEST(Letterbox, GreyAndPaletteAreReadToo) {
    const auto pool = pool_of(16, 16, "stretch");
    EXPECT_NEAR(pixel(feed(*painted(32, 32, AV_PIX_FMT_GRAY8, {}, {90, 90, 90}, {}), stream_of(32, 32), pool),
                      pool, 0, 8, 8),
                90, 2);

    auto frame = media::new_frame();
    frame->format = AV_PIX_FMT_PAL8;
    frame->width = frame->height = 32;
    ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
    for (int y = 0; y < 32; ++y) std::fill_n(frame->data[0] + y * frame->linesize[0], 32, std::uint8_t(5));
    reinterpret_cast<std::uint32_t*>(frame->data[1])[5] = 0xFF0A141E;  // ARGB
    const std::vector<schema::Operation> crop = {
        {"crop", {{"x", 0.25}, {"y", 0.5}, {"width", 0.5}, {"height", 0.5}}}};
    const auto fed = feed(*frame, stream_of(32, 32), pool, crop);
    EXPECT_NEAR(pixel(fed, pool, 0, 8, 8), 0x1E, 1);  // it goes by way of YUV
    EXPECT_NEAR(pixel(fed, pool, 1, 8, 8), 0x14, 1);
    EXPECT_NEAR(pixel(fed, pool, 2, 8, 8), 0x0A, 1);
}

TEST(Letterbox, RangeAndMatrixComeFromTheFrame) {
    const auto pool = pool_of(16, 16, "stretch", "rgb");
    const auto flat = [](int y, int u, int v) {
        auto frame = media::new_frame();
        frame->format = AV_PIX_FMT_YUV420P;
        frame->width = frame->height = 32;
        if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
        const int values[] = {y, u, v};
        for (int p = 0; p < 3; ++p)
            std::fill_n(frame->data[p], frame->linesize[p] * (p ? 16 : 32), std::uint8_t(values[p]));
        return frame;
    };
    auto grey = flat(235, 128, 128);
    EXPECT_EQ(pixel(feed(*grey, stream_of(32, 32), pool), pool, 0, 8, 8), 255);
    grey->color_range = AVCOL_RANGE_JPEG;
    EXPECT_EQ(pixel(feed(*grey, stream_of(32, 32), pool), pool, 0, 8, 8), 235);

    // Y=81 U=90 V=240 is pure red in BT.601; in BT.709 G = 1.164·65 − 0.213·(−38) − 0.533·112 = 24.
    auto red = flat(81, 90, 240);
    const auto as_601 = feed(*red, stream_of(32, 32), pool);
    EXPECT_NEAR(pixel(as_601, pool, 0, 8, 8), 254, 2);
    EXPECT_NEAR(pixel(as_601, pool, 1, 8, 8), 0, 2);
    red->colorspace = AVCOL_SPC_BT709;
    EXPECT_NEAR(pixel(feed(*red, stream_of(32, 32), pool), pool, 1, 8, 8), 24, 2);
}

TEST(Letterbox, ThePaddingIsUntouched) {
    // Portrait pictures of every width: swscale's vector code writes past the end of a row.
    for (int width = 33; width < 130; width += 7) {
        auto pool = pool_of(96, 96, width % 2 ? "center" : "top_left");
        pool.pad = 77;
        const auto stream = stream_of(width, 200);
        const auto fed =
            feed(*painted(width, 200, AV_PIX_FMT_YUV420P, {}, {200, 200, 200}, {}), stream, pool);
        const Placement at = place(stream, pool, {0, 0, double(width), 200}, width, 200, 2, 2);
        for (int c = 0; c < 3; ++c)
            for (int y = 0; y < 96; ++y)
                for (int x = 0; x < 96; ++x) {
                    const bool inside = x >= at.x && x < at.x + at.width && y >= at.y && y < at.y + at.height;
                    ASSERT_NEAR(pixel(fed, pool, c, x, y), inside ? 200 : 77, inside ? 2 : 0)
                        << x << "," << y;
                }
    }
}

TEST(Letterbox, FramesOfOtherSizesLandOnTheCanvas) {
    auto stream = stream_of(320, 180);
    const auto pool = pool_of(160, 160, "top_left");
    auto letterbox = Letterbox::open(stream, pool, {});
    ASSERT_TRUE(letterbox);
    std::vector<std::uint8_t> tensor(letterbox->tensor_bytes());
    const auto full = painted(320, 180, AV_PIX_FMT_YUV420P, {}, {50, 50, 50}, {});
    const auto half = painted(160, 90, AV_PIX_FMT_YUV420P, {40, 20, 80, 50}, {0, 0, 0}, {255, 255, 255});
    for (const auto& [frame, right] : {std::pair{full.get(), 320.0}, std::pair{half.get(), 320.0}}) {
        const auto mapping = letterbox->convert(*frame, tensor);
        ASSERT_TRUE(mapping) << mapping.error().text();
        EXPECT_NEAR(mapping->right, right, 1e-9);
    }
    stream.fit = "pad";
    const auto fed = feed(*half, stream, pool);
    EXPECT_NEAR(fed.mapping.right, 160, 1e-9) << "a smaller picture keeps its size";
    const auto found = bright(fed, pool, 0, 127);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->x, 40);  // 160 wide picture in a 160 wide model: its own pixels
    EXPECT_EQ(found->y, 20);
}

TEST(Letterbox, IsPureAndOnlyReads) {
    const auto frame = painted(321, 181, AV_PIX_FMT_YUV420P, {70, 31, 60, 45}, {10, 90, 30}, {200, 20, 80});
    const auto other = painted(200, 100, AV_PIX_FMT_RGB24, {}, {1, 2, 3}, {});
    const std::vector<std::uint8_t> before(frame->data[0], frame->data[0] + frame->linesize[0] * 181);
    auto letterbox = Letterbox::open(stream_of(321, 181), pool_of(128, 128, "center"), {});
    ASSERT_TRUE(letterbox);
    std::vector<std::uint8_t> first(letterbox->tensor_bytes(), 1), again(letterbox->tensor_bytes(), 2);
    const auto mapping = letterbox->convert(*frame, first);
    ASSERT_TRUE(mapping);
    ASSERT_TRUE(letterbox->convert(*other, again));
    EXPECT_NE(first, again);
    const auto same = letterbox->convert(*frame, again);
    ASSERT_TRUE(same);
    EXPECT_EQ(first, again);
    EXPECT_EQ(*mapping, *same);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), frame->data[0]));
}

TEST(Letterbox, RefusesWhatItCannotDo) {
    const auto stream = stream_of(320, 180);
    const auto refused = [&](schema::PoolSpec pool, const char* why) {
        const auto letterbox = Letterbox::open(stream, pool, {});
        ASSERT_FALSE(letterbox) << why;
        EXPECT_EQ(letterbox.error().code, Errc::invalid_argument);
        EXPECT_THAT(letterbox.error().message, testing::HasSubstr(why));
        EXPECT_THAT(letterbox.error().message, testing::HasSubstr("detect/tiny@1"));
    };
    refused(pool_of(0, 10, "center"), "0x10");
    refused(pool_of(10, 10, "middle"), "'middle'");
    refused(pool_of(10, 10, "center", "grb"), "'grb'");
    auto pool = pool_of(10, 10, "center");
    pool.pad = 300;
    refused(pool, "300");
    EXPECT_FALSE(Letterbox::open(stream_of(0, 0), pool_of(10, 10, "center"), {}));
    EXPECT_FALSE(
        Letterbox::open(stream, pool_of(10, 10, "center"), std::vector<schema::Operation>{{"spin", {}}}));

    auto letterbox = Letterbox::open(stream, pool_of(10, 10, "center"), {});
    ASSERT_TRUE(letterbox);
    std::vector<std::uint8_t> tensor(letterbox->tensor_bytes());
    const auto empty = letterbox->convert(*media::new_frame(), tensor);
    ASSERT_FALSE(empty);
    EXPECT_EQ(empty.error().code, Errc::bad_media);
}

}  // namespace
}  // namespace sl::preprocess
