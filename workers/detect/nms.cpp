#include "workers/detect/nms.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace sl::detect {

bool stronger(const schema::Box& a, const schema::Box& b) {
    return std::tie(b.score, a.class_id, a.x, a.y, a.width, a.height) <
           std::tie(a.score, b.class_id, b.x, b.y, b.width, b.height);
}

double iou(const schema::Box& a, const schema::Box& b) {
    const double w = std::min(double(a.x) + a.width, double(b.x) + b.width) - std::max(a.x, b.x);
    const double h = std::min(double(a.y) + a.height, double(b.y) + b.height) - std::max(a.y, b.y);
    if (w <= 0 || h <= 0) return 0;
    const double both = w * h;
    return both / (double(a.width) * a.height + double(b.width) * b.height - both);
}

std::vector<schema::Box> suppress(std::vector<schema::Box> boxes, double limit, int max_boxes) {
    std::sort(boxes.begin(), boxes.end(), stronger);
    std::vector<schema::Box> kept;
    for (const auto& box : boxes) {
        if (static_cast<int>(kept.size()) >= max_boxes) break;
        const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const schema::Box& k) {
            return k.class_id == box.class_id && iou(k, box) > limit;
        });
        if (!hidden) kept.push_back(box);
    }
    return kept;
}

bool settle(schema::Box& box, float width, float height) {
    const auto grid = [](float v) { return std::round(v * 64) / 64; };
    const float left = std::clamp(grid(box.x), 0.0f, width);
    const float top = std::clamp(grid(box.y), 0.0f, height);
    const float right = std::clamp(grid(box.x + box.width), 0.0f, width);
    const float bottom = std::clamp(grid(box.y + box.height), 0.0f, height);
    box.x = left;
    box.y = top;
    box.width = right - left;
    box.height = bottom - top;
    box.score = std::clamp(std::round(box.score * 1000) / 1000, 0.0f, 1.0f);
    return box.width > 0 && box.height > 0;  // not a number: false
}

}  // namespace sl::detect
