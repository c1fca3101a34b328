// What clients ask about the delivery of alerts: sinks, alerts_dead; and what the log is told of it.
#include "broker/core.hpp"
#include "common/alert_json.hpp"
#include "common/log.hpp"

namespace sl::broker {

Json Core::sinks_view() const {
    Json targets = Json::array();
    for (const auto& t : table_.outbox().targets()) {
        const bool leased = t.unit.state == Unit::State::leased;
        targets.push_back({{"target", t.name},
                           {"sink", t.sink},
                           {"state", t.state},
                           {"worker", leased ? t.unit.holder : ""},
                           {"sent", t.counts.sent},
                           {"filtered", t.counts.filtered},
                           {"limited", t.counts.limited},
                           {"retried", t.counts.retried},
                           {"dead", t.counts.dead},
                           {"waiting", t.waiting.size() + t.again.size()},
                           {"oldest_ns", table_.outbox().oldest_ns(t)},
                           {"last_error", t.last_error.empty() ? t.unit.trouble.waits_for : t.last_error}});
    }
    return targets;
}

Json Core::dead_view(const std::string& target, std::size_t limit) const {
    Json dead = Json::array();
    for (const DeadLetter* letter : table_.outbox().dead(target, limit))
        dead.push_back({{"target", letter->target},
                        {"key", letter->alert.key()},
                        {"alert", Json::parse(alert_json(letter->alert), nullptr, false)},
                        {"attempts", letter->attempts},
                        {"error", letter->error},
                        {"time_ns", letter->time_ns},
                        {"again", letter->again}});
    return dead;
}

void Core::say_dead() {
    for (const auto& t : table_.outbox().targets()) {
        std::int64_t& said = said_dead_[t.name];
        if (t.counts.dead == said) continue;
        const auto letters = table_.outbox().dead(t.name, 1);
        log::error("alerts_dead", "target={} alerts={} why={}", t.name, t.counts.dead - said,
                   letters.empty() ? "" : letters.front()->error);
        said = t.counts.dead;
    }
}

}  // namespace sl::broker
