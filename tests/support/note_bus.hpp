// A worker's bus that only notes what was asked of it.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/worker/stage.hpp"

namespace sl::test {

class NoteBus final : public worker::BusApi {
public:
    struct Sent {
        std::uint64_t req = 0;
        schema::Token token;
        bus::Envelope message;
    };
    struct Passed {
        std::string to;  // worker or pool
        bus::Envelope message;
    };
    std::vector<bus::Envelope> posted;
    std::vector<Sent> sent;      // to the broker
    std::vector<Passed> passed;  // to peers
    std::set<schema::Token> held;
    std::map<std::string, schema::Peer> peers;
    std::set<std::string> full;  // pools without room
    bool drain = false;

    void post(bus::Envelope item) override { posted.push_back(std::move(item)); }
    const schema::Peer* peer(const std::string& worker) const override {
        const auto at = peers.find(worker);
        return at == peers.end() ? nullptr : &at->second;
    }
    void send(bus::Envelope message) override { sent.push_back({0, {}, std::move(message)}); }
    void forget(const schema::Token&) override {}
    void hold(const schema::Token& t) override { held.insert(t); }
    void release(const schema::Token& t) override { held.erase(t); }
    bool draining() const override { return drain; }
    const std::string& id() const override { return id_; }
    void to_any(const std::string& pool, bus::Envelope message) override {
        passed.push_back({pool, std::move(message)});
    }
    void to_home(const std::string& worker, bus::Envelope message) override {
        passed.push_back({worker, std::move(message)});
    }
    bool blocked(const std::string& pool) const override { return full.contains(pool); }
    bool serves(const std::string& pool) const override {
        for (const auto& [id, p] : peers)
            if (p.pool == pool && id != id_) return true;
        return false;
    }

    const Sent& last(const std::string& type) const {
        for (auto s = sent.rbegin(); s != sent.rend(); ++s)
            if (s->message.type() == type) return *s;
        throw std::runtime_error("no " + type + " was sent");
    }
    std::size_t count(const std::string& type) const {
        std::size_t n = 0;
        for (const auto& s : sent) n += s.message.type() == type;
        return n;
    }

protected:
    std::uint64_t next_request() override { return ++req_; }
    void send_request(std::uint64_t req, const schema::Token& token, bus::Envelope m) override {
        sent.push_back({req, token, std::move(m)});
    }

private:
    const std::string id_ = "me";
    std::uint64_t req_ = 0;
};

}  // namespace sl::test
