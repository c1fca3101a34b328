// JPEG of one picture, for people and camera systems to look at.
#pragma once

#include "common/media/media.hpp"

namespace sl::media {

// `picture`: 8-bit 4:2:0 of any size. quality: libav's scale, 2 (best) to 31.
Result<schema::Bytes> jpeg(const AVFrame& picture, int quality = 4);

}  // namespace sl::media
