#include "workers/alert/router.hpp"

#include <algorithm>
#include <cmath>

namespace sl::alert {
namespace {

constexpr std::int64_t first_rest_ns = 250'000'000;
constexpr std::int64_t longest_rest_ns = 30'000'000'000;

bool wanted(const Target& target, const schema::Alert& alert) {
    const auto& classes = target.classes;
    return double(alert.box.score) >= target.min_score &&
           (classes.empty() || std::ranges::find(classes, alert.class_name) != classes.end());
}

// At most max_per_minute within any minute; below one a minute, one within any 1 / max_per_minute minutes.
bool admit(const Target& target, std::deque<std::int64_t>& admitted, std::int64_t now_ns) {
    if (target.max_per_minute <= 0) return true;
    const double most = std::max(1.0, std::floor(target.max_per_minute));
    const double window_ns = 60e9 / std::min(1.0, target.max_per_minute);
    while (!admitted.empty() && double(now_ns - admitted.front()) >= window_ns) admitted.pop_front();
    if (double(admitted.size()) >= most) return false;
    admitted.push_back(now_ns);
    return true;
}

bool worth_a_retry(Errc code) {
    return code == Errc::unavailable || code == Errc::timeout || code == Errc::io;
}

std::int64_t rest_ns(int failures) {
    return failures > 7 ? longest_rest_ns : std::min(longest_rest_ns, first_rest_ns << (failures - 1));
}

}  // namespace

Result<Router> Router::open(const std::vector<Target>& targets, Options options,
                            std::span<const SinkPlugin* const> table) {
    Router router(options);
    for (const Target& target : targets) {
        const auto refuse = [&](const std::string& why, const std::string& hint) {
            return Error{Errc::invalid_argument, "cannot open alert target '" + target.name + "': " + why,
                         hint};
        };
        if (std::ranges::any_of(router.lanes_,
                                [&](const Lane& lane) { return lane.target.name == target.name; }))
            return refuse("there are two of that name", "name each of alerts.targets differently");
        const auto row =
            std::ranges::find_if(table, [&](const SinkPlugin* p) { return p->name == target.sink; });
        if (row == table.end()) {
            std::string names;
            for (const SinkPlugin* p : table) names += (names.empty() ? "" : ", ") + std::string(p->name);
            return refuse("there is no sink '" + target.sink + "'", "sinks: " + names);
        }
        auto sink = (*row)->open(target);
        if (!sink) return sink.error();
        router.lanes_.push_back({target, std::move(*sink), {}, 0, INT64_MIN});
    }
    return router;
}

Delivery Router::empty() const {
    Delivery out;
    for (const Lane& lane : lanes_) out.targets[lane.target.name];
    return out;
}

Delivery Router::deliver(std::span<const schema::Alert> alerts, std::int64_t now_ns) {
    Delivery out = empty();
    for (const schema::Alert& alert : alerts) {
        for (Lane& lane : lanes_) {
            Outcome& outcome = out.targets[lane.target.name];
            if (!wanted(lane.target, alert))
                ++outcome.filtered;
            else if (!admit(lane.target, lane.admitted, now_ns))
                ++outcome.limited;
            else
                send(lane, {alert, lane.target.name, 0, now_ns}, now_ns, out);
        }
    }
    return out;
}

Delivery Router::deliver(std::span<const Retry> retries, std::int64_t now_ns) {
    Delivery out = empty();
    for (const Retry& item : retries) {
        const auto lane =
            std::ranges::find_if(lanes_, [&](const Lane& l) { return l.target.name == item.target; });
        if (lane == lanes_.end()) {
            // The target was taken out of the configuration meanwhile.
            ++out.targets[item.target].dead;
        } else if (item.due_ns > now_ns) {
            ++out.targets[item.target].retry;
            out.retry.push_back(item);
        } else {
            send(*lane, item, now_ns, out);
        }
    }
    return out;
}

void Router::send(Lane& lane, Retry item, std::int64_t now_ns, Delivery& out) {
    Outcome& outcome = out.targets[lane.target.name];
    if (now_ns < lane.rest_until_ns) {  // not tried, so not an attempt
        item.due_ns = lane.rest_until_ns;
        ++outcome.retry;
        out.retry.push_back(std::move(item));
        return;
    }
    const auto sent = lane.sink->send(item.alert);
    if (sent) {
        lane.failures = 0;
        ++outcome.sent;
        return;
    }
    outcome.last_error = sent.error().text();
    if (!worth_a_retry(sent.error().code)) {
        ++outcome.dead;
        return;
    }
    lane.rest_until_ns = now_ns + rest_ns(++lane.failures);
    ++item.attempts;
    if (options_.max_attempts > 0 && item.attempts >= options_.max_attempts) {
        ++outcome.dead;
        return;
    }
    item.due_ns = lane.rest_until_ns;
    ++outcome.retry;
    out.retry.push_back(std::move(item));
}

}  // namespace sl::alert
