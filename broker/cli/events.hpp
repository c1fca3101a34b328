// A subscriber of the brokers' events sockets that misses nothing: it knows by the welcome when its
// subscription is in force, and after a new connection (to the same broker, or to the next that leads) holds
// back what comes until the welcome, then asks the log for what it missed. Used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/cli/client.hpp"

namespace sl::cli {

class Events {
public:
    // Topic prefixes, as "alert." and "job.01H….": the client outlives this.
    Events(Client& client, std::vector<std::string> prefixes);

    // Subscribes and waits for the welcome of every prefix. From then on nothing is missed.
    Result<void> start(std::chrono::milliseconds timeout);
    // Puts what the log still holds after `since` (an id; "": all) before what comes.
    Result<void> replay(const std::string& since);

    // The next event {id, topic, kind, job, time_ns, body}: each once, per topic in order.
    // Empty: none within `timeout`, or interrupted.
    Result<std::optional<nlohmann::json>> next(std::chrono::milliseconds timeout);

private:
    using Id = std::pair<std::uint64_t, std::uint64_t>;
    static Id parse(const std::string& id);
    Result<void> take(std::vector<zmq::message_t> frames);
    Result<void> receive();
    void look_for_connections();
    Result<void> catch_up();

    Client& client_;
    const std::vector<std::string> prefixes_;
    zmq::socket_t connections_;  // hears of those of socket_, and outlives it: nobody may block on telling
    zmq::socket_t socket_;
    std::set<std::string> awaited_;       // prefixes without a welcome on the newest connection
    bool behind_ = false;                 // the log after base_ is to be asked for
    std::string base_;                    // everything up to here was taken in
    std::map<std::string, Id> last_;      // delivered, by topic
    std::deque<nlohmann::json> pending_;  // to deliver
    std::deque<nlohmann::json> held_;     // came while behind or before the welcome
};

}  // namespace sl::cli
