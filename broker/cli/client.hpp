// A client of the broker: requests and replies of PROTOCOL.md section 3, as JSON values. Used by one thread.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "common/bus/security.hpp"
#include "schema/result.hpp"

namespace sl::cli {

class Client {
public:
    struct Options {
        std::vector<std::string> endpoints;       // jobs sockets of all brokers: the one that leads answers
        std::chrono::milliseconds timeout{5000};  // for one request, re-sends included
        std::chrono::milliseconds resend{1000};   // first re-send; doubles. Of several brokers: two rounds
        bus::Security security{};                 // with keys: CURVE
    };
    // The context outlives the client.
    Client(zmq::context_t& context, Options options) : context_(context), options_(std::move(options)) {}

    // Sends {type, …} and waits for its reply. Sent again while there is none: every request is idempotent,
    // submit by its key. The broker's refusals come back as errors with their code; unavailable: no answer;
    // canceled: interrupted.
    Result<nlohmann::json> request(nlohmann::json fields);

    zmq::context_t& context() { return context_; }
    const std::vector<std::string>& endpoints() const { return options_.endpoints; }
    const bus::Security& security() const { return options_.security; }

private:
    Result<void> open();
    Result<std::optional<nlohmann::json>> receive(const std::string& req);

    zmq::context_t& context_;
    const Options options_;
    // One DEALER for all endpoints: what is sent again goes to the next broker that is there. Only the one
    // that leads listens, so that is the one that leads, once a former leader's connection is known to be
    // dead.
    std::optional<zmq::socket_t> socket_;
};

// What the reply of a refused request says, as an Error. ADMISSION_REJECT and POOL_UNAVAILABLE read as
// unavailable.
Error refusal(const nlohmann::json& reply);

}  // namespace sl::cli
