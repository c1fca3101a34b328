// Decoder: one video decoder with the settings that make its pictures repeatable.
//
// One thread: on damaged input two give other pictures from run to run. BITEXACT: the MPEG-4 family's IDCT
// otherwise differs between CPU classes. Frame buffers are cleared: HEVC leaves undecoded blocks as the
// buffer pool held them, which depends on what the consumer still holds. The cost is below noise.
#pragma once

#include <functional>
#include <memory>

#include "common/media/libav.hpp"

namespace sl::media {

// Used by one thread.
class Decoder {
public:
    // `strict`: refuse damaged pictures instead of concealing them (for still pictures).
    static Result<std::unique_ptr<Decoder>> open(const AVCodecParameters& codec, AVRational time_base,
                                                 AVRational frame_rate, bool strict = false);
    // Sends one packet, or drains with null. `each` borrows the frame and returns false to stop; then so
    // does send. A packet that the decoder refuses is counted, and decoding goes on.
    bool send(const AVPacket* packet, const std::function<bool(AVFrame&)>& each);
    std::int64_t errors() const { return errors_; }

private:
    explicit Decoder(CodecContextPtr context) : context_(std::move(context)) {}
    const CodecContextPtr context_;
    const FramePtr frame_ = new_frame();
    std::int64_t errors_ = 0;
};

}  // namespace sl::media
