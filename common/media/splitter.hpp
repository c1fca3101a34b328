// Splitter: packets of a stream in decode order → chunks that decode by themselves. RowTable: their rows.
//
// A chunk ends at the first clean key K at or after the wanted length. K and the leading pictures after it
// (pts < K.pts: HEVC RASL, H.264 and MPEG open GOP) are appended to the old chunk as its *tail*: K as
// reference only, the leading pictures to be shown. The same leading pictures stay in the new chunk unshown:
// they move the decoder's state as in a sequential decode. So every frame of a plain sequential decode
// belongs to exactly one chunk, bit for bit. Cost: 1 to 4 packets a boundary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/media/demuxer.hpp"

namespace sl::media {

struct ChunkPacket {
    std::int64_t pts = 0;
    std::int64_t duration = 0;
    bool emit = false;
    PacketPtr av;  // null when only counting
};

struct Chunk {
    std::int64_t start = 0;  // pts of the opening packet
    std::int64_t end = 0;    // exclusive
    std::int64_t bytes = 0;  // payload, with the tail
    std::string fingerprint;
    std::shared_ptr<const schema::Bytes> extradata;
    std::vector<ChunkPacket> packets;  // in decode order

    std::vector<std::int64_t> emitted() const;  // pts, rising
};

// Of an opening packet: its time and bytes.
std::string fingerprint(std::int64_t pts, std::span<const std::uint8_t> data);

class Splitter {
public:
    // Cuts at the first clean key at or after `min_ticks`, without keeping payloads.
    static Splitter counting(std::int64_t min_ticks);
    // Keeps payloads and cuts where cut_at() says.
    static Splitter keeping();

    void cut_at(std::int64_t pts) { end_ = pts; }
    // Opens a chunk at this packet. `first`: leading pictures belong to it; else to the chunk before.
    void open(Packet packet, bool first);
    // pts must be set. Returns the chunk that this packet completed, if any.
    std::optional<Chunk> push(Packet packet);
    // The end of the stream: a chunk per call, until none is left.
    std::optional<Chunk> finish();

    const Chunk* current() const { return current_ ? &*current_ : nullptr; }
    // A frame came that belongs before the current chunk: times lie, the stream cannot be cut.
    bool late_frame() const { return late_frame_; }

private:
    Splitter(std::int64_t min_ticks, bool keep) : min_ticks_(min_ticks), keep_(keep) {}
    void append(Chunk& chunk, const AVPacket& packet, bool emit) const;
    bool cuts(const Packet& packet) const;

    std::int64_t min_ticks_;
    bool keep_;
    std::optional<std::int64_t> end_;
    std::optional<Chunk> old_;  // waits for the rest of its tail
    std::optional<Chunk> current_;
    bool first_ = true;    // current_ is the stream's first: no chunk before it
    bool leading_ = true;  // no packet at or after the opening one's pts came yet
    std::int64_t max_pts_ = INT64_MIN;
    bool late_frame_ = false;
};

class RowTable {
public:
    RowTable(schema::Rational time_base, Sampling sampling) : time_base_(time_base), sampling_(sampling) {}
    // `emitted`: pts, rising. A chunk that shows nothing (cut away by an edit list) gets no row.
    void add(const std::vector<std::int64_t>& emitted, std::int64_t end, std::int64_t bytes,
             std::string fingerprint);

    std::vector<schema::Row> rows;
    std::int64_t frames = 0;
    bool duplicate_pts = false;

private:
    schema::Rational time_base_;
    Sampling sampling_;
    std::int64_t last_pts_ = INT64_MIN;
};

}  // namespace sl::media
