// Tells the brokers which worker ended, and why: `exited` of PROTOCOL.md section 5, to all of them, repeated
// until one answered (the one that leads). Used by one thread.
#pragma once

#include <deque>
#include <vector>
#include <zmq.hpp>

#include "common/bus/security.hpp"
#include "common/ids.hpp"
#include "schema/messages.hpp"

namespace sl::cli {

class ExitReports {
public:
    // `endpoints`: jobs sockets of all brokers. The context outlives this.
    static Result<ExitReports> open(zmq::context_t& context, const std::vector<std::string>& endpoints,
                                    const bus::Security& security);

    void tell(schema::Exited report);
    // Sends again what is due; returns when to call it next.
    Clock::time_point tick(Clock::time_point now);
    void receive();  // takes in answers; when a socket of sockets() is readable

    // Names the supervisor to the broker: only the one that a worker names in its hello is believed.
    const std::string& id() const { return id_; }
    std::vector<zmq::socket_t>& sockets() { return sockets_; }
    std::size_t unanswered() const { return open_.size(); }

private:
    struct Open {
        schema::Exited report;
        Clock::time_point due{};
    };
    static constexpr std::size_t most =
        1000;  // the oldest are forgotten: by then the broker knows from silence
    static constexpr std::chrono::milliseconds again{250};

    std::string id_ = make_ulid();
    std::vector<zmq::socket_t> sockets_;
    std::deque<Open> open_;
    std::uint64_t last_ = 0;
};

}  // namespace sl::cli
