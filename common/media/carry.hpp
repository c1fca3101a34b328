// How encoded packets travel: a chunk as one run of bytes, and codec parameters as a record.
//
// Layout of a chunk: "SLP1", u32 number of packets, then fields, each a u32 length and that many bytes: the
// codec record, then for every packet its record and its payload. Numbers are little-endian. Records are
// msgpack maps, read with limits; payloads are never copied into them, so a chunk may be larger than one
// record may. Not AVPacket and no small container: only what decoders were seen to need (codec tag for AVI's
// MPEG-4 kinds, video_delay, field order, colour, packet flags, extradata and palette, durations). dts is
// left out: decoders do not look at it, and after a seek demuxers guess it differently.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/media/libav.hpp"

namespace sl::media {

schema::Bytes pack_codec(const AVCodecParameters& codec);
// bad_message: not such a record, or a codec that is no video codec known here.
Result<CodecParametersPtr> unpack_codec(std::span<const std::uint8_t> bytes);

class ChunkPacker {
public:
    explicit ChunkPacker(const AVCodecParameters& codec);
    // `codec` names the packet's own codec when it differs from the chunk's (pictures).
    void add(const AVPacket& packet, bool emit, AVCodecID codec = AV_CODEC_ID_NONE);
    schema::Bytes take();

private:
    void field(std::span<const std::uint8_t> bytes);
    schema::Bytes bytes_;
    std::uint32_t packets_ = 0;
};

// One packet inside a packed chunk; borrows the chunk's bytes.
struct PacketView {
    std::int64_t pts = 0;
    std::int64_t duration = 0;
    int flags = 0;                       // AV_PKT_FLAG_KEY, _DISCARD
    bool emit = false;                   // its frame belongs to this chunk
    AVCodecID codec = AV_CODEC_ID_NONE;  // NONE: the chunk's
    std::span<const std::uint8_t> data;
    std::vector<std::pair<AVPacketSideDataType, schema::Bytes>> side;

    PacketPtr packet() const;  // a copy with the padding that libav wants
};

struct ChunkView {
    CodecParametersPtr codec;
    std::vector<PacketView> packets;  // in decode order
};

// bad_message: bytes that no ChunkPacker wrote. Never reads outside `bytes`.
Result<ChunkView> unpack_chunk(std::span<const std::uint8_t> bytes);

}  // namespace sl::media
