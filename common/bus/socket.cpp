#include "common/bus/socket.hpp"

#include <cerrno>
#include <memory>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace sl::bus {

namespace {

// Called by libzmq, in whichever thread is the last to hold the frame.
void free_frame(void*, void* bytes) {
    delete static_cast<schema::Bytes*>(bytes);
}

}  // namespace

zmq::message_t to_frame(schema::Bytes bytes) {
    auto owner = std::make_unique<schema::Bytes>(std::move(bytes));
    void* data = owner->data();
    const std::size_t n = owner->size();
    zmq::message_t frame(data, n, &free_frame, owner.get());
    [[maybe_unused]] const auto* now_owned_by_frame = owner.release();
    return frame;
}

Envelope&& Envelope::with(schema::Bytes bytes) && {
    payload.push_back(to_frame(std::move(bytes)));
    return std::move(*this);
}
Envelope&& Envelope::with(zmq::message_t frame) && {
    payload.push_back(std::move(frame));
    return std::move(*this);
}

Envelope Envelope::copy() {
    Envelope e;
    e.header_ = header_;
    e.type_ = type_;
    e.from = from;
    for (auto& frame : payload) {
        e.payload.emplace_back();
        e.payload.back().copy(frame);
    }
    return e;
}

Result<Envelope> Envelope::parse(std::vector<zmq::message_t> frames) {
    if (frames.size() < 2)
        return Error{Errc::bad_message,
                     "cannot read a message of " + std::to_string(frames.size()) + " frames", ""};
    const auto first = frames[0].to_string_view();
    if (first != schema::protocol_id)
        return Error{Errc::unsupported_version,
                     "cannot read a message whose first frame is not '" + std::string(schema::protocol_id) +
                         "' (" + std::to_string(first.size()) + " bytes)",
                     "use a client and workers of the same protocol as the broker"};
    Envelope e;
    const auto* data = static_cast<const std::uint8_t*>(frames[1].data());
    e.header_.assign(data, data + frames[1].size());
    auto handle = schema::unpack(e.header_, "header");
    if (!handle) return handle.error();
    const auto& map = handle->get().via.map;
    for (std::uint32_t i = 0; i < map.size; ++i) {
        const auto& key = map.ptr[i].key;
        const auto& val = map.ptr[i].val;
        if (key.type != msgpack::type::STR || val.type != msgpack::type::STR) continue;
        if (std::string_view(key.via.str.ptr, key.via.str.size) == "type")
            e.type_.assign(val.via.str.ptr, val.via.str.size);
    }
    if (e.type_.empty()) return Error{Errc::bad_message, "cannot read a header without a type", ""};
    for (std::size_t i = 2; i < frames.size(); ++i) e.payload.push_back(std::move(frames[i]));
    return e;
}

void Envelope::append_to(std::vector<zmq::message_t>& frames) {
    frames.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
    frames.push_back(to_frame(std::move(header_)));
    for (auto& frame : payload) frames.push_back(std::move(frame));
    payload.clear();
}

namespace {

// Which of the gate's lists of keys holds for those who connect here (gate.cpp).
const char* domain_of(Kind kind) {
    return kind == Kind::jobs_router || kind == Kind::events_xpub ? "clients" : "workers";
}

bool listens(Kind kind) {
    return kind == Kind::jobs_router || kind == Kind::workers_router || kind == Kind::events_xpub ||
           kind == Kind::pull || kind == Kind::pull_home;
}

void lock(zmq::socket_t& s, Kind kind, const Keys& keys) {
    using namespace zmq::sockopt;
    if (listens(kind)) {
        s.set(curve_server, true);
        s.set(curve_secretkey, keys.server.secret_key);
        s.set(zap_domain, domain_of(kind));
    } else {
        s.set(curve_serverkey, keys.server.public_key);
        s.set(curve_publickey, keys.own.public_key);
        s.set(curve_secretkey, keys.own.secret_key);
    }
}

// A host that vanished sends no FIN. The kernel's own probes find out, also while a peer that is full reads
// nothing (ZeroMQ's heartbeats would cut it off), and a stopped process is not taken for a lost host.
void outlive_hosts(zmq::socket_t& s) {
    using namespace zmq::sockopt;
    s.set(tcp_keepalive, 1);
    s.set(tcp_keepalive_idle, 1);   // s
    s.set(tcp_keepalive_intvl, 1);  // s
    s.set(tcp_keepalive_cnt, 3);
    s.set(tcp_maxrt, 3000);        // ms that sent bytes may stay unacknowledged
    s.set(connect_timeout, 2000);  // ms; the kernel alone would try for two minutes, ever more rarely
    s.set(handshake_ivl, 5000);    // ms for a connection to say who it is, else it is closed
    s.set(backlog, 1024);          // connections that wait for accept(); the kernel has its own limit
}

}  // namespace

