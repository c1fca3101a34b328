#include "workers/annotate/assignment.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace sl::annotate {
namespace {

// Columns by row, 0 where a row has none; cost[row][column], as many columns as rows at least.
std::vector<std::size_t> cheapest(const std::vector<std::vector<std::int64_t>>& cost) {
    constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 4;
    const std::size_t rows = cost.size(), columns = cost[0].size();
    // Counted from 1: row and column 0 are where each search begins.
    std::vector<std::int64_t> row_price(rows + 1), column_price(columns + 1);
    std::vector<std::size_t> row_of(columns + 1), before(columns + 1);
    for (std::size_t row = 1; row <= rows; ++row) {
        row_of[0] = row;
        std::size_t column = 0;
        std::vector<std::int64_t> distance(columns + 1, far);
        std::vector<bool> done(columns + 1);
        do {
            done[column] = true;
            const std::size_t at = row_of[column];
            std::int64_t step = far;
            std::size_t next = 0;
            for (std::size_t c = 1; c <= columns; ++c) {
                if (done[c]) continue;
                const std::int64_t d = cost[at - 1][c - 1] - row_price[at] - column_price[c];
                if (d < distance[c]) {
                    distance[c] = d;
                    before[c] = column;
                }
                if (distance[c] < step) {
                    step = distance[c];
                    next = c;
                }
            }
            for (std::size_t c = 0; c <= columns; ++c) {
                if (done[c]) {
                    row_price[row_of[c]] += step;
                    column_price[c] -= step;
                } else {
                    distance[c] -= step;
                }
            }
            column = next;
        } while (row_of[column] != 0);
        for (; column != 0; column = before[column]) row_of[column] = row_of[before[column]];
    }
    std::vector<std::size_t> column_of(rows);
    for (std::size_t c = 1; c <= columns; ++c)
        if (row_of[c] != 0) column_of[row_of[c] - 1] = c - 1;
    return column_of;
}

std::vector<Pair> exact(const std::vector<Pair>& pairs, const std::vector<std::size_t>& rows,
                        const std::vector<std::size_t>& columns) {
    const bool turned = rows.size() > columns.size();
    const auto& few = turned ? columns : rows;
    const auto& many = turned ? rows : columns;
    const auto index = [](const std::vector<std::size_t>& of, std::size_t what) {
        return std::size_t(std::lower_bound(of.begin(), of.end(), what) - of.begin());
    };
    std::vector cost(few.size(), std::vector<std::int64_t>(many.size(), 0));
    for (const Pair& p : pairs)
        cost[index(few, turned ? p.column : p.row)][index(many, turned ? p.row : p.column)] = -p.weight;
    const auto chosen = cheapest(cost);
    std::vector<Pair> out;
    for (std::size_t i = 0; i < few.size(); ++i) {
        const std::size_t a = few[i], b = many[chosen[i]];
        const std::int64_t weight = -cost[i][chosen[i]];
        if (weight > 0) out.push_back(turned ? Pair{b, a, weight} : Pair{a, b, weight});
    }
    return out;
}

std::vector<Pair> greedy(std::vector<Pair> pairs) {
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return std::tuple(-a.weight, a.row, a.column) < std::tuple(-b.weight, b.row, b.column);
    });
    std::set<std::size_t> rows, columns;
    std::vector<Pair> out;
    for (const Pair& p : pairs) {
        if (rows.contains(p.row) || columns.contains(p.column)) continue;
        rows.insert(p.row);
        columns.insert(p.column);
        out.push_back(p);
    }
    return out;
}

}  // namespace

std::vector<Pair> assign(std::vector<Pair> pairs, std::size_t most) {
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return std::tie(a.row, a.column) < std::tie(b.row, b.column);
    });
    // Groups: pairs that share a row or a column, or hang together by others.
    std::vector<std::size_t> leader(pairs.size());
    std::iota(leader.begin(), leader.end(), std::size_t(0));
    const auto find = [&](std::size_t i) {
        while (leader[i] != i) i = leader[i] = leader[leader[i]];
        return i;
    };
    std::map<std::size_t, std::size_t> first_of_row, first_of_column;
    for (std::size_t i = 0; i < pairs.size(); ++i)
        for (const auto& [first, fresh] :
             {first_of_row.try_emplace(pairs[i].row, i), first_of_column.try_emplace(pairs[i].column, i)})
            if (!fresh) {
                const std::size_t a = find(first->second), b = find(i);
                leader[std::max(a, b)] = std::min(a, b);
            }
    std::map<std::size_t, std::vector<Pair>> groups;
    for (std::size_t i = 0; i < pairs.size(); ++i) groups[find(i)].push_back(pairs[i]);

    std::vector<Pair> out;
    for (auto& [unused, group] : groups) {
        std::set<std::size_t> rows, columns;
        for (const Pair& p : group) {
            rows.insert(p.row);
            columns.insert(p.column);
        }
        const auto chosen = rows.size() > most || columns.size() > most
                                ? greedy(std::move(group))
                                : exact(group, {rows.begin(), rows.end()}, {columns.begin(), columns.end()});
        out.insert(out.end(), chosen.begin(), chosen.end());
    }
    std::sort(out.begin(), out.end(), [](const Pair& a, const Pair& b) { return a.row < b.row; });
    return out;
}

}  // namespace sl::annotate
