// Intake: what waits for the work thread. Items from peers are asked for (`take`) while they wait, so that
// nobody works on a piece that its home has, or expects from another (rule 9). Bus thread only.
#pragma once

#include <deque>
#include <vector>

#include "common/worker/broker_link.hpp"
#include "common/worker/stage.hpp"

namespace sl::worker {

class Intake {
public:
    // `ask` false: everything is worked on (one process: nobody dies alone).
    Intake(Stage& stage, BrokerLink& broker, bool ask) : stage_(stage), broker_(broker), ask_(ask) {}

    struct Item {
        bus::Envelope message;
        std::optional<Claim> claim;
    };

    void put(bus::Envelope message) { queue_.push_back({{std::move(message), std::nullopt}, 0, {}, true}); }
    void put_from_peer(bus::Envelope message);
    void took(const schema::Took& answer);
    void drop(const schema::Token& token);  // tasks of a lease that is over

    // The next item that may be worked on now.
    std::optional<Item> next(Clock::time_point now);
    // When next() will have one that it has not yet: the end of a TAKE's patience.
    std::optional<Clock::time_point> ripe() const;
    bool empty() const { return queue_.empty(); }
    std::size_t size() const { return queue_.size(); }
    std::int64_t spared() const { return spared_; }  // items that their home did not want

private:
    struct Waiting {
        Item item;
        std::uint64_t asked = 0;  // number of the TAKE
        Clock::time_point until{};
        bool settled = false;
    };
    Stage& stage_;
    BrokerLink& broker_;
    const bool ask_;
    std::deque<Waiting> queue_;
    std::int64_t spared_ = 0;
};

}  // namespace sl::worker
