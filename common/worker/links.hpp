// Links: the PUSH sockets of one worker. One to any worker of a pool, one to each home.
// Bus thread only.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/bus/socket.hpp"
#include "schema/messages.hpp"

namespace sl::worker {

class Links {
public:
    // `security` outlives this.
    Links(zmq::context_t& context, std::string host, std::string process, const bus::Security& security)
        : context_(context), host_(std::move(host)), process_(std::move(process)), security_(security) {}

    // Takes over a new set of peers; returns who is gone.
    std::vector<schema::Peer> update(const std::vector<schema::Peer>& peers);

    // Queues a message; flush() sends what the peers have room for. Nobody in the pool, or the home is gone:
    // dropped and counted.
    void to_any(const std::string& pool, bus::Envelope message);
    void to_home(const std::string& worker, bus::Envelope message);

    const schema::Peer* peer(const std::string& worker) const {
        const auto at = peers_.find(worker);
        return at == peers_.end() ? nullptr : &at->second;
    }
    bool blocked() const { return !waiting_.empty(); }  // some peer is full: do not compute ahead
    bool blocked(const std::string& pool) const;
    bool serves(const std::string& pool, const std::string& but_for) const;  // has another worker
    void flush();
    // The sockets that waiting messages wait for, to poll for output.
    std::vector<zmq::socket_t*> full();
    std::uint64_t dropped() const { return dropped_; }

private:
    struct Pool {
        zmq::socket_t socket;
        std::map<std::string, std::string> connected;  // worker → endpoint
    };
    struct Waiting {
        std::string pool;
        std::vector<zmq::message_t> frames;
    };
    std::string reach(const schema::Peer& peer) const;  // the endpoint to use, or empty
    void join(Pool& pool, const schema::Peer& peer);

    zmq::context_t& context_;
    const std::string host_, process_;
    const bus::Security& security_;
    std::map<std::string, schema::Peer> peers_;
    std::map<std::string, Pool> pools_;           // by pool name, made at first use
    std::map<std::string, zmq::socket_t> homes_;  // by worker, made at first use
    std::deque<Waiting> waiting_;                 // in order; one head blocks its own pool only
    std::uint64_t dropped_ = 0;
};

}  // namespace sl::worker
