#include "common/bus/gate.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <set>
#include <thread>

#include "common/ids.hpp"
#include "common/log.hpp"
#include "common/mailbox.hpp"
#include "common/thread_name.hpp"

namespace sl::bus {
namespace {

constexpr const char* zap_endpoint = "inproc://zeromq.zap.01";
constexpr int failed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;

constexpr const char* this_host = "this host";

bool local(const zmq::message_t& endpoint) {
    return endpoint.to_string_view().starts_with("ipc://");
}

std::string peer_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    std::array<char, INET_ADDRSTRLEN> text{};
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "one that is gone";
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    return ::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
}

std::string why(int event, std::uint32_t value, bool listens) {
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
            return "one side has keys, the other has none";
        if (value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) return "its keys are of another fleet";
    }
    return listens ? "it spoke another protocol, or stopped in mid-handshake"
                   : "it closed the connection: its keys are of another fleet, or it is none of ours";
}

}  // namespace

class Gate::Thread {
public:
    Thread(zmq::context_t& context, const Security* security, std::atomic<std::uint64_t>& refused)
        : context_(context), refused_(refused) {
        if (security) keys_ = security->keys;
        std::promise<void> ready;
        auto is_ready = ready.get_future();
        thread_ = std::thread([this, r = std::move(ready)]() mutable { run(std::move(r)); });
        try {
            is_ready.get();
        } catch (...) {  // another gate serves this context
            thread_.join();
            throw;
        }
    }
    ~Thread() {
        orders_.close();
        thread_.join();
    }

    // Returns when the events of that monitor are taken: libzmq would wait for a reader.
    void watch(const std::string& monitor, const std::string& name, bool listens) {
        const auto done = std::make_shared<std::promise<void>>();
        orders_.put([this, monitor, name, listens, done] {
            Watched& w = watched_.emplace_back();
            w.name = name;
            w.listens = listens;
            w.events = zmq::socket_t(context_, zmq::socket_type::pair);
            w.events.set(zmq::sockopt::rcvhwm, 0);  // never blocks libzmq's own thread
            w.events.set(zmq::sockopt::linger, 0);
            w.events.connect(monitor);
            done->set_value();
        });
        done->get_future().get();
    }

private:
    struct Watched {
        std::string name;
        bool listens = false;
        zmq::socket_t events;
        std::map<std::uint32_t, std::string> peers;  // file descriptor → address, as long as it is connected
        std::string failure;                         // of the connection that is reported closed next
        bool closed = false;
    };

    void run(std::promise<void> ready) {
        name_thread("gate");
        zmq::socket_t zap(context_, zmq::socket_type::rep);
        try {
            zap.set(zmq::sockopt::linger, 0);
            if (keys_) zap.bind(zap_endpoint);
        } catch (const zmq::error_t&) {
            return ready.set_exception(std::current_exception());
        }
        ready.set_value();
        while (true) {
            std::vector<zmq::pollitem_t> polled{{zap.handle(), 0, ZMQ_POLLIN, 0},
                                                {nullptr, orders_.fd(), ZMQ_POLLIN, 0}};
            for (auto& w : watched_) polled.push_back({w.events.handle(), 0, ZMQ_POLLIN, 0});
            zmq::poll(polled.data(), polled.size(), std::chrono::milliseconds(-1));
            if (polled[1].revents & ZMQ_POLLIN) {
                auto order = orders_.try_take();
                if (!order) break;  // closed
                (*order)();
                continue;
            }
            if (polled[0].revents & ZMQ_POLLIN) answer(zap);
            for (auto& w : watched_)
                for (int i = 0; i < 256 && take_event(w); ++i) continue;
            watched_.remove_if([](const Watched& w) { return w.closed; });
        }
        watched_.clear();
        if (keys_) zap.unbind(zap_endpoint);  // at once: closing takes a while
    }

