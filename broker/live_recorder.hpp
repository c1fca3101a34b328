// Live recorder: pictures with their times of capture → a fragmented MP4, which plays up to the last second
// while it is written, and whatever ends the program.
#pragma once

#include <memory>
#include <string>

#include "common/media/media.hpp"

namespace sl::program {

class LiveRecorder {
public:
    // Replaces `path`. Pictures of another size than the first are scaled to that.
    static Result<std::unique_ptr<LiveRecorder>> create(const std::string& path);
    virtual ~LiveRecorder() = default;  // completes the file
    virtual Result<void> add(const AVFrame& picture, std::int64_t capture_ns) = 0;
};

}  // namespace sl::program
