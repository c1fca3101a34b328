// Packed chunks from strangers: an error or a chunk, never a crash.
#include <gtest/gtest.h>

#include <random>

#include "common/files.hpp"
#include "common/media/carry.hpp"
#include "common/media/chunk_file.hpp"
#include "tests/support/clips.hpp"

namespace sl::media {
namespace {

struct Packed {
    Scan scan;
    schema::Bytes bytes;
};

Packed packed_chunk(const std::string& name) {
    std::string why;
    const std::string path = test::path(test::clip(name), why);
    ScanOptions options;
    options.min_chunk_s = 1;
    auto scan = scan_file(path, options);
    if (!scan) throw std::runtime_error(scan.error().text());
    auto cutter = Cutter::open(path, scan->stream);
    auto bytes = (*cutter)->cut(scan->rows.front());
    return {std::move(*scan), std::move(*bytes)};
}

TEST(Carry, RepacksToTheSameBytes) {
    const auto chunk = packed_chunk("palette.gif");  // palettes travel as side data
    const auto view = unpack_chunk(chunk.bytes);
    ASSERT_TRUE(view) << view.error().text();
    ChunkPacker packer(*view->codec);
    for (const auto& packet : view->packets) packer.add(*packet.packet(), packet.emit, packet.codec);
    EXPECT_EQ(packer.take(), chunk.bytes);
}

TEST(Carry, RefusesEveryTruncation) {
    const auto chunk = packed_chunk("one_frame.mp4");
    for (std::size_t n = 0; n < chunk.bytes.size(); ++n) {
        const std::vector<std::uint8_t> cut(chunk.bytes.begin(), chunk.bytes.begin() + std::ptrdiff_t(n));
        const auto view = unpack_chunk(cut);
        ASSERT_FALSE(view) << n << " of " << chunk.bytes.size() << " bytes";
        ASSERT_EQ(view.error().code, Errc::bad_message);
    }
    auto longer = chunk.bytes;
    longer.push_back(0);
    EXPECT_FALSE(unpack_chunk(longer));
}

TEST(Carry, SurvivesFlippedBytes) {
    const auto chunk = packed_chunk("plain.mp4");
    std::mt19937 random(1);
    int refused = 0;
    for (int round = 0; round < 300; ++round) {
        auto bytes = chunk.bytes;
        for (int flips = 0; flips < 1 + round % 8; ++flips) {
            // Half of them in the head, where the records are.
            const std::size_t range = round % 2 ? bytes.size() : std::min<std::size_t>(bytes.size(), 700);
            bytes[random() % range] = std::uint8_t(random());
        }
        refused += !decode_chunk(chunk.scan.stream, chunk.scan.rows.front(), 0, bytes,
                                 [](const Decoded&) { return true; });
    }
    EXPECT_GT(refused, 0);
    EXPECT_LT(refused, 300);
}

TEST(Carry, RefusesLengthsBeyondTheEnd) {
    auto chunk = packed_chunk("one_frame.mp4");
    for (std::size_t i = 8; i < 12; ++i) chunk.bytes[i] = 0xFF;  // the codec record's length
    EXPECT_FALSE(unpack_chunk(chunk.bytes));
}

TEST(Carry, RefusesCodecsWhosePayloadIsAPointer) {
    const auto codec = new_parameters();
    codec->codec_type = AVMEDIA_TYPE_VIDEO;
    codec->codec_id = AV_CODEC_ID_WRAPPED_AVFRAME;
    EXPECT_FALSE(unpack_codec(pack_codec(*codec)));
    codec->codec_id = AV_CODEC_ID_AAC;
    EXPECT_FALSE(unpack_codec(pack_codec(*codec)));
    codec->codec_id = AV_CODEC_ID_H264;
    EXPECT_TRUE(unpack_codec(pack_codec(*codec)));
}

TEST(Carry, KeepsTheFieldsThatDecodersAndEncodersNeed) {
    const auto codec = new_parameters();
    codec->codec_type = AVMEDIA_TYPE_VIDEO;
    codec->codec_id = AV_CODEC_ID_HEVC;
    codec->codec_tag = 0x31637668;
    codec->format = AV_PIX_FMT_YUV420P10;
    codec->width = 321;
    codec->height = 123;
    codec->sample_aspect_ratio = {4, 3};
    codec->field_order = AV_FIELD_TT;
    codec->color_range = AVCOL_RANGE_JPEG;
    codec->color_primaries = AVCOL_PRI_BT2020;
    codec->color_trc = AVCOL_TRC_SMPTE2084;
    codec->color_space = AVCOL_SPC_BT2020_NCL;
    codec->chroma_location = AVCHROMA_LOC_TOPLEFT;
    codec->video_delay = 3;
    codec->bits_per_raw_sample = 10;
    const auto back = unpack_codec(pack_codec(*codec));
    ASSERT_TRUE(back) << back.error().text();
    const auto& b = **back;
    EXPECT_EQ(b.codec_id, codec->codec_id);
    EXPECT_EQ(b.codec_tag, codec->codec_tag);
    EXPECT_EQ(b.format, codec->format);
    EXPECT_EQ(b.width, 321);
    EXPECT_EQ(b.height, 123);
    EXPECT_EQ(av_cmp_q(b.sample_aspect_ratio, {4, 3}), 0);
    EXPECT_EQ(b.field_order, codec->field_order);
    EXPECT_EQ(b.color_range, codec->color_range);
    EXPECT_EQ(b.color_primaries, codec->color_primaries);
    EXPECT_EQ(b.color_trc, codec->color_trc);
    EXPECT_EQ(b.color_space, codec->color_space);
    EXPECT_EQ(b.chroma_location, codec->chroma_location);
    EXPECT_EQ(b.video_delay, 3);
    EXPECT_EQ(b.bits_per_raw_sample, 10);
}

TEST(ChunkFile, GivesBackWhatWasWritten) {
    const std::string path = test::scratch() + "/chunks";
    auto writer = ChunkFileWriter::create(path);
    ASSERT_TRUE(writer);
    const schema::Bytes one{1, 2, 3}, two{4};
    ASSERT_TRUE((*writer)->add(one));
    ASSERT_TRUE((*writer)->add(two));
    EXPECT_FALSE(is_chunk_file(path));  // not there before it is finished
    ASSERT_TRUE((*writer)->finish());
    EXPECT_TRUE(is_chunk_file(path));
    auto reader = ChunkFileReader::open(path);
    ASSERT_TRUE(reader) << reader.error().text();
    EXPECT_EQ(*(*reader)->read(1), two);
    EXPECT_EQ(*(*reader)->read(0), one);
    EXPECT_FALSE((*reader)->read(2));
    EXPECT_FALSE((*reader)->read(-1));
}

TEST(ChunkFile, RefusesEveryTruncation) {
    const std::string path = test::scratch() + "/whole", cut = test::scratch() + "/cut";
    auto writer = ChunkFileWriter::create(path);
    ASSERT_TRUE((*writer)->add(schema::Bytes{1, 2, 3}));
    ASSERT_TRUE((*writer)->finish());
    const std::string bytes = *files::read(path);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        ASSERT_TRUE(files::write_durably(cut, bytes.substr(0, n)));
        EXPECT_FALSE(ChunkFileReader::open(cut)) << n;
    }
}

}  // namespace
}  // namespace sl::media
