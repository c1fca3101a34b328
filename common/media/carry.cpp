#include "common/media/carry.hpp"

#include <algorithm>
#include <cstring>

#include "schema/codec.hpp"

namespace sl::media {
namespace {

constexpr std::string_view magic = "SLP1";
constexpr std::size_t head_bytes = 8;

struct CodecRecord {
    std::string codec;  // by name: ids may differ between libav versions
    std::uint32_t tag = 0;
    schema::Bytes extradata;
    std::string format;
    std::int32_t profile = FF_PROFILE_UNKNOWN;
    std::int32_t level = FF_LEVEL_UNKNOWN;
    std::int32_t width = 0;
    std::int32_t height = 0;
    schema::Rational sar{0, 1};
    std::int32_t field_order = 0;
    std::int32_t range = AVCOL_RANGE_UNSPECIFIED;
    std::int32_t primaries = AVCOL_PRI_UNSPECIFIED;
    std::int32_t transfer = AVCOL_TRC_UNSPECIFIED;
    std::int32_t matrix = AVCOL_SPC_UNSPECIFIED;
    std::int32_t chroma_location = AVCHROMA_LOC_UNSPECIFIED;
    std::int32_t video_delay = 0;
    std::int32_t coded_bits = 0;
    std::int32_t raw_bits = 0;
    MSGPACK_DEFINE_MAP(codec, tag, extradata, format, profile, level, width, height, sar, field_order, range,
                       primaries, transfer, matrix, chroma_location, video_delay, coded_bits, raw_bits)
};

struct SideRecord {
    std::string type;  // "extradata" "palette" "parameters"
    schema::Bytes data;
    MSGPACK_DEFINE_MAP(type, data)
};

struct PacketRecord {
    std::int64_t pts = 0;
    std::int64_t duration = 0;
    std::int32_t flags = 0;
    bool emit = false;
    std::string codec;  // empty: the chunk's
    std::vector<SideRecord> side;
    MSGPACK_DEFINE_MAP(pts, duration, flags, emit, codec, side)
};

struct SideKind {
    const char* name;
    AVPacketSideDataType type;
};
constexpr SideKind side_kinds[] = {{"extradata", AV_PKT_DATA_NEW_EXTRADATA},
                                   {"palette", AV_PKT_DATA_PALETTE},
                                   {"parameters", AV_PKT_DATA_PARAM_CHANGE}};

// AV_PKT_FLAG_TRUSTED must never come from outside: it lets payloads carry pointers. _CORRUPT is the
// demuxer's guess; the decoder judges for itself (see decoder.cpp).
constexpr int carried_flags = AV_PKT_FLAG_KEY | AV_PKT_FLAG_DISCARD;

template <typename E>
E within(std::int32_t value, int count, E otherwise) {
    return value >= 0 && value < count ? E(value) : otherwise;
}

Error malformed(const std::string& why) {
    return Error{Errc::bad_message, "cannot read a packed chunk: " + why, ""};
}

// Video codecs only, and none whose payload is a pointer.
Result<AVCodecID> video_codec(const std::string& name) {
    const AVCodecDescriptor* found = avcodec_descriptor_get_by_name(name.c_str());
    if (!found || found->type != AVMEDIA_TYPE_VIDEO || found->id == AV_CODEC_ID_WRAPPED_AVFRAME)
        return malformed("'" + name.substr(0, 40) + "' is no video codec");
    return found->id;
}

std::uint32_t little_endian(std::span<const std::uint8_t> at) {
    return std::uint32_t(at[0]) | std::uint32_t(at[1]) << 8 | std::uint32_t(at[2]) << 16 |
           std::uint32_t(at[3]) << 24;
}

class FieldReader {
public:
    explicit FieldReader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
    bool done() const { return rest_.empty(); }
    Result<std::span<const std::uint8_t>> next() {
        if (rest_.size() < 4) return malformed("it ends inside a length");
        const std::size_t n = little_endian(rest_);
        if (n > rest_.size() - 4) return malformed("it ends inside a field");
        const auto field = rest_.subspan(4, n);
        rest_ = rest_.subspan(4 + n);
        return field;
    }

private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace

schema::Bytes pack_codec(const AVCodecParameters& codec) {
    CodecRecord r;
    r.codec = avcodec_get_name(codec.codec_id);
    r.tag = codec.codec_tag;
    if (codec.extradata_size > 0) r.extradata.assign(codec.extradata, codec.extradata + codec.extradata_size);
    if (const char* format = av_get_pix_fmt_name(AVPixelFormat(codec.format))) r.format = format;
    r.profile = codec.profile;
    r.level = codec.level;
    r.width = codec.width;
    r.height = codec.height;
    r.sar = from_av(codec.sample_aspect_ratio);
    r.field_order = codec.field_order;
    r.range = codec.color_range;
    r.primaries = codec.color_primaries;
    r.transfer = codec.color_trc;
    r.matrix = codec.color_space;
    r.chroma_location = codec.chroma_location;
    r.video_delay = codec.video_delay;
    r.coded_bits = codec.bits_per_coded_sample;
    r.raw_bits = codec.bits_per_raw_sample;
    return schema::encode(r);
}

Result<CodecParametersPtr> unpack_codec(std::span<const std::uint8_t> bytes) {
    const auto r = schema::decode<CodecRecord>(bytes, "codec record");
    if (!r) return r.error();
    const auto id = video_codec(r->codec);
    if (!id) return id.error();
    if (r->width < 0 || r->height < 0 ||
        (r->width && av_image_check_size(unsigned(r->width), unsigned(r->height), 0, nullptr) < 0))
        return malformed("impossible picture size " + std::to_string(r->width) + "x" +
                         std::to_string(r->height));

    auto codec = new_parameters();
    codec->codec_type = AVMEDIA_TYPE_VIDEO;
    codec->codec_id = *id;
    codec->codec_tag = r->tag;
    codec->format = av_get_pix_fmt(r->format.c_str());
    codec->profile = r->profile;
    codec->level = r->level;
    codec->width = r->width;
    codec->height = r->height;
    codec->sample_aspect_ratio = to_av(r->sar);
    codec->field_order = within(r->field_order, AV_FIELD_BT + 1, AV_FIELD_UNKNOWN);
    codec->color_range = within(r->range, AVCOL_RANGE_NB, AVCOL_RANGE_UNSPECIFIED);
    codec->color_primaries = within(r->primaries, AVCOL_PRI_NB, AVCOL_PRI_UNSPECIFIED);
    codec->color_trc = within(r->transfer, AVCOL_TRC_NB, AVCOL_TRC_UNSPECIFIED);
    codec->color_space = within(r->matrix, AVCOL_SPC_NB, AVCOL_SPC_UNSPECIFIED);
    codec->chroma_location = within(r->chroma_location, AVCHROMA_LOC_NB, AVCHROMA_LOC_UNSPECIFIED);
    codec->video_delay = std::clamp(r->video_delay, 0, 16);
    codec->bits_per_coded_sample = std::clamp(r->coded_bits, 0, 64);
    codec->bits_per_raw_sample = std::clamp(r->raw_bits, 0, 64);
    if (!r->extradata.empty()) {
        codec->extradata =
            static_cast<std::uint8_t*>(av_mallocz(r->extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
        if (!codec->extradata) throw std::bad_alloc();
        std::copy(r->extradata.begin(), r->extradata.end(), codec->extradata);
        codec->extradata_size = int(r->extradata.size());
    }
    return codec;
}

ChunkPacker::ChunkPacker(const AVCodecParameters& codec) {
    bytes_.assign(magic.begin(), magic.end());
    bytes_.resize(head_bytes);  // the count is filled in by take()
    field(pack_codec(codec));
}

void ChunkPacker::add(const AVPacket& packet, bool emit, AVCodecID codec) {
    PacketRecord r;
    r.pts = packet.pts;
    r.duration = packet.duration;
    r.flags = packet.flags & carried_flags;
    r.emit = emit;
    if (codec != AV_CODEC_ID_NONE) r.codec = avcodec_get_name(codec);
    for (const auto& kind : side_kinds) {
        std::size_t size = 0;
        if (const auto* data = av_packet_get_side_data(&packet, kind.type, &size))
            r.side.push_back({kind.name, {data, data + size}});
    }
    field(schema::encode(r));
    field({packet.data, std::size_t(packet.size)});
    ++packets_;
}

schema::Bytes ChunkPacker::take() {
    for (std::size_t i = 0; i < 4; ++i) bytes_[magic.size() + i] = std::uint8_t(packets_ >> (8 * i));
    return std::move(bytes_);
}

void ChunkPacker::field(std::span<const std::uint8_t> bytes) {
    const auto n = std::uint32_t(bytes.size());
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(std::uint8_t(n >> shift));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

PacketPtr PacketView::packet() const {
    auto out = new_packet();
    if (av_new_packet(out.get(), int(data.size())) < 0) throw std::bad_alloc();
    if (!data.empty()) std::memcpy(out->data, data.data(), data.size());
    out->pts = pts;
    out->duration = duration;
    out->flags = flags;
    for (const auto& [type, bytes] : side) {
        auto* to = av_packet_new_side_data(out.get(), type, bytes.size());
        if (!to) throw std::bad_alloc();
        std::copy(bytes.begin(), bytes.end(), to);
    }
    return out;
}

Result<ChunkView> unpack_chunk(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < head_bytes || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
        return malformed("it does not begin with " + std::string(magic));
    FieldReader fields(bytes.subspan(head_bytes));
    const auto head = fields.next();
    if (!head) return head.error();
    auto codec = unpack_codec(*head);
    if (!codec) return codec.error();

    ChunkView chunk{std::move(*codec), {}};
    while (!fields.done()) {
        const auto record = fields.next();
        if (!record) return record.error();
        auto r = schema::decode<PacketRecord>(*record, "packet record");
        if (!r) return r.error();
        const auto data = fields.next();
        if (!data) return data.error();
        if (data->size() > std::size_t(INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE))
            return malformed("a packet over 2 GB");
        constexpr std::int64_t sane = 1ll << 60;  // sums of times must not overflow
        if (r->pts < -sane || r->pts > sane || r->duration < 0 || r->duration > sane)
            return malformed("a packet with an impossible time");

        PacketView view{r->pts, r->duration, r->flags & carried_flags, r->emit, AV_CODEC_ID_NONE, *data, {}};
        if (!r->codec.empty()) {
            const auto id = video_codec(r->codec);
            if (!id) return id.error();
            view.codec = *id;
        }
        for (auto& side : r->side)
            for (const auto& kind : side_kinds)
                if (side.type == kind.name) view.side.emplace_back(kind.type, std::move(side.data));
        chunk.packets.push_back(std::move(view));
    }
    if (chunk.packets.size() != little_endian(bytes.subspan(magic.size())))
        return malformed("it does not hold the packets that it says");
    return chunk;
}

}  // namespace sl::media
