#include "common/media/keyframe.hpp"

#include <optional>
#include <span>
#include <vector>

namespace sl::media {
namespace {

using View = std::span<const std::uint8_t>;

constexpr int nal_idr = 5, nal_sei = 6, sei_recovery_point = 6;

// Splits Annex B or length-prefixed bytes into NAL units, one a call.
class NalReader {
public:
    NalReader(View bytes, std::size_t length_size) : rest_(bytes), length_size_(length_size) {}

    std::optional<View> next() { return length_size_ ? next_prefixed() : next_annex_b(); }

private:
    std::optional<View> next_prefixed() {
        if (rest_.size() < length_size_) return {};
        std::size_t n = 0;
        for (std::size_t i = 0; i < length_size_; ++i) n = n << 8 | rest_[i];
        rest_ = rest_.subspan(length_size_);
        if (n > rest_.size()) return {};
        const View nal = rest_.first(n);
        rest_ = rest_.subspan(n);
        return nal;
    }
    std::optional<View> next_annex_b() {
        const auto begin = start_code(0);
        if (!begin) return {};
        const std::size_t from = *begin + 3;
        const std::size_t to = start_code(from).value_or(rest_.size());
        const View nal = rest_.subspan(from, to - from);
        rest_ = rest_.subspan(to);
        return nal;
    }
    std::optional<std::size_t> start_code(std::size_t at) const {
        for (; at + 3 <= rest_.size(); ++at)
            if (rest_[at] == 0 && rest_[at + 1] == 0 && rest_[at + 2] == 1) return at;
        return {};
    }

    View rest_;
    std::size_t length_size_;
};

// Drops emulation prevention bytes (00 00 03).
std::vector<std::uint8_t> raw_payload(View nal) {
    std::vector<std::uint8_t> out;
    int zeros = 0;
    for (const std::uint8_t byte : nal.subspan(1)) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        out.push_back(byte);
    }
    return out;
}

// The recovery_frame_cnt of an SEI NAL unit, when it has one (H.264 D.1.7: the payload's first ue(v)).
std::optional<std::uint32_t> recovery_frames(View nal) {
    const auto raw = raw_payload(nal);
    std::size_t at = 0;
    const auto number = [&] {  // a run of 255s and a last byte
        std::size_t sum = 0;
        while (at < raw.size() && raw[at] == 255) sum += raw[at++];
        return at < raw.size() ? sum + raw[at++] : sum;
    };
    while (at + 2 < raw.size()) {
        const std::size_t type = number(), size = number();
        if (size > raw.size() - at) return {};
        if (type != sei_recovery_point) {
            at += size;
            continue;
        }
        // ue(v) is 1 exactly when the first bit is set: count 0.
        const std::size_t bits = size * 8;
        const auto bit = [&](std::size_t i) { return i < bits && (raw[at + i / 8] >> (7 - i % 8) & 1); };
        std::size_t zeros = 0;
        while (zeros < bits && zeros < 31 && !bit(zeros)) ++zeros;
        std::uint32_t value = 0;
        for (std::size_t i = 0; i <= zeros; ++i) value = value << 1 | std::uint32_t(bit(zeros + i));
        return value - 1;
    }
    return {};
}

}  // namespace

bool clean_key(const AVCodecParameters& codec, const AVPacket& packet) {
    if (!(packet.flags & AV_PKT_FLAG_KEY)) return false;
    if (codec.codec_id != AV_CODEC_ID_H264) return true;
    const bool prefixed = codec.extradata_size >= 5 && codec.extradata[0] == 1;
    NalReader nals({packet.data, std::size_t(packet.size)}, prefixed ? (codec.extradata[4] & 3u) + 1u : 0u);
    while (const auto nal = nals.next()) {
        if (nal->empty()) continue;
        const int type = (*nal)[0] & 31;
        if (type == nal_idr) return true;
        if (type >= 1 && type < nal_idr) return true;  // a slice: the SEI, if any, came before
        if (type != nal_sei) continue;
        if (const auto frames = recovery_frames(*nal); frames && *frames > 0) return false;
    }
    return true;
}

}  // namespace sl::media