zmq::socket_t make_socket(zmq::context_t& context, Kind kind, const Security* security) {
    using zmq::socket_type;
    const auto type = [&] {
        switch (kind) {
            case Kind::jobs_router:
            case Kind::workers_router:
                return socket_type::router;
            case Kind::dealer:
                return socket_type::dealer;
            case Kind::events_xpub:
                return socket_type::xpub;
            case Kind::events_sub:
                return socket_type::sub;
            case Kind::pull:
            case Kind::pull_home:
                return socket_type::pull;
            case Kind::push_any:
            case Kind::push_home:
                break;
        }
        return socket_type::push;
    }();
    zmq::socket_t s(context, type);
    using namespace zmq::sockopt;
    s.set(zmq::sockopt::linger,
          0);  // nothing here relies on a close that flushes: what matters is answered, or asked for again
    s.set(ipv6, false);
    s.set(reconnect_ivl, 50);
    s.set(reconnect_ivl_max, 200);  // a broker that restarts gives its workers a second to come back
    outlive_hosts(s);
    if (security && security->keys) lock(s, kind, *security->keys);
    switch (kind) {
        case Kind::jobs_router:
            s.set(maxmsgsize, std::int64_t(1) << 20);
            s.set(sndhwm, 10000);
            s.set(rcvhwm, 10000);
            s.set(router_mandatory, true);  // a reply to a client that left is counted, not silently lost
            s.set(router_handover, true);
            break;
        case Kind::workers_router:
            s.set(maxmsgsize, std::int64_t(64) << 20);
            s.set(sndhwm, 0);  // bounded by slots, tasks and one answer per request
            s.set(rcvhwm, 1000);
            s.set(router_mandatory, true);
            s.set(router_handover, true);  // a worker that reconnects keeps its name
            break;
        case Kind::dealer:
            s.set(maxmsgsize, std::int64_t(64) << 20);
            s.set(sndhwm, 0);
            s.set(rcvhwm, 0);
            s.set(immediate, true);  // while the broker is away nothing piles up: the sender repeats itself
            break;
        case Kind::events_xpub:
            s.set(sndhwm, 10000);  // a subscriber this far behind loses events and asks for them by `log`
            s.set(rcvhwm, 1000);
            s.set(xpub_verboser, true);  // every subscription is seen, so that each gets its welcome
            break;
        case Kind::events_sub:
            s.set(rcvhwm, 100000);
            s.set(maxmsgsize, std::int64_t(1) << 20);
            break;
        case Kind::pull:
            s.set(rcvhwm, 1);  // a chunk or batch is large: megabytes each
            break;
        case Kind::pull_home:
            s.set(rcvhwm, 0);  // slots bound it, and nothing may block toward a home
            break;
        case Kind::push_any:
            s.set(sndhwm, 1);
            s.set(immediate, true);  // never queue for a worker that is not there yet
            break;
        case Kind::push_home:
            s.set(sndhwm, 0);
            break;
    }
    return s;
}

Result<void> bind(zmq::socket_t& socket, const std::string& endpoint, const Security* security) {
    if (auto ok = (security ? *security : Security{}).may_listen(endpoint); !ok) return ok;
    try {
        socket.bind(endpoint);
        return {};
    } catch (const zmq::error_t& e) {
        return Error{e.num() == EADDRINUSE ? Errc::conflict : Errc::unavailable,
                     "cannot listen on " + endpoint + ": " + e.what(),
                     e.num() == EADDRINUSE
                         ? "another process listens there: end it or choose another endpoint"
                         : "check that the folder or address exists on this host"};
    }
}

Result<void> connect(zmq::socket_t& socket, const std::string& endpoint) {
    try {
        socket.connect(endpoint);
        return {};
    } catch (const zmq::error_t& e) {
        return Error{Errc::invalid_argument, "cannot connect to " + endpoint + ": " + e.what(), ""};
    }
}

namespace {

// Over inproc the receiver reads the sender's memory. ThreadSanitizer, which does not see what libzmq does,
// is told that the one comes after the other.
void leaves([[maybe_unused]] zmq::message_t& frame) {
#ifdef __SANITIZE_THREAD__
    __tsan_release(frame.data());
#endif
}
void arrived([[maybe_unused]] zmq::message_t& frame) {
#ifdef __SANITIZE_THREAD__
    __tsan_acquire(frame.data());
#endif
}

}  // namespace

bool send(zmq::socket_t& socket, std::vector<zmq::message_t>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const auto flags = (i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none) |
                           zmq::send_flags::dontwait;
        // Only the first frame of a message can find the socket full.
        leaves(frames[i]);
        if (!socket.send(frames[i], flags)) return false;
    }
    frames.clear();
    return true;
}

std::optional<std::vector<zmq::message_t>> receive(zmq::socket_t& socket) {
    std::vector<zmq::message_t> frames;
    do {
        frames.emplace_back();
        if (!socket.recv(frames.back(), zmq::recv_flags::dontwait)) return std::nullopt;
        arrived(frames.back());
    } while (frames.back().more());
    return frames;
}

}  // namespace sl::bus
