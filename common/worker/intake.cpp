#include "common/worker/intake.hpp"

#include <algorithm>

namespace sl::worker {
namespace {

constexpr std::chrono::milliseconds patience{50};  // for a TAKE's answer

}  // namespace

void Intake::put_from_peer(bus::Envelope message) {
    Waiting w{{std::move(message), std::nullopt}, 0, {}, true};
    w.item.claim = stage_.claim(w.item.message);
    if (ask_ && w.item.claim) {
        schema::Take take;
        take.req = w.asked = broker_.next_request();
        take.token = w.item.claim->token;
        take.home = w.item.claim->home;
        take.pieces = w.item.claim->pieces;
        broker_.send(bus::Envelope::make(take));
        w.until = Clock::now() + patience;
        w.settled = false;
    }
    queue_.push_back(std::move(w));
}

void Intake::took(const schema::Took& answer) {
    const auto w = std::find_if(queue_.begin(), queue_.end(),
                                [&](const Waiting& x) { return x.asked == answer.req && !x.settled; });
    if (w == queue_.end()) return;  // its patience ended before
    w->settled = true;
    if (answer.pieces.empty()) {
        queue_.erase(w);
        ++spared_;
        return;
    }
    w->item.claim->pieces = answer.pieces;
    stage_.narrow(w->item.message, answer.pieces);
}

void Intake::drop(const schema::Token& token) {
    std::erase_if(queue_, [&](const Waiting& w) {
        if (w.item.message.type() != "task") return false;
        const auto task = w.item.message.as<schema::Task>();
        return task && task->token == token;
    });
}

std::optional<Intake::Item> Intake::next(Clock::time_point now) {
    if (queue_.empty() || (!queue_.front().settled && now < queue_.front().until)) return std::nullopt;
    Item item = std::move(queue_.front().item);
    queue_.pop_front();
    return item;
}

std::optional<Clock::time_point> Intake::ripe() const {
    if (queue_.empty() || queue_.front().settled) return std::nullopt;
    return queue_.front().until;
}

}  // namespace sl::worker
