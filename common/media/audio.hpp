// AudioTrack: the audio of a source as packets that MP4 can hold, in order.
#pragma once

#include <memory>
#include <string>

#include "common/media/libav.hpp"

namespace sl::media {

// Whether an MP4 can carry this codec's packets as they are.
bool mp4_holds(AVCodecID codec);

// Used by one thread.
class AudioTrack {
public:
    // Packets are copied when MP4 can hold the codec, else decoded and encoded to AAC (stereo at most,
    // 64 kbit/s a channel, native encoder, one thread). Times are the source's.
    // not_found: the source has no audio stream.
    static Result<std::unique_ptr<AudioTrack>> open(const std::string& path);
    virtual ~AudioTrack() = default;

    virtual const char* how() const = 0;  // "copy" "aac"
    virtual const AVCodecParameters& parameters() const = 0;
    virtual AVRational time_base() const = 0;
    // First time at which sound is heard, in time_base ticks of the source; AV_NOPTS_VALUE: unknown.
    virtual std::int64_t start() const = 0;
    // The next packet, times in time_base; null at the end. Damaged packets are left out.
    virtual Result<PacketPtr> next() = 0;
};

}  // namespace sl::media
