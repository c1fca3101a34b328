#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/media/carry.hpp"
#include "common/media/decoder.hpp"

namespace sl::media {
namespace {

// What is known of an emitted packet before any frame comes.
struct Expected {
    std::int64_t duration = 0;
    std::int64_t ordinal = 0;
    bool sampled = false;
    bool decoded = false;
};

Error lying_times(const schema::StreamInfo& stream, std::int64_t pts, const std::string& why) {
    return Error{Errc::bad_media,
                 "cannot decode a chunk of " + stream.name + ": at tick " + std::to_string(pts) + " " + why +
                     ", so the file's timestamps lie",
                 "remux the input with `ffmpeg -fflags +genpts`, or re-encode it"};
}

}  // namespace

Sampling sampling_of(const schema::JobSpec& spec) {
    return {spec.sample_fps, spec.sample_every};
}

bool on_grid(std::int64_t pts, std::int64_t prev_pts, std::int64_t start_pts, schema::Rational time_base,
             std::int64_t ordinal, Sampling sampling) {
    if (sampling.every > 0) return ordinal % sampling.every == 0;
    if (sampling.fps <= 0 || prev_pts == INT64_MIN) return true;
    // In whole numbers: every host must find the same cells.
    const AVRational rate = av_d2q(sampling.fps, 1'000'000);
    const auto cell = [&](std::int64_t t) {
        return av_rescale_rnd(t - start_pts, std::int64_t(time_base.num) * rate.num,
                              std::int64_t(time_base.den) * rate.den, AV_ROUND_DOWN);
    };
    return cell(pts) > cell(prev_pts);
}

Result<DecodeReport> decode_chunk(const schema::StreamInfo& stream, const schema::Row& row, Sampling sampling,
                                  std::span<const std::uint8_t> packed,
                                  const std::function<bool(const Decoded&)>& each) {
    const auto chunk = unpack_chunk(packed);
    if (!chunk) return chunk.error();

    std::map<std::int64_t, Expected> expected;  // by pts: emitted packets
    std::set<std::int64_t> hidden;              // packets whose frames belong to a neighbour
    for (const auto& packet : chunk->packets) {
        if (packet.emit)
            expected[packet.pts].duration = packet.duration;
        else
            hidden.insert(packet.pts);
    }
    if (std::int64_t(expected.size()) != row.frames)
        return Error{Errc::bad_message,
                     "cannot decode chunk " + std::to_string(row.seq) + " of " + stream.name + ": it holds " +
                         std::to_string(expected.size()) + " frames, its row says " +
                         std::to_string(row.frames),
                     ""};
    DecodeReport report;
    report.packets = row.frames;
    std::int64_t ordinal = row.first_frame, previous = row.prev_pts;
    for (auto& [pts, e] : expected) {
        e.ordinal = ordinal++;
        e.sampled = on_grid(pts, previous, stream.start_pts, stream.time_base, e.ordinal, sampling);
        previous = pts;
    }

    std::optional<Error> failed;
    std::int64_t last = INT64_MIN;
    const auto keep = [&](AVFrame& frame) {
        const auto found = expected.find(frame.pts);
        if (found == expected.end()) {
            if (hidden.contains(frame.pts)) return true;
            failed = lying_times(stream, frame.pts, "a frame came without a packet");
            return false;
        }
        if (frame.pts <= last) {
            failed = lying_times(stream, frame.pts, "frames do not rise in time");
            return false;
        }
        last = frame.pts;
        Expected& e = found->second;
        e.decoded = true;
        ++report.frames;
        return each({&frame, frame.pts, e.duration, e.ordinal, e.sampled});
    };

    // Pictures carry their codec with each packet; a video opens one decoder.
    std::unique_ptr<Decoder> decoder;
    AVCodecID open_id = AV_CODEC_ID_NONE;
    bool more = true;
    const auto close = [&] {
        if (!decoder) return;
        if (more) more = decoder->send(nullptr, keep);
        report.errors += decoder->errors();
        decoder.reset();
    };
    for (const auto& view : chunk->packets) {
        const bool picture = view.codec != AV_CODEC_ID_NONE;
        const AVCodecID id = picture ? view.codec : chunk->codec->codec_id;
        if (!decoder || id != open_id) {
            close();
            CodecParametersPtr own = copy_parameters(*chunk->codec);
            if (picture) {
                own = new_parameters();
                own->codec_type = AVMEDIA_TYPE_VIDEO;
                own->codec_id = id;
            }
            auto opened = Decoder::open(*own, to_av(stream.time_base), to_av(stream.frame_rate), picture);
            if (!opened) return opened.error();
            decoder = std::move(*opened);
            open_id = id;
        }
        if (more) more = decoder->send(view.packet().get(), keep);
        if (!more) break;
    }
    close();
    if (failed) return *failed;
    for (const auto& [pts, e] : expected) report.sampled_missing += e.sampled && !e.decoded;
    return report;
}

}  // namespace sl::media
