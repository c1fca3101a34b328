#include <algorithm>
#include <cmath>

#include "common/media/audio.hpp"
#include "common/media/carry.hpp"
#include "common/media/decoder.hpp"
#include "common/media/demuxer.hpp"
#include "common/media/orientation.hpp"
#include "common/media/recut.hpp"
#include "common/media/splitter.hpp"

namespace sl::media {
namespace {

// What one pass over the packets showed, nothing decoded.
struct PreScan {
    RowTable rows;
    std::string trouble;                // why it cannot be cut; empty: it can
    std::vector<std::int64_t> times{};  // dts of the shown packets, for a recut
    bool times_lie = false;             // pts are missing or wrong: a recut must not use them
    std::int64_t packets = 0;           // shown ones
};

std::string ticks_text(double seconds) {
    std::string text = std::to_string(seconds);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text + " s";
}

Result<PreScan> pre_scan(Demuxer& demuxer, const std::string& path, const ScanOptions& options) {
    const AVStream& stream = demuxer.video();
    const double second = double(stream.time_base.den) / stream.time_base.num;
    const bool reorders = stream.codecpar->video_delay > 0;
    const std::int64_t max_ticks = std::llround(options.max_chunk_s * second);
    PreScan scan{RowTable(from_av(stream.time_base), options.sampling), {}};
    Splitter splitter =
        Splitter::counting(std::max<std::int64_t>(1, std::llround(options.min_chunk_s * second)));
    const auto take = [&](const std::optional<Chunk>& chunk) {
        if (chunk) scan.rows.add(chunk->emitted(), chunk->end, chunk->bytes, chunk->fingerprint);
    };
    std::int64_t all = 0, without_pts = 0, pts_is_dts = 0, guess = 0;
    bool long_gop = false, too_large = false;
    for (;;) {
        Packet packet = demuxer.next();
        if (!packet.av) break;
        if (++all % 256 == 0 && options.stop && options.stop())
            return Error{Errc::canceled, "canceled while scanning " + path, ""};
        const AVPacket& av = *packet.av;
        if (!(av.flags & AV_PKT_FLAG_DISCARD)) {
            ++scan.packets;
            const std::int64_t dts = av.dts != AV_NOPTS_VALUE ? av.dts : guess;
            scan.times.push_back(dts);
            guess = dts + std::max<std::int64_t>(av.duration, 1);
        }
        if (av.pts == AV_NOPTS_VALUE) {
            ++without_pts;
            continue;
        }
        pts_is_dts += av.pts == av.dts;
        take(splitter.push(std::move(packet)));
        const Chunk& chunk = *splitter.current();
        long_gop |= chunk.packets.back().pts - chunk.start > max_ticks;
        too_large |= chunk.bytes > options.max_chunk_bytes;
    }
    while (const auto chunk = splitter.finish()) take(chunk);
    std::sort(scan.times.begin(), scan.times.end());

    if (without_pts > 0) {
        scan.trouble = "packets without timestamps";
        scan.times_lie = true;
    } else if (reorders && all > 2 && pts_is_dts == all) {
        scan.trouble = "pts equal dts although frames are reordered";
        scan.times_lie = true;
    } else if (scan.rows.duplicate_pts) {
        scan.trouble = "duplicate timestamps";
    } else if (splitter.late_frame()) {
        scan.trouble = "frames before their keyframe's time";
    } else if (long_gop) {
        scan.trouble = "keyframes rarer than " + ticks_text(options.max_chunk_s);
    } else if (too_large) {
        scan.trouble = "chunks over " + std::to_string(options.max_chunk_bytes >> 20) + " MB";
    }
    return scan;
}

schema::StreamInfo describe(Demuxer& demuxer) {
    AVStream& stream = demuxer.video();
    schema::StreamInfo info;
    info.source = "file";
    info.time_base = from_av(stream.time_base);
    const AVRational rate = av_guess_frame_rate(&demuxer.container(), &stream, nullptr);
    if (positive(rate)) info.frame_rate = from_av(rate);
    info.video_codec = avcodec_get_name(stream.codecpar->codec_id);
    const auto* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
    if (matrix) {
        const auto turn = orientation(reinterpret_cast<const std::int32_t*>(matrix));
        info.rotation = turn.rotation;
        info.flip = turn.flip;
    }
    AVFormatContext& container = demuxer.container();
    const int audio = av_find_best_stream(&container, AVMEDIA_TYPE_AUDIO, -1, stream.index, nullptr, 0);
    if (audio >= 0) {
        const AVCodecID id = container.streams[audio]->codecpar->codec_id;
        info.audio_codec = avcodec_get_name(id);
        if (mp4_holds(id))
            info.audio = "copy";
        else if (avcodec_find_decoder(id))
            info.audio = "aac";
    }
    return info;
}

// Canvas, SAR and colour are those of the first frame that decodes: containers were seen to be wrong.
Result<void> look_at_first_frame(const std::string& path, Demuxer& demuxer, Scan& scan,
                                 const ScanOptions& options) {
    schema::StreamInfo& stream = scan.stream;
    auto cutter = Cutter::open(path, stream);
    if (!cutter) return cutter.error();
    bool seen = false;
    for (const auto& row : scan.rows) {
        if (options.stop && options.stop())
            return Error{Errc::canceled, "canceled while scanning " + path, ""};
        const auto bytes = (*cutter)->cut(row);
        if (!bytes) return bytes.error();
        auto chunk = unpack_chunk(*bytes);
        if (!chunk) return chunk.error();
        AVCodecParameters& codec = *chunk->codec;
        const auto first = decode_chunk(stream, row, 0, *bytes, [&](const Decoded& decoded) {
            AVFrame frame = *decoded.frame;  // a view: av_guess wants it writable
            const AVRational sar =
                av_guess_sample_aspect_ratio(&demuxer.container(), &demuxer.video(), &frame);
            const bool sideways = stream.rotation % 180 != 0;
            stream.width = sideways ? frame.height : frame.width;
            stream.height = sideways ? frame.width : frame.height;
            if (positive(sar)) stream.sar = from_av(sideways ? av_inv_q(sar) : sar);
            codec.format = frame.format;
            codec.color_range = frame.color_range;
            codec.color_primaries = frame.color_primaries;
            codec.color_trc = frame.color_trc;
            codec.color_space = frame.colorspace;
            codec.chroma_location = frame.chroma_location;
            stream.codec = pack_codec(codec);
            seen = true;
            return false;
        });
        if (seen) return {};
        if (!first && first.error().code != Errc::bad_media) return first.error();
    }
    return Error{Errc::bad_media, "cannot decode a single frame of " + path, "is the file damaged?"};
}

}  // namespace

Result<Scan> scan_file(const std::string& path, const ScanOptions& options) {
    auto demuxer = Demuxer::open(path);
    if (!demuxer) return demuxer.error();
    Scan scan{describe(**demuxer), {}};
    auto seen = pre_scan(**demuxer, path, options);
    if (!seen) return seen.error();
    if (seen->packets == 0)
        return Error{Errc::bad_media, "cannot use " + path + ": its video stream holds no frames",
                     "is the file whole?"};
    auto& warnings = scan.stream.warnings;
    if ((*demuxer)->truncated()) warnings.push_back("input_truncated");

    std::string cut_from = path;
    RowTable rows = std::move(seen->rows);
    if (!seen->trouble.empty()) {
        if (!seen->times_lie) seen->times.clear();
        auto recut = recut_file(path, seen->times, options);
        if (!recut) return recut.error();
        rows = std::move(*recut);
        scan.stream.recut.path = cut_from = options.recut_path;
        scan.stream.recut_reason = seen->trouble;
        if (const auto lost = seen->packets - rows.frames; lost > 0)
            warnings.push_back("frames_lost_in_recut=" + std::to_string(lost));
    }
    scan.rows = std::move(rows.rows);
    scan.stream.frames = rows.frames;
    scan.stream.start_pts = scan.rows.front().pts;
    scan.stream.end_pts = scan.rows.back().end_pts;
    if (auto looked = look_at_first_frame(cut_from, **demuxer, scan, options); !looked) return looked.error();
    return scan;
}

}  // namespace sl::media
