#include "common/worker/links.hpp"

#include <unistd.h>

#include <algorithm>

#include "common/log.hpp"

namespace sl::worker {

std::string Links::reach(const schema::Peer& peer) const {
    // The nearest endpoint first. ipc is taken only if its socket file is here: containers share a host's
    // name but not its file system.
    for (const auto& e : peer.endpoints)
        if (e.starts_with("inproc://") && peer.process == process_) return e;
    for (const auto& e : peer.endpoints)
        if (e.starts_with("ipc://") && peer.host == host_ && ::access(e.c_str() + 6, W_OK) == 0) return e;
    for (const auto& e : peer.endpoints)
        if (e.starts_with("tcp://")) return e;
    return "";
}

std::vector<schema::Peer> Links::update(const std::vector<schema::Peer>& peers) {
    std::map<std::string, schema::Peer> now;
    for (const auto& p : peers) now[p.worker] = p;
    std::vector<schema::Peer> gone;
    for (const auto& [id, p] : peers_)
        if (!now.contains(id)) gone.push_back(p);
    for (const auto& p : gone) {
        homes_.erase(p.worker);
        const auto pool = pools_.find(p.pool);
        if (pool == pools_.end()) continue;
        const auto at = pool->second.connected.find(p.worker);
        if (at == pool->second.connected.end()) continue;
        try {
            pool->second.socket.disconnect(at->second);
        } catch (const zmq::error_t& e) {
            log::debug("link_disconnect", "worker={} endpoint={} why={}", p.worker, at->second, e.what());
        }
        pool->second.connected.erase(at);
    }
    peers_ = std::move(now);
    for (const auto& [id, p] : peers_)
        if (const auto pool = pools_.find(p.pool); pool != pools_.end()) join(pool->second, p);
    return gone;
}

void Links::join(Pool& pool, const schema::Peer& peer) {
    if (pool.connected.contains(peer.worker)) return;
    const std::string endpoint = reach(peer);
    if (endpoint.empty()) {
        log::warn("peer_unreachable",
                  "worker={} stage={} host={}: it announced no endpoint that this host can reach",
                  peer.worker, peer.stage, peer.host);
    } else if (auto ok = bus::connect(pool.socket, endpoint); ok) {
        pool.connected[peer.worker] = endpoint;
    } else {
        log::warn("peer_unreachable", "worker={} {}", peer.worker, ok.error().message);
    }
}

void Links::to_any(const std::string& pool, bus::Envelope message) {
    if (!pools_.contains(pool)) {
        auto& made =
            pools_.emplace(pool, Pool{bus::make_socket(context_, bus::Kind::push_any, &security_), {}})
                .first->second;
        for (const auto& [id, p] : peers_)
            if (p.pool == pool) join(made, p);
    }
    Waiting w{pool, {}};
    message.append_to(w.frames);
    waiting_.push_back(std::move(w));
    flush();
}

void Links::to_home(const std::string& worker, bus::Envelope message) {
    const auto peer = peers_.find(worker);
    if (peer == peers_.end()) {
        ++dropped_;
        return;
    }
    auto home = homes_.find(worker);
    if (home == homes_.end()) {
        const std::string endpoint = reach(peer->second);
        auto socket = bus::make_socket(context_, bus::Kind::push_home, &security_);
        if (endpoint.empty() || !bus::connect(socket, endpoint)) {
            ++dropped_;
            return;
        }
        home = homes_.emplace(worker, std::move(socket)).first;
    }
    std::vector<zmq::message_t> frames;
    message.append_to(frames);
    if (!bus::send(home->second, frames)) ++dropped_;  // no high-water mark: does not happen
}

bool Links::blocked(const std::string& pool) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.pool == pool; });
}

bool Links::serves(const std::string& pool, const std::string& but_for) const {
    return std::any_of(peers_.begin(), peers_.end(),
                       [&](const auto& p) { return p.second.pool == pool && p.first != but_for; });
}

void Links::flush() {
    std::set<std::string> full;
    for (auto w = waiting_.begin(); w != waiting_.end();) {
        const auto pool = pools_.find(w->pool);
        if (pool == pools_.end() || pool->second.connected.empty()) {
            ++dropped_;  // the home asks again when the pool has somebody
            w = waiting_.erase(w);
        } else if (!full.contains(w->pool) && bus::send(pool->second.socket, w->frames)) {
            w = waiting_.erase(w);
        } else {
            full.insert(w->pool);
            ++w;
        }
    }
}

std::vector<zmq::socket_t*> Links::full() {
    std::vector<zmq::socket_t*> sockets;
    for (const auto& w : waiting_) {
        auto* s = &pools_.at(w.pool).socket;
        if (std::find(sockets.begin(), sockets.end(), s) == sockets.end()) sockets.push_back(s);
    }
    return sockets;
}

}  // namespace sl::worker
