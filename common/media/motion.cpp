#include "common/media/motion.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "common/media/libav.hpp"

namespace sl::media {
namespace {

constexpr int unit = 16;  // of Cells::luma, a level of 255
// A cell has changed when it is further from its mean than this, and than four times its usual distance.
constexpr int least_change = 6 * unit;
constexpr int usual_changes = 4;
constexpr double memory_s = 2;  // of the running means: what stands still for longer belongs to the scene

// Noise is single; what moves has neighbours.
void drop_single(int width, int height, std::vector<std::uint8_t>& cells) {
    const std::vector<std::uint8_t> before = cells;
    const auto at = [&](int x, int y) {
        return x >= 0 && y >= 0 && x < width && y < height && before[std::size_t(y * width + x)];
    };
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            if (before[std::size_t(y * width + x)] && !at(x - 1, y) && !at(x + 1, y) && !at(x, y - 1) &&
                !at(x, y + 1))
                cells[std::size_t(y * width + x)] = 0;
}

}  // namespace

Cells cells_of(const AVFrame& i420) {
    Cells cells{i420.width / Cells::side, i420.height / Cells::side, {}};
    cells.luma.resize(std::size_t(cells.width) * std::size_t(cells.height));
    const std::size_t used = std::size_t(cells.width) * Cells::side;
    std::vector<std::uint16_t> columns(used);
    auto* out = cells.luma.data();
    for (int cy = 0; cy < cells.height; ++cy) {
        std::fill(columns.begin(), columns.end(), std::uint16_t(0));
        for (int y = cy * Cells::side; y < (cy + 1) * Cells::side; ++y) {
            const std::uint8_t* row = i420.data[0] + std::ptrdiff_t(y) * i420.linesize[0];
            for (std::size_t x = 0; x < used; ++x) columns[x] = std::uint16_t(columns[x] + row[x]);
        }
        for (std::size_t x = 0; x < used; x += Cells::side) {
            unsigned sum = 0;
            for (std::size_t k = 0; k < Cells::side; ++k) sum += columns[x + k];
            *out++ = std::uint16_t(sum * unit / (Cells::side * Cells::side));
        }
    }
    return cells;
}

std::vector<std::uint8_t> changed(const Cells& before, const Cells& now) {
    std::vector<std::uint8_t> out(now.luma.size(), 0);
    if (!now.same_size(before)) return out;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = std::abs(int(now.luma[i]) - int(before.luma[i])) > least_change;
    drop_single(now.width, now.height, out);
    return out;
}

std::vector<schema::Box> regions(const Cells& size, std::span<const std::uint8_t> changed) {
    std::vector<schema::Box> boxes;
    std::vector<std::uint8_t> left(changed.begin(), changed.end());
    std::vector<int> todo;
    for (int start = 0; start < int(left.size()); ++start) {
        if (!left[std::size_t(start)]) continue;
        int x0 = size.width, y0 = size.height, x1 = 0, y1 = 0, count = 0;
        todo.assign(1, start);
        left[std::size_t(start)] = 0;
        while (!todo.empty()) {
            const int at = todo.back(), x = at % size.width, y = at / size.width;
            todo.pop_back();
            ++count;
            x0 = std::min(x0, x), y0 = std::min(y0, y), x1 = std::max(x1, x), y1 = std::max(y1, y);
            // A gap of one cell still joins: a moving thing is seldom changed all over.
            for (int ny = std::max(0, y - 2); ny <= std::min(size.height - 1, y + 2); ++ny)
                for (int nx = std::max(0, x - 2); nx <= std::min(size.width - 1, x + 2); ++nx) {
                    auto& next = left[std::size_t(ny * size.width + nx)];
                    if (next) todo.push_back(ny * size.width + nx);
                    next = 0;
                }
        }
        if (count < 2) continue;
        schema::Box box;
        box.x = float(x0 * Cells::side), box.y = float(y0 * Cells::side);
        box.width = float((x1 - x0 + 1) * Cells::side), box.height = float((y1 - y0 + 1) * Cells::side);
        box.score = float(count) / float((x1 - x0 + 1) * (y1 - y0 + 1));
        boxes.push_back(box);
    }
    std::stable_sort(boxes.begin(), boxes.end(), [](const schema::Box& a, const schema::Box& b) {
        return a.width * a.height > b.width * b.height;
    });
    return boxes;
}

bool MotionGate::still(const AVFrame& i420, std::int64_t capture_ns) {
    if (!spec_.on) return false;
    Cells now = cells_of(i420);
    const bool first = !now.same_size(background_) || capture_ns < last_ns_;
    if (first) {
        changed_.assign(now.luma.size(), 0);
        deviation_.assign(now.luma.size(), 0);
        background_ = std::move(now);
        share_ = 0;
        last_ns_ = last_full_ns_ = capture_ns;
        return false;
    }
    // Weight of this frame, in 1/256: by the time since the last, so that the rate does not matter.
    const double dt = double(capture_ns - last_ns_) / 1e9;
    const int weight = std::clamp(int(std::lround(256 * (1 - std::exp(-dt / memory_s)))), 1, 256);
    last_ns_ = capture_ns;

    std::vector<std::uint8_t> moved(now.luma.size());
    for (std::size_t i = 0; i < moved.size(); ++i) {
        const int distance = std::abs(int(now.luma[i]) - int(background_.luma[i]));
        moved[i] = distance > std::max(least_change, usual_changes * int(deviation_[i]));
        const auto towards = [&](int mean, int value) {
            const int step = (value - mean) * weight;
            // Away from zero, or a mean would never arrive.
            return std::uint16_t(mean + (step >= 0 ? step + 255 : step - 255) / 256);
        };
        deviation_[i] = towards(deviation_[i], std::min(distance, least_change));
        background_.luma[i] = towards(background_.luma[i], now.luma[i]);
    }
    drop_single(now.width, now.height, moved);
    changed_ = std::move(moved);
    const auto count = std::count(changed_.begin(), changed_.end(), std::uint8_t(1));
    share_ = changed_.empty() ? 0 : double(count) / double(changed_.size());
    const bool due = capture_ns - last_full_ns_ >= std::int64_t(spec_.full_every_s * 1e9);
    if (share_ > spec_.threshold || due) last_full_ns_ = capture_ns;
    return last_full_ns_ != capture_ns;
}

std::vector<schema::Box> MotionGate::moving() const {
    return regions(background_, changed_);
}

}  // namespace sl::media
