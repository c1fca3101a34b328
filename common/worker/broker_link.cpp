#include "common/worker/broker_link.hpp"

#include <algorithm>

#include "common/log.hpp"

namespace sl::worker {

BrokerLink::BrokerLink(zmq::context_t& context, std::string id, std::vector<bus::BrokerEndpoints> brokers,
                       Clock::duration round, const bus::Security& security)
    : context_(context),
      id_(std::move(id)),
      brokers_(std::move(brokers)),
      round_(round),
      security_(security) {}

Result<void> BrokerLink::connect() {
    socket_.emplace(bus::make_socket(context_, bus::Kind::dealer, &security_));
    if (gate_) gate_->watch(*socket_, "broker");
    socket_->set(zmq::sockopt::routing_id, id_);
    return bus::connect(*socket_, brokers_[at_].workers);
}

void BrokerLink::tick(Clock::time_point now, const schema::Bytes& hello) {
    if (brokers_.size() > 1 && now - heard_ > round_ * 2) {
        if (joined_) log::warn("broker_silent", "worker={} broker={}", id_, at());
        joined_ = false;
        at_ = (at_ + 1) % brokers_.size();
        heard_ = now;
        hello_at_ = {};
        if (auto ok = connect(); !ok) log::warn("broker_unreachable", "{}", ok.error().text());
    }
    if (!joined_ && now >= hello_at_) say_hello(now, hello);
    for (auto& [req, r] : requests_)
        if (now - r.sent >= round_ * 2) repeat(r, now);
}

Clock::time_point BrokerLink::next_tick(Clock::time_point now) const {
    return joined_ ? now + round_ : std::max(now, std::min(hello_at_, now + round_));
}

void BrokerLink::say_hello(Clock::time_point now, const schema::Bytes& hello) {
    std::vector<zmq::message_t> frames;
    frames.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
    frames.emplace_back(hello.data(), hello.size());
    // Not connected yet: again as soon as it may be.
    hello_at_ = now + (bus::send(*socket_, frames) ? round_ * 2 : round_ / 5);
}

std::optional<std::vector<zmq::message_t>> BrokerLink::receive() {
    auto frames = bus::receive(*socket_);
    if (frames) heard_ = Clock::now();
    return frames;
}

void BrokerLink::send(bus::Envelope message) {
    std::vector<zmq::message_t> frames;
    message.append_to(frames);
    bus::send(*socket_, frames);
}

void BrokerLink::joined(bool yes) {
    joined_ = yes;
    if (yes)
        for (auto& [req, r] : requests_) repeat(r, Clock::now());
}

void BrokerLink::request(std::uint64_t req, const schema::Token& token, bus::Envelope message) {
    auto& r = requests_[req];
    r.token = token;
    message.append_to(r.frames);
    repeat(r, Clock::now());
}

void BrokerLink::repeat(Request& r, Clock::time_point now) {
    r.sent = now;
    if (!joined_) return;
    std::vector<zmq::message_t> frames(r.frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) frames[i].copy(r.frames[i]);
    bus::send(*socket_, frames);
}

std::optional<schema::Token> BrokerLink::answered(std::uint64_t req) {
    const auto r = requests_.find(req);
    if (r == requests_.end()) return std::nullopt;
    auto token = r->second.token;
    requests_.erase(r);
    return token;
}

void BrokerLink::forget(const schema::Token& token) {
    std::erase_if(requests_, [&](const auto& r) { return r.second.token == token; });
}

bool BrokerLink::waits_for(const schema::Token& token) const {
    return std::any_of(requests_.begin(), requests_.end(),
                       [&](const auto& r) { return r.second.token == token; });
}

}  // namespace sl::worker
