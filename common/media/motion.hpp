// Motion: does a picture differ from what the scene looked like lately, and where.
//
// Looks at the mean luma of cells of 8×8 pixels: a mean of 64 hides sensor noise, and costs a tenth of a
// millisecond of a 720p frame (bench/gate). Not the codec's motion vectors: they follow noise, and cover as
// much of a noisy still scene as of one in which people walk (bench/RESULTS.md). Each cell has a running mean
// and deviation of its own, so that what always flickers (leaves, a screen) does not count. Deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schema/live.hpp"

struct AVFrame;

namespace sl::media {

// A picture as the mean luma of its cells, in rows.
struct Cells {
    static constexpr int side = 8;  // pixels of a cell; what is left at the right and bottom edge is not seen
    int width = 0, height = 0;      // in cells
    std::vector<std::uint16_t> luma;  // of 255 · 16
    bool same_size(const Cells& other) const { return width == other.width && height == other.height; }
};

Cells cells_of(const AVFrame& i420);
// The cells of two pictures that differ by more than noise does, 0 or 1 each.
std::vector<std::uint8_t> changed(const Cells& before, const Cells& now);
// Boxes around neighbouring cells that are 1, the largest first, in pixels. score: share of the box's cells
// that are 1. Single cells are noise.
std::vector<schema::Box> regions(const Cells& size, std::span<const std::uint8_t> changed);

// Says which frames of a camera need not be detected. Used by one thread.
class MotionGate {
public:
    explicit MotionGate(schema::MotionSpec spec) : spec_(spec) {}

    // True: nothing moved, and a frame was not still within the last full_every_s. The first frame and one of
    // another size are never still; nor is any when the gate is off. `i420` is borrowed.
    bool still(const AVFrame& i420, std::int64_t capture_ns);
    // Where the last frame given to still() moved, in its pixels, the largest first.
    std::vector<schema::Box> moving() const;
    // Share of the picture that moved in it, 0..1.
    double share() const { return share_; }

private:
    const schema::MotionSpec spec_;
    Cells background_;                      // running mean
    std::vector<std::uint16_t> deviation_;  // running mean of the distance from it, same unit
    std::vector<std::uint8_t> changed_;
    double share_ = 0;
    std::int64_t last_ns_ = 0;       // of the last frame
    std::int64_t last_full_ns_ = 0;  // of the last that was not still
};

}  // namespace sl::media
