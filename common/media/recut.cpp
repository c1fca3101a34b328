#include "common/media/recut.hpp"

#include <algorithm>

#include "common/media/decoder.hpp"

namespace sl::media {
namespace {

// The time of each frame of a sequential decode: always rising.
class Clock {
public:
    Clock(const std::vector<std::int64_t>& times, std::int64_t usual_duration, std::int64_t second)
        : times_(times), usual_(std::max<std::int64_t>(usual_duration, 1)), second_(second) {}

    std::int64_t next(std::int64_t pts) {
        if (!times_.empty()) pts = n_ < times_.size() ? times_[n_++] : AV_NOPTS_VALUE;
        if (pts == AV_NOPTS_VALUE)
            pts = first_ ? 0 : last_ + usual_;
        else
            pts += shift_;
        if (!first_ && pts <= last_) {
            // A time that repeats moves by one tick; a clock that was set back goes on from here.
            const std::int64_t rise = last_ - pts > second_ ? last_ + usual_ - pts : 0;
            shift_ += rise;
            pts = std::max(pts + rise, last_ + 1);
        }
        first_ = false;
        return last_ = pts;
    }

private:
    const std::vector<std::int64_t>& times_;
    const std::int64_t usual_, second_;
    std::size_t n_ = 0;
    std::int64_t last_ = 0, shift_ = 0;
    bool first_ = true;
};

}  // namespace

Result<RowTable> recut_file(const std::string& path, const std::vector<std::int64_t>& times,
                            const ScanOptions& options) {
    auto demuxer = Demuxer::open(path);
    if (!demuxer) return demuxer.error();
    const AVStream& stream = (*demuxer)->video();
    const AVRational tb = stream.time_base;
    const AVRational rate = av_guess_frame_rate(&(*demuxer)->container(), &(*demuxer)->video(), nullptr);
    auto decoder = Decoder::open(*stream.codecpar, tb, rate);
    if (!decoder) return decoder.error();
    auto writer = LosslessWriter::create(from_av(tb), options);
    if (!writer) return writer.error();

    const std::int64_t usual = positive(rate) ? av_rescale_q(1, av_inv_q(rate), tb) : 1;
    Clock clock(times, usual, av_rescale_q(1, {1, 1}, tb));
    Result<void> outcome;
    std::int64_t frames = 0;
    const auto add = [&](AVFrame& frame) {
        const std::int64_t duration = frame.pkt_duration > 0 ? frame.pkt_duration : usual;
        outcome = (*writer)->add(frame, clock.next(frame.pts), duration);
        if (++frames % 64 == 0 && options.progress) options.progress(frames);
        if (options.stop && options.stop())
            outcome = Error{Errc::canceled, "canceled while re-cutting " + path, ""};
        return bool(outcome);
    };
    for (;;) {
        const Packet packet = (*demuxer)->next();
        if (!(*decoder)->send(packet.av.get(), add)) return outcome.error();
        if (!packet.av) break;
    }
    if (frames == 0)
        return Error{Errc::bad_media, "cannot decode a single frame of " + path, "is the file damaged?"};
    if (options.progress) options.progress(frames);
    return (*writer)->finish();
}

}  // namespace sl::media
