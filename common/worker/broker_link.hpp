// BrokerLink: a worker's side of the control plane. One DEALER to the broker that leads, found among the
// configured endpoints; requests repeated until answered. Bus thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/bus/endpoint.hpp"
#include "common/bus/gate.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"
#include "schema/types.hpp"

namespace sl::worker {

class BrokerLink {
public:
    // `id` is the routing id: the broker knows the worker by it. `security` outlives this.
    BrokerLink(zmq::context_t& context, std::string id, std::vector<bus::BrokerEndpoints> brokers,
               Clock::duration round, const bus::Security& security);
    // `gate` (may be null) tells when a broker does not admit this worker; it ends before this object.
    Result<void> open(bus::Gate* gate) {
        gate_ = gate;
        return connect();
    }

    // Says `hello` until welcomed, repeats what is unanswered, and tries the next endpoint when this one was
    // silent for two rounds (rule 26).
    void tick(Clock::time_point now, const schema::Bytes& hello);
    Clock::time_point next_tick(Clock::time_point now) const;

    std::optional<std::vector<zmq::message_t>> receive();
    void send(bus::Envelope message);  // lost while nobody is connected
    void say_hello(Clock::time_point now, const schema::Bytes& hello);

    bool joined() const { return joined_; }
    void joined(bool yes);  // welcomed: everything unanswered is said at once
    const std::string& at() const { return brokers_[at_].jobs; }

    std::uint64_t next_request() { return ++last_request_; }
    void request(std::uint64_t req, const schema::Token& token, bus::Envelope message);
    // The token of an open request, which is closed; nullopt: answered before.
    std::optional<schema::Token> answered(std::uint64_t req);
    void forget(const schema::Token& token);
    bool waits_for(const schema::Token& token) const;
    bool idle() const { return requests_.empty(); }

    zmq::socket_t& socket() { return *socket_; }

private:
    struct Request {
        schema::Token token;
        std::vector<zmq::message_t> frames;
        Clock::time_point sent{};
    };
    Result<void> connect();
    void repeat(Request& r, Clock::time_point now);

    zmq::context_t& context_;
    const std::string id_;
    const std::vector<bus::BrokerEndpoints> brokers_;
    const Clock::duration round_;
    const bus::Security& security_;
    bus::Gate* gate_ = nullptr;
    std::size_t at_ = 0;
    std::optional<zmq::socket_t> socket_;
    bool joined_ = false;
    Clock::time_point heard_ = Clock::now(), hello_at_{};
    std::uint64_t last_request_ = 0;
    std::map<std::uint64_t, Request> requests_;
};

}  // namespace sl::worker
