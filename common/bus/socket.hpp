// Sockets and their options, in one place, with reasons; and the multipart envelope of PROTOCOL.md section 2.
// A socket belongs to the thread that made it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "common/bus/security.hpp"
#include "schema/codec.hpp"

namespace sl::bus {

// A message of ours: header map and payload frames. The header is unpacked once.
class Envelope {
public:
    Envelope() = default;
    template <typename T>
    static Envelope make(const T& header) {
        Envelope e;
        e.header_ = schema::encode(header);
        e.type_ = header.type;
        return e;
    }
    // A payload frame that owns its bytes (moved, not copied).
    Envelope&& with(schema::Bytes bytes) &&;
    Envelope&& with(zmq::message_t frame) &&;

    const std::string& type() const { return type_; }
    template <typename T>
    Result<T> as() const {
        return schema::decode<T>(header_, type_);
    }
    std::vector<zmq::message_t> payload;
    std::string from;  // ROUTER: routing id of the sender

    std::span<const std::uint8_t> part(std::size_t i) const {
        return i < payload.size()
                   ? std::span(static_cast<const std::uint8_t*>(payload[i].data()), payload[i].size())
                   : std::span<const std::uint8_t>{};
    }
    const schema::Bytes& header() const { return header_; }
    Envelope copy();  // shares the payload's bytes

    // Frames after the routing id. bad_message / unsupported_version say what was wrong.
    static Result<Envelope> parse(std::vector<zmq::message_t> frames);
    void append_to(std::vector<zmq::message_t>& frames);  // gives the payload away

private:
    schema::Bytes header_;
    std::string type_;
};

zmq::message_t to_frame(schema::Bytes bytes);  // no copy

enum class Kind {
    jobs_router,
    workers_router,
    dealer,
    events_xpub,
    events_sub,
    pull,
    pull_home,
    push_any,
    push_home
};

// A socket of this kind with every option set. With keys in `security` it speaks CURVE: routers, XPUB and
// PULL as servers, beside which a Gate must stand before they are bound (without one every key is let in that
// knows the server's); the others as clients. (inproc stays plain.) `security` is read here and not kept.
zmq::socket_t make_socket(zmq::context_t& context, Kind kind, const Security* security = nullptr);

// bind/connect with a clear error; ipc: a stale socket file is removed, its folder must exist. An endpoint
// that others can reach is refused unless `security` allows it (security.hpp).
Result<void> bind(zmq::socket_t& socket, const std::string& endpoint, const Security* security = nullptr);
Result<void> connect(zmq::socket_t& socket, const std::string& endpoint);

// Non-blocking. false: would block (send) / nothing there (receive).
bool send(zmq::socket_t& socket, std::vector<zmq::message_t>& frames);
std::optional<std::vector<zmq::message_t>> receive(zmq::socket_t& socket);

}  // namespace sl::bus
