// What the tracker takes for a frame of so many boxes: one line each, "what <tab> CPU microseconds <tab>
// state's bytes". People walk over a picture that grows with their number; a heap is as many boxes on one
// spot, which no detector leaves there, but a peer may send.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <random>

#include "workers/annotate/tracker.hpp"

namespace {
using sl::schema::Box;

// The same on every machine.
std::vector<sl::schema::FrameBoxes> scene(int people, double side, int frames) {
    std::mt19937 random(1);
    const auto below = [&](int n) { return double(random() % unsigned(n)); };
    struct Walker {
        double x, y, dx, dy;
    };
    std::vector<Walker> walkers;
    for (int i = 0; i < people; ++i)
        walkers.push_back({below(1000) / 1000 * side, below(1000) / 1000 * side, below(9) - 4, below(9) - 4});
    std::vector<sl::schema::FrameBoxes> out;
    for (int f = 0; f < frames; ++f) {
        std::vector<Box> boxes;
        for (auto& w : walkers) {
            w.x += w.dx;
            w.y += w.dy;
            boxes.push_back(
                {float(w.x + below(3)), float(w.y + below(3)), 40, 100, float(0.1 + below(90) / 100), 0, 0});
        }
        std::ranges::sort(boxes, std::greater{}, &Box::score);
        out.push_back({f, f * 100, std::move(boxes)});
    }
    return out;
}

void measure(const std::string& what, int people, double side) {
    constexpr int frames = 300;
    const auto frames_of = scene(people, side, frames);
    sl::annotate::Tracker tracker({}, {1, 1000});
    const std::clock_t start = std::clock();
    for (const auto& frame : frames_of) (void)tracker.update(frame);
    const double us = 1e6 * double(std::clock() - start) / double(CLOCKS_PER_SEC);
    fmt::print("{}\t{:.0f}\t{}\n", what, us / frames, tracker.save().size());
}

}  // namespace

int main() {
    for (const int people : {10, 30, 100, 300})
        measure(fmt::format("{}, walking", people), people, 300 * std::sqrt(people));
    measure("300 in a heap", 300, 20);
}
