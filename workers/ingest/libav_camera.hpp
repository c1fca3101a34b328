// Cameras that libav reads: what the plug-ins rtsp, http, file and v4l2 have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "workers/ingest/camera_source.hpp"

namespace sl::ingest {

// When a frame was captured.
enum class CaptureClock {
    arrival,  // when it came
    sender,   // by RTCP sender reports, when the sender's clock is near ours; else when it came
    stream,   // by its timestamp from the first frame's arrival on; frames are held back until then
};

struct LibavInput {
    std::string url;     // as libav takes it, credentials and all
    std::string format;  // name of libav's demuxer; empty: it finds out
    std::vector<std::pair<std::string, std::string>> options;
    CaptureClock clock = CaptureClock::arrival;
    bool described = false;  // the stream is known without reading any of it (SDP)
    bool loop = false;       // at its end from the beginning again, without a gap in time
    bool device = false;     // never blocks: EAGAIN means wait
    double pace = 1;         // CaptureClock::stream: frames are let go this many times as fast as they say
};

// Errors name address.url and hold libav's own words, redacted.
Attempt<std::unique_ptr<Connection>> open_libav(const CameraAddress& address, const LibavInput& input);

}  // namespace sl::ingest
