#include "workers/alert/delivery.hpp"

#include <algorithm>
#include <cmath>

namespace sl::alert {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t first_rest_ns = 250'000'000;
constexpr std::int64_t longest_rest_ns = 30 * second_ns;
constexpr int open_after = 3;  // failures in a row
constexpr std::size_t most_held_back = 10'000;

enum class Reaction { away, not_now, refused };
Reaction reaction(Errc code) {
    switch (code) {
        case Errc::unavailable:
        case Errc::timeout:
            return Reaction::away;
        case Errc::io:
            return Reaction::not_now;
        default:
            return Reaction::refused;
    }
}

}  // namespace

// At most max_per_minute within any minute; below one a minute, one within any 1 / max_per_minute minutes.
// The end of an incident always goes where its beginning went.
bool Delivery::admit(const schema::Alert& alert, std::int64_t now_ns) {
    if (target_.max_per_minute <= 0) return true;
    if (alert.kind != "new" && held_back_.contains(alert.alert)) return false;
    if (alert.kind == "end") return true;
    const double most = std::max(1.0, std::floor(target_.max_per_minute));
    const double window_ns = 60e9 / std::min(1.0, target_.max_per_minute);
    while (!admitted_.empty() && double(now_ns - admitted_.front()) >= window_ns) admitted_.pop_front();
    if (double(admitted_.size()) < most) {
        admitted_.push_back(now_ns);
        return true;
    }
    if (alert.kind == "new" && held_back_.insert(alert.alert).second) {
        held_order_.push_back(alert.alert);
        if (held_order_.size() > most_held_back) {
            held_back_.erase(held_order_.front());
            held_order_.pop_front();
        }
    }
    return false;
}

std::int64_t Delivery::rest_ns() {
    const auto whole =
        failures_ > 7 ? longest_rest_ns : std::min(longest_rest_ns, first_rest_ns << (failures_ - 1));
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return whole / 2 + std::int64_t(double(random_ >> 11) * 0x1p-53 * double(whole / 2));
}

Delivery::Outcome Delivery::offer(const schema::Alert& alert, std::int64_t now_ns) {
    if (auto key = alert.key(); key != first_) {
        first_ = std::move(key);
        attempts_ = not_now_ = 0;
        if (!admit(alert, now_ns)) return {Fate::limited, 0, false, 0, ""};
    }
    Outcome out;
    out.attempts = attempts_;
    if (target_.max_age_ns > 0 && alert.decided_ns > 0 && now_ns - alert.decided_ns > target_.max_age_ns) {
        out.fate = Fate::dead;
        out.error = "it waited for more than " + std::to_string(target_.max_age_ns / second_ns) + " s" +
                    (last_error_.empty() ? "" : ": " + last_error_);
        first_.clear();
        return out;
    }
    if (now_ns < rest_until_ns_) {  // not tried, so not an attempt
        out.due_ns = rest_until_ns_;
        return out;
    }
    const auto sent = sink_->send(alert);
    out.tried = true;
    out.attempts = ++attempts_;
    if (sent) {
        failures_ = 0;
        last_error_.clear();
        out.fate = Fate::sent;
        first_.clear();
        return out;
    }
    out.error = last_error_ = sent.error().text();
    const Reaction r = reaction(sent.error().code);
    if (r == Reaction::refused) {
        failures_ = 0;  // it is there
        out.fate = Fate::dead;
        first_.clear();
        return out;
    }
    ++failures_;
    rest_until_ns_ = now_ns + rest_ns();
    if (r == Reaction::not_now && ++not_now_ >= target_.max_attempts && target_.max_attempts > 0) {
        out.fate = Fate::dead;
        first_.clear();
        return out;
    }
    out.due_ns = rest_until_ns_;
    return out;
}

const char* Delivery::state(std::int64_t now_ns) const {
    return failures_ < open_after ? "closed" : now_ns < rest_until_ns_ ? "open" : "half_open";
}

}  // namespace sl::alert
