// SegmentReader: the packets of a stream's segments, one after another, ready for one file.
#pragma once

#include <deque>
#include <span>
#include <string>

#include "common/media/libav.hpp"

namespace sl::media {

// Used by one thread. `segments` (borrowed) are in order.
class SegmentReader {
public:
    SegmentReader(const schema::StreamInfo& stream, std::span<const std::string> segments);

    // The next packet, null at the end: pts rising in the stream's time base, dts = pts, duration set.
    Result<PacketPtr> next();
    // Of the segments read so far: all have the same. Null before the first call of next().
    const AVCodecParameters* parameters() const { return parameters_.get(); }

private:
    Result<void> read_segment(const std::string& path);

    const std::span<const std::string> segments_;
    const AVRational time_base_;
    const std::int64_t shift_;
    std::size_t read_ = 0;
    std::deque<PacketPtr> packets_;  // of the segment at hand
    CodecParametersPtr parameters_;
    std::int64_t last_pts_ = INT64_MIN;
};

}  // namespace sl::media