    // One request of RFC 27: version, number, domain, address, identity, mechanism, the peer's public key.
    void answer(zmq::socket_t& zap) {
        std::vector<std::string> frames;
        zmq::message_t frame;
        do {
            if (!zap.recv(frame)) return;
            frames.push_back(frame.to_string());
        } while (frame.more());
        frames.resize(7);
        std::array<char, 41> key{};
        const bool ok = frames[5] == "CURVE" && frames[6].size() == 32 &&
                        zmq_z85_encode(key.data(), reinterpret_cast<const std::uint8_t*>(frames[6].data()),
                                       frames[6].size()) &&
                        admits(frames[2], key.data());
        if (!ok) refuse(frames[2], frames[3], "its key is not admitted there");
        const std::array<std::string, 6> reply{
            "1.0", frames[1], ok ? "200" : "400", ok ? "OK" : "this key is not admitted", "", ""};
        for (std::size_t i = 0; i < reply.size(); ++i)
            zap.send(zmq::buffer(reply[i]),
                     i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }

    bool admits(const std::string& domain, const std::string& key) {
        if (key == keys_->own.public_key) return true;
        if (domain != "clients") return false;
        read_clients();
        for (const auto& [name, known] : keys_->clients)
            if (key == known) return true;
        return false;
    }

    // Clients may be added and removed while the fleet runs: for new connections the file is what counts.
    void read_clients() {
        struct stat info {};
        if (::stat(keys_->file.c_str(), &info) != 0) return;
        const std::pair now{std::int64_t(info.st_ino),
                            info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
        if (now == read_) return;
        read_ = now;
        if (auto keys = load_keys(keys_->file))
            keys_->clients = std::move(keys->clients);
        else
            log::warn("keys_unreadable", "{}: the clients known so far stay admitted", keys.error().text());
    }

    bool take_event(Watched& w) {
        zmq::message_t head, endpoint;
        if (!w.events.recv(head, zmq::recv_flags::dontwait)) return false;
        if (!w.events.recv(endpoint, zmq::recv_flags::dontwait) || head.size() != 6) return true;
        std::uint16_t event = 0;
        std::uint32_t value = 0;
        std::memcpy(&event, head.data<char>(), sizeof event);
        std::memcpy(&value, head.data<char>() + sizeof event, sizeof value);
        if (event == ZMQ_EVENT_ACCEPTED) {
            w.peers[value] = local(endpoint) ? this_host : peer_of(int(value));
        } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL && local(endpoint)) {
            return true;  // somebody looks whether the socket is alive (dead_sockets.hpp), or was killed
        } else if (event & failed) {
            w.failure = why(event, value, w.listens);
        } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
            w.failure = "it does not admit our key";
        } else if (event == ZMQ_EVENT_DISCONNECTED) {
            const auto peer = w.peers.find(value);  // none: this side connected
            if (!w.failure.empty())
                refuse(w.name, peer == w.peers.end() ? endpoint.to_string() : peer->second, w.failure);
            w.failure.clear();
            if (peer != w.peers.end()) w.peers.erase(peer);
        } else if (event == ZMQ_EVENT_MONITOR_STOPPED) {
            w.closed = true;
        }
        return true;
    }

    void refuse(const std::string& where, const std::string& address, const std::string& reason) {
        ++refused_;
        // Unix sockets have no address but ":user:group:process".
        const std::string from = address.empty() || address[0] == ':' ? this_host : address;
        constexpr std::size_t most = 10000;
        if (told_.size() < most && told_.insert(where + " " + from + " " + reason).second)
            log::warn("connection_refused", "socket={} address={} why={}", where, from, reason);
    }

    zmq::context_t& context_;
    std::optional<Keys> keys_;
    std::pair<std::int64_t, std::int64_t> read_;  // which file the clients were read from: inode, time
    Mailbox<std::function<void()>> orders_;
    std::list<Watched> watched_;
    std::set<std::string> told_;
    std::atomic<std::uint64_t>& refused_;
    std::thread thread_;
};

Gate::Gate(zmq::context_t& context, const Security* security)
    : context_(context), thread_(std::make_unique<Thread>(context, security, refused_)) {}

Gate::~Gate() {
    // First: an event that nobody takes would hold up libzmq's own thread.
    for (auto* socket : watched_) zmq_socket_monitor(socket->handle(), nullptr, 0);
}

void Gate::watch(zmq::socket_t& socket, const std::string& name) {
    const bool listens = socket.get(zmq::sockopt::type) != ZMQ_DEALER;
    const std::string monitor = "inproc://gate." + make_ulid();
    // A listener's own refusals are told by the answers of ZAP.
    if (zmq_socket_monitor(socket.handle(), monitor.c_str(),
                           failed | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_MONITOR_STOPPED |
                               (listens ? ZMQ_EVENT_ACCEPTED : ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)) != 0)
        throw zmq::error_t();
    if (std::find(watched_.begin(), watched_.end(), &socket) == watched_.end()) watched_.push_back(&socket);
    thread_->watch(monitor, name, listens);
}

}  // namespace sl::bus
