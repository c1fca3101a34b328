// Pixels: turned, converted, padded and fitted as ffmpeg does it, and the same every time.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "common/files.hpp"
#include "common/media/carry.hpp"
#include "common/media/orientation.hpp"
#include "tests/support/clips.hpp"

extern "C" {
#include <libavutil/display.h>
}

namespace sl::media {
namespace {

schema::StreamInfo stream_of(const std::string& name) {
    std::string why;
    ScanOptions options;
    options.min_chunk_s = 1;
    auto scan = scan_file(test::path(test::clip(name), why), options);
    if (!scan) throw std::runtime_error(scan.error().text());
    return scan->stream;
}

FramePtr first_frame(const std::string& name) {
    std::string why;
    FramePtr first;
    test::decode_sequentially(test::path(test::clip(name), why), [&](const AVFrame& frame) {
        if (!first) first = share(frame);
    });
    return first;
}

// The visible I420 planes of a canvas.
std::string planes(const AVFrame& frame, int width, int height) {
    std::string out;
    for (int p = 0; p < 3; ++p)
        for (int y = 0; y < (p ? (height + 1) / 2 : height); ++y)
            out.append(reinterpret_cast<const char*>(frame.data[p]) + std::ptrdiff_t(y) * frame.linesize[p],
                       std::size_t(p ? (width + 1) / 2 : width));
    return out;
}

class Turned : public testing::TestWithParam<const char*> {};

TEST_P(Turned, LooksAsFfmpegShowsIt) {
    const auto stream = stream_of(GetParam());
    const auto frame = first_frame(GetParam());
    Upright upright(stream);
    const auto turned = upright.convert(*frame);
    ASSERT_TRUE(turned) << turned.error().text();
    const std::string raw = test::scratch() + "/" + GetParam() + ".yuv";
    std::string why;
    ASSERT_EQ(
        test::shell("ffmpeg -loglevel error -nostdin -y -i '" + test::path(test::clip(GetParam()), why) +
                    "' -frames:v 1 -f rawvideo -pix_fmt yuv420p " + raw),
        0);
    EXPECT_EQ(planes(**turned, stream.width, stream.height), *files::read(raw));
}
INSTANTIATE_TEST_SUITE_P(Upright, Turned,
                         testing::Values("plain.mp4", "turned_90.mp4", "turned_180.mp4", "turned_270.mp4",
                                         "odd.webm"));

TEST(Upright, OddSidesAreRepeated) {
    const auto stream = stream_of("odd.webm");
    ASSERT_EQ(stream.width, 161);
    ASSERT_EQ(stream.height, 121);
    Upright upright(stream);
    const auto out = upright.convert(*first_frame("odd.webm"));
    ASSERT_TRUE(out);
    const AVFrame& f = **out;
    EXPECT_EQ(f.width, 162);
    EXPECT_EQ(f.height, 122);
    for (int y = 0; y < 121; ++y)
        EXPECT_EQ(f.data[0][y * f.linesize[0] + 161], f.data[0][y * f.linesize[0] + 160]);
    for (int x = 0; x < 162; ++x)
        EXPECT_EQ(f.data[0][121 * f.linesize[0] + x], f.data[0][120 * f.linesize[0] + x]);
}

TEST(Upright, CanvasIsTurnedWithThePicture) {
    EXPECT_EQ(stream_of("turned_90.mp4").width, 144);
    EXPECT_EQ(stream_of("turned_90.mp4").height, 192);
    EXPECT_EQ(stream_of("turned_180.mp4").width, 192);
    const auto odd = stream_of("turned_270_odd.mp4");
    EXPECT_EQ(odd.width, 120);
    EXPECT_EQ(odd.height, 161);
    Upright upright(odd);
    const auto out = upright.convert(*first_frame("turned_270_odd.mp4"));
    ASSERT_TRUE(out) << out.error().text();
    EXPECT_EQ((*out)->height, 162);
}

TEST(Upright, OutputIsI420WhateverWentIn) {
    for (const auto* name :
         {"ten_bit.mp4", "wide_chroma.mp4", "odd_444.mp4", "palette.gif", "full_range.mp4", "ntsc.avi"}) {
        const auto stream = stream_of(name);
        const auto frame = first_frame(name);
        Upright one(stream), two(stream);
        const auto a = one.convert(*frame);
        const auto b = two.convert(*frame);
        ASSERT_TRUE(a && b) << name;
        EXPECT_EQ((*a)->format, AV_PIX_FMT_YUV420P) << name;
        EXPECT_EQ(planes(**a, stream.width, stream.height), planes(**b, stream.width, stream.height)) << name;
    }
    EXPECT_EQ((*Upright(stream_of("full_range.mp4")).convert(*first_frame("full_range.mp4")))->color_range,
              AVCOL_RANGE_JPEG);
    EXPECT_EQ((*Upright(stream_of("ntsc.avi")).convert(*first_frame("ntsc.avi")))->color_range,
              AVCOL_RANGE_JPEG);
}

TEST(Upright, TenBitsKeepTheirLevels) {
    const auto ten = first_frame("ten_bit.mp4");
    const auto out = Upright(stream_of("ten_bit.mp4")).convert(*ten);
    ASSERT_TRUE(out);
    for (int y = 0; y < ten->height; y += 7)
        for (int x = 0; x < ten->width; x += 5) {
            const int deep = reinterpret_cast<const std::uint16_t*>(ten->data[0] +
                                                                    std::ptrdiff_t(y) * ten->linesize[0])[x];
            ASSERT_NEAR((*out)->data[0][y * (*out)->linesize[0] + x], deep / 4.0, 1.01);
        }
}

TEST(Upright, OtherSizesAreScaledOrPadded) {
    auto stream = stream_of("plain.mp4");
    const auto frame = first_frame("plain.mp4");
    stream.width = 96;
    stream.height = 72;
    const auto scaled = Upright(stream).convert(*frame);
    ASSERT_TRUE(scaled);
    EXPECT_EQ((*scaled)->width, 96);
    stream.width = 256;
    stream.height = 200;
    stream.fit = "pad";
    const auto padded = Upright(stream).convert(*frame);
    ASSERT_TRUE(padded);
    EXPECT_EQ(planes(**padded, 1, 1).size(), 3u);
    const AVFrame& p = **padded;
    for (int y = 0; y < 144; ++y)
        ASSERT_EQ(0, std::memcmp(p.data[0] + y * p.linesize[0], frame->data[0] + y * frame->linesize[0], 192))
            << y;
    EXPECT_EQ(p.data[0][10 * p.linesize[0] + 200], 16);
    EXPECT_EQ(p.data[0][199 * p.linesize[0] + 255], 16);
    EXPECT_EQ(p.data[1][99 * p.linesize[1] + 127], 128);
}

TEST(Orientation, ReadsEveryQuarterTurnAndMirror) {
    for (const bool flip : {false, true})
        for (const int turn : {0, 90, 180, 270}) {
            std::int32_t matrix[9];
            av_display_rotation_set(matrix, turn);  // libav counts the other way round, but writes clockwise
            if (flip) av_display_matrix_flip(matrix, 1, 0);
            const auto found = orientation(matrix);
            EXPECT_EQ(found.flip, flip) << turn;
            if (!flip) {
                EXPECT_EQ(found.rotation, (360 - int(std::lround(av_display_rotation_get(matrix)))) % 360)
                    << turn;
            }
        }
    const std::int32_t nothing[9] = {};
    EXPECT_EQ(orientation(nothing).rotation, 0);
}

TEST(Orientation, TurnsPixelsWhereTheMatrixPutsThem) {
    // One bright pixel, followed through the matrix and through Upright.
    for (const bool flip : {false, true})
        for (const int turn : {0, 90, 180, 270}) {
            std::int32_t m[9];
            av_display_rotation_set(m, turn);
            if (flip) av_display_matrix_flip(m, 1, 0);
            const auto way = orientation(m);
            auto stream = stream_of("plain.mp4");
            stream.rotation = way.rotation;
            stream.flip = way.flip;
            constexpr int w = 64, h = 48, x = 10, y = 5;
            stream.width = way.rotation % 180 ? h : w;
            stream.height = way.rotation % 180 ? w : h;
            auto frame = new_frame();
            frame->format = AV_PIX_FMT_YUV420P;
            frame->width = w;
            frame->height = h;
            ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
            for (int p = 0; p < 3; ++p)
                for (int row = 0; row < (p ? h / 2 : h); ++row)
                    std::memset(frame->data[p] + row * frame->linesize[p], 50, std::size_t(p ? w / 2 : w));
            frame->data[0][y * frame->linesize[0] + x] = 200;
            const auto out = Upright(stream).convert(*frame);
            ASSERT_TRUE(out) << out.error().text();
            // Pixel centres through the 2×2 part, then moved so that the picture begins at 0.
            const auto sign = [](std::int32_t v) { return v > 0 ? 1 : v < 0 ? -1 : 0; };
            const int a = sign(m[0]), b = sign(m[1]), c = sign(m[3]), d = sign(m[4]);
            int to_x = a * x + c * y, to_y = b * x + d * y;
            if (a < 0) to_x += w - 1;
            if (c < 0) to_x += h - 1;
            if (b < 0) to_y += w - 1;
            if (d < 0) to_y += h - 1;
            EXPECT_EQ((*out)->data[0][to_y * (*out)->linesize[0] + to_x], 200)
                << turn << (flip ? " mirrored" : "");
        }
}

TEST(Png, IsReadableAndRepeatable) {
    const auto stream = stream_of("plain.mp4");
    const auto picture = Upright(stream).convert(*first_frame("plain.mp4"));
    ASSERT_TRUE(picture);
    const std::string one = test::scratch() + "/one.png", two = test::scratch() + "/two.png";
    ASSERT_TRUE(write_png(**picture, one));
    ASSERT_TRUE(write_png(**picture, two));
    EXPECT_EQ(*files::sha256_file(one), *files::sha256_file(two));
    const auto read = test::decode_sequentially(one);
    EXPECT_EQ(read.size(), 1u);
}

}  // namespace
}  // namespace sl::media
