// Live view: the annotated frames of `sightline live`, for people: on the terminal, in a browser, in a file.
#pragma once

#include <memory>
#include <string>

#include "workers/annotate/live_home.hpp"

namespace sl::program {

class LiveView {
public:
    // Stops its thread; a file is complete then.
    virtual ~LiveView() = default;
    // The bus thread's: returns at once. What the view has no time for is not shown.
    virtual void show(const annotate::DecidedFrame& frame) = 0;
    // One line below the picture; only the terminal has room for it.
    virtual void say(const std::string& line) = 0;
    // Where to look, for people; empty: here.
    virtual std::string where() const { return {}; }
};

// "terminal", "mjpeg:PORT" (http://127.0.0.1:PORT; 0: any free one), "file:PATH" (MP4), "window".
// invalid_argument: none of these; unavailable: this build, or this machine, cannot.
Result<std::unique_ptr<LiveView>> open_view(const std::string& what);

}  // namespace sl::program
