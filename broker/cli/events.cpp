#include "broker/cli/events.hpp"

#include <charconv>

#include "broker/cli/fleet_hint.hpp"
#include "broker/cli/interrupt.hpp"
#include "common/bus/endpoint.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"
#include "common/spelling.hpp"

namespace sl::cli {

using nlohmann::json;
using std::chrono::milliseconds;

Events::Events(Client& client, std::vector<std::string> prefixes)
    : client_(client),
      prefixes_(std::move(prefixes)),
      connections_(client.context(), zmq::socket_type::pair),
      socket_(bus::make_socket(client.context(), bus::Kind::events_sub, &client.security())),
      awaited_(prefixes_.begin(), prefixes_.end()) {
    const std::string name = "inproc://events-" + make_ulid();
    connections_.set(zmq::sockopt::linger, 0);
    if (zmq_socket_monitor(socket_.handle(), name.c_str(), ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0)
        connections_.connect(name);
}

Result<void> Events::start(milliseconds timeout) {
    // All brokers: only the one that leads publishes.
    for (const std::string& endpoint : client_.endpoints()) {
        const auto sockets = bus::broker_endpoints(endpoint);
        if (!sockets) return sockets.error();
        if (auto ok = bus::connect(socket_, sockets->events); !ok) return ok.error();
    }
    for (const std::string& prefix : prefixes_) socket_.set(zmq::sockopt::subscribe, prefix);
    const auto deadline = Clock::now() + timeout;
    while (!awaited_.empty()) {
        if (!wait_for(socket_, ZMQ_POLLIN, std::chrono::ceil<milliseconds>(deadline - Clock::now()))) {
            if (interrupted()) return interrupted_error();
            return Error{
                Errc::unavailable,
                "cannot subscribe to events of " + join(client_.endpoints(), " or ") +
                    ": no welcome within " + std::to_string(timeout.count() / 1000) + " s",
                std::string("its jobs socket may be reachable where its events socket is not; else ") +
                    no_fleet_hint};
        }
        if (auto ok = receive(); !ok) return ok;
    }
    return {};
}

Result<void> Events::receive() {
    while (auto frames = bus::receive(socket_)) {
        // A connection is told before anything comes over it.
        look_for_connections();
        if (auto ok = take(std::move(*frames)); !ok) return ok;
    }
    return {};
}

void Events::look_for_connections() {
    while (bus::receive(connections_)) awaited_.insert(prefixes_.begin(), prefixes_.end());
}

// What was missed goes before what was held back. While the log cannot be had it is asked for again.
Result<void> Events::catch_up() {
    auto ok = replay(base_);
    if (!ok && ok.error().code == Errc::unavailable) return {};
    if (!ok) return ok;
    behind_ = false;
    for (const json& event : pending_)
        if (const std::string id = event.value("id", ""); parse(id) > parse(base_)) base_ = id;
    pending_.insert(pending_.end(), held_.begin(), held_.end());
    held_.clear();
    return {};
}

Result<void> Events::replay(const std::string& since) {
    constexpr int page = 1000;
    json ask{{"type", "log"}, {"topics", prefixes_}, {"limit", page}};
    if (!since.empty()) ask["since"] = since;
    for (;;) {
        auto reply = client_.request(ask);
        if (!reply) return reply.error();
        const json entries = reply->value("entries", json::array());
        for (const json& entry : entries) pending_.push_back(entry);
        if (entries.size() < page) return {};
        ask["since"] = entries.back().value("id", "");
    }
}

Events::Id Events::parse(const std::string& id) {
    Id out{0, 0};
    const char* end = id.data() + id.size();
    const auto [dash, ec] = std::from_chars(id.data(), end, out.first);
    if (ec == std::errc{} && dash != end) std::from_chars(dash + 1, end, out.second);
    return out;
}

Result<void> Events::take(std::vector<zmq::message_t> frames) {
    if (frames.size() < 3 || frames[1].to_string_view() != schema::protocol_id)
        return Error{Errc::unsupported_version,
                     "events come in another protocol than " + std::string(schema::protocol_id),
                     "use the client of the broker's release"};
    const auto* begin = frames[2].data<std::uint8_t>();
    json event = json::from_msgpack(begin, begin + frames[2].size(), true, false);
    if (!event.is_object()) return Error{Errc::bad_message, "an event is no map", ""};
    const std::string id = event.value("id", "");
    if (event.value("kind", "") == "welcome") {
        // With nothing awaited it is another subscriber's to the same prefix.
        if (awaited_.erase(event.value("topic", "")) == 0 || !awaited_.empty()) return {};
        if (base_.empty())
            base_ = id;
        else
            behind_ = true;
    } else if (!base_.empty() && (behind_ || !awaited_.empty())) {
        held_.push_back(std::move(event));
    } else {
        if (!base_.empty() && parse(id) > parse(base_)) base_ = id;
        pending_.push_back(std::move(event));
    }
    return {};
}

Result<std::optional<json>> Events::next(milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        while (!pending_.empty()) {
            json event = std::move(pending_.front());
            pending_.pop_front();
            Id& last = last_[event.value("topic", "")];
            const Id id = parse(event.value("id", ""));
            if (id <= last) continue;  // came twice
            last = id;
            return std::optional(std::move(event));
        }
        if (behind_) {
            if (auto ok = catch_up(); !ok) return ok.error();
            if (!behind_) continue;
        }
        if (!wait_for(socket_, ZMQ_POLLIN, std::chrono::ceil<milliseconds>(deadline - Clock::now())))
            return std::optional<json>();
        if (auto ok = receive(); !ok) return ok.error();
    }
}

}  // namespace sl::cli
