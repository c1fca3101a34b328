// The assignment problem: which rows and columns belong together, so that the sum of weights is largest.
// Weights are whole numbers, so that the answer is the same on every machine. (Debian has no small library
// for it: dlib's takes square matrices only.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sl::annotate {

struct Pair {
    std::size_t row, column;
    std::int64_t weight;  // above 0
};

// Each row and each column occurs in one pair at most; by rising row. Exact (Kuhn 1955, with Jonker and
// Volgenant's shortest paths) for every group of rows and columns that hang together, unless the group has
// more than `most` of either: then the heaviest pair is taken, and so on.
std::vector<Pair> assign(std::vector<Pair> pairs, std::size_t most = 64);

}  // namespace sl::annotate
