// What each frame of a chunk shows. A detected frame: what was found on it. A frame between two samples: the
// boxes of the one before, each on its way to where its track is on the next, or held if it is not there.
// Behind the chunk's last sample a track goes on as fast as it was. In a folder of pictures a frame shows its
// own boxes or none. A function of S[s] and D[s] alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workers/annotate/exporter.hpp"
#include "workers/annotate/step.hpp"
#include "workers/annotate/tracker.hpp"

namespace sl::annotate {

class Shown {
public:
    // `before`: the last detected frame before the chunk. `stepped`: the chunk's own step. Both must outlive
    // it.
    Shown(const ChunkContext& context, const schema::FrameBoxes& before, const Stepped& stepped);

    // The frame with this ordinal, which rises from call to call. True: it is a detected one.
    bool advance(std::int64_t ordinal, std::int64_t pts);
    std::span<const schema::Box> boxes() const { return boxes_; }

private:
    const bool moving_;
    const std::vector<schema::FrameBoxes>& frames_;
    Tracker tracker_;                           // after the chunk: for speeds
    const schema::FrameBoxes* last_ = nullptr;  // the last detected frame so far
    std::size_t next_ = 0;
    std::vector<schema::Box> boxes_;
};

}  // namespace sl::annotate
