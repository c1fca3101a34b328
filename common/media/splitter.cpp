#include "common/media/splitter.hpp"

#include <algorithm>

#include "common/files.hpp"

namespace sl::media {

std::vector<std::int64_t> Chunk::emitted() const {
    std::vector<std::int64_t> out;
    for (const auto& packet : packets)
        if (packet.emit) out.push_back(packet.pts);
    std::sort(out.begin(), out.end());
    return out;
}

std::string fingerprint(std::int64_t pts, std::span<const std::uint8_t> data) {
    // With its time: still pictures make many equal keyframes.
    return files::sha256(std::to_string(pts) + " " + files::sha256(data)).substr(0, 32);
}

Splitter Splitter::counting(std::int64_t min_ticks) {
    return Splitter(min_ticks, false);
}
Splitter Splitter::keeping() {
    return Splitter(0, true);
}

void Splitter::append(Chunk& chunk, const AVPacket& packet, bool emit) const {
    // Edit lists: the decoder needs the packet and drops the frame itself.
    if (packet.flags & AV_PKT_FLAG_DISCARD) emit = false;
    ChunkPacket added{packet.pts, packet.duration, emit, nullptr};
    if (keep_) {
        added.av = new_packet();
        if (av_packet_ref(added.av.get(), &packet) < 0) throw std::bad_alloc();
    }
    chunk.packets.push_back(std::move(added));
    chunk.bytes += packet.size;
    if (emit) chunk.end = std::max(chunk.end, packet.pts + std::max<std::int64_t>(packet.duration, 1));
}

void Splitter::open(Packet packet, bool first) {
    const AVPacket& av = *packet.av;
    first_ = first;
    leading_ = true;
    max_pts_ = av.pts;
    current_.emplace();
    current_->start = av.pts;
    current_->end = INT64_MIN;
    current_->extradata = packet.extradata;
    current_->fingerprint = fingerprint(av.pts, {av.data, std::size_t(av.size)});
    append(*current_, av, true);
}

bool Splitter::cuts(const Packet& packet) const {
    const std::int64_t pts = packet.av->pts;
    if (!packet.key || pts <= max_pts_) return false;
    return end_ ? pts == *end_ : min_ticks_ > 0 && pts - current_->start >= min_ticks_;
}

std::optional<Chunk> Splitter::push(Packet packet) {
    if (!current_) {
        open(std::move(packet), true);
        return {};
    }
    const std::int64_t pts = packet.av->pts;
    std::optional<Chunk> done;
    if (pts >= current_->start) {
        leading_ = false;
        done = std::exchange(old_, {});
    }
    if (cuts(packet)) {
        current_->end = pts;
        old_ = std::exchange(current_, {});
        append(*old_, *packet.av, false);
        old_->end = pts;
        open(std::move(packet), false);
        return done;
    }
    if (!first_ && pts < current_->start) {
        if (leading_ && old_) append(*old_, *packet.av, true), old_->end = current_->start;
        if (!leading_) late_frame_ = true;
        append(*current_, *packet.av, false);
    } else {
        append(*current_, *packet.av, true);
    }
    max_pts_ = std::max(max_pts_, pts);
    return done;
}

std::optional<Chunk> Splitter::finish() {
    if (old_) return std::exchange(old_, {});
    return std::exchange(current_, {});
}

void RowTable::add(const std::vector<std::int64_t>& emitted, std::int64_t end, std::int64_t bytes,
                   std::string print) {
    if (emitted.empty()) return;
    schema::Row row;
    row.seq = std::int64_t(rows.size());
    row.pts = emitted.front();
    row.end_pts = end;
    row.first_frame = frames;
    row.prev_pts = last_pts_;
    row.frames = std::int32_t(emitted.size());
    const std::int64_t start = rows.empty() ? emitted.front() : rows.front().pts;
    std::int64_t previous = row.prev_pts;
    std::int64_t ordinal = row.first_frame;
    for (const std::int64_t pts : emitted) {
        if (on_grid(pts, previous, start, time_base_, ordinal++, sampling_)) ++row.sampled;
        if (pts == previous) duplicate_pts = true;
        previous = pts;
    }
    last_pts_ = previous;
    row.batches = (row.sampled + schema::batch_frames - 1) / schema::batch_frames;
    row.bytes = bytes;
    row.fingerprint = std::move(print);
    frames += row.frames;
    rows.push_back(std::move(row));
}

}  // namespace sl::media
