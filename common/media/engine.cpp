extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <fmt/format.h>

#include "common/media/media.hpp"

namespace sl::media {

std::string engine() {
    const auto text = [](unsigned v) { return fmt::format("{}.{}.{}", v >> 16, v >> 8 & 255, v & 255); };
    // libavcodec's package pins its libx264; the encoder writes its own build into every segment.
    return fmt::format("libavcodec {} libavformat {} libswscale {}", text(avcodec_version()),
                       text(avformat_version()), text(swscale_version()));
}

}  // namespace sl::media
