// Keyframes: is a packet that the container flags as key a clean place to cut?
#pragma once

#include "common/media/libav.hpp"

namespace sl::media {

// False for an H.264 gradual recovery point (SEI recovery_frame_cnt > 0): intra-refresh streams flag them as
// key, but decoding from there shows clean pictures only frames later. Seen: 10 flagged, 1 IDR; without this
// rule 116 of 300 frames vanish. `codec` tells whether NAL units come with lengths (avcC) or start codes.
bool clean_key(const AVCodecParameters& codec, const AVPacket& packet);

}  // namespace sl::media
