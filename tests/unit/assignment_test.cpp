#include "workers/annotate/assignment.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

namespace sl::annotate {
namespace {

std::int64_t sum(const std::vector<Pair>& pairs) {
    std::int64_t out = 0;
    for (const Pair& p : pairs) out += p.weight;
    return out;
}

// The largest sum, by trying everything.
std::int64_t best(const std::vector<Pair>& pairs, std::size_t from = 0, std::size_t rows = 0,
                  std::size_t columns = 0) {
    if (from == pairs.size()) return 0;
    const Pair& p = pairs[from];
    const std::size_t row = std::size_t(1) << p.row, column = std::size_t(1) << p.column;
    const std::int64_t without = best(pairs, from + 1, rows, columns);
    if ((rows & row) || (columns & column)) return without;
    return std::max(without, p.weight + best(pairs, from + 1, rows | row, columns | column));
}

void expect_valid(const std::vector<Pair>& chosen, const std::vector<Pair>& of) {
    std::map<std::size_t, int> rows, columns;
    for (const Pair& p : chosen) {
        EXPECT_EQ(++rows[p.row], 1);
        EXPECT_EQ(++columns[p.column], 1);
        EXPECT_TRUE(std::ranges::any_of(of, [&](const Pair& q) {
            return q.row == p.row && q.column == p.column && q.weight == p.weight;
        }));
    }
    EXPECT_TRUE(std::ranges::is_sorted(chosen, {}, &Pair::row));
}

std::vector<Pair> random_pairs(std::mt19937& random, std::size_t rows, std::size_t columns,
                               unsigned density) {
    std::vector<Pair> out;
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c)
            if (random() % 100 < density) out.push_back({r, c, std::int64_t(1 + random() % 20)});
    return out;
}

TEST(Assignment, IsTheBest) {
    std::mt19937 random(1);
    for (int i = 0; i < 300; ++i) {
        const auto pairs = random_pairs(random, 1 + random() % 5, 1 + random() % 5, 60);
        const auto chosen = assign(pairs);
        expect_valid(chosen, pairs);
        EXPECT_EQ(sum(chosen), best(pairs));
    }
}

TEST(Assignment, DoesNotDependOnTheOrderOfPairs) {
    std::mt19937 random(2);
    auto pairs = random_pairs(random, 30, 30, 15);
    const auto key = [](const std::vector<Pair>& chosen) {
        std::vector<std::pair<std::size_t, std::size_t>> out;
        for (const Pair& p : chosen) out.emplace_back(p.row, p.column);
        return out;
    };
    const auto expected = key(assign(pairs));
    for (int i = 0; i < 20; ++i) {
        std::ranges::shuffle(pairs, random);
        EXPECT_EQ(key(assign(pairs)), expected);
    }
}

TEST(Assignment, OneChainOfChoicesIsFollowedToItsEnd) {
    // Greedy takes 10 and is left with 1; three times 9 is more.
    const std::vector<Pair> pairs{{0, 0, 9}, {0, 1, 10}, {1, 1, 9}, {1, 2, 9}, {2, 2, 9}, {2, 0, 1}};
    EXPECT_EQ(sum(assign(pairs)), 27);
    EXPECT_EQ(sum(assign(pairs, 2)), 10 + 9 + 1) << "too large a group: the heaviest first";
}

TEST(Assignment, LargeGroupsTakeTheHeaviestFirst) {
    std::mt19937 random(3);
    const auto pairs = random_pairs(random, 200, 150, 50);
    const auto chosen = assign(pairs);
    expect_valid(chosen, pairs);
    EXPECT_EQ(chosen.size(), 150u);
    EXPECT_TRUE(assign({}).empty());
}

}  // namespace
}  // namespace sl::annotate
