// Gate: decides who may connect to the sockets of one context, and remembers who was turned away.
//
// It answers libzmq's ZAP (RFC 27) from the key file, and listens to the handshakes of the sockets it
// watches. A thread of its own. Make it after the sockets and before they are bound; end it before they are
// closed (declare it after them).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "common/bus/security.hpp"

namespace sl::bus {

class Gate {
public:
    // `security` may be null or without keys: then it only watches. It is copied.
    Gate(zmq::context_t& context, const Security* security);
    ~Gate();
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    // Called by the socket's thread, before bind or connect; again when another socket took its place. The
    // object stays where it is as long as the gate. `name` is what the log calls it.
    void watch(zmq::socket_t& socket, const std::string& name);

    // Connections that did not get through their handshake: no key or a wrong one, another protocol, silence.
    std::uint64_t refused() const { return refused_; }

private:
    class Thread;

    zmq::context_t& context_;
    std::atomic<std::uint64_t> refused_{0};
    std::vector<zmq::socket_t*> watched_;
    std::unique_ptr<Thread> thread_;
};

}  // namespace sl::bus
