// Stage: one kind of work, and what the loop of every worker (worker.hpp) promises to it.
//
// Two threads run a worker. The bus thread owns every socket and never computes; the work thread computes
// and never talks. work() runs on the work thread, one item at a time; the hooks below it run on the bus
// thread and must return at once. State that both use must be guarded by the stage.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/bus/socket.hpp"
#include "common/ids.hpp"
#include "schema/messages.hpp"

namespace sl::worker {

// What work() may do with its results. Work thread only; blocks while the links are full.
class Emit {
public:
    virtual ~Emit() = default;
    // To any worker of the pool (or stage) that has room. Dropped, counted, if the pool has nobody.
    virtual void to_any(const std::string& pool, bus::Envelope message) = 0;
    // To one worker. Dropped, counted, if it is gone.
    virtual void to_home(const std::string& worker, bus::Envelope message) = 0;
    // To the broker, repeated until answered. T has `req` and `token`; a stale answer stops the token.
    template <typename T>
    void request(T message, std::vector<schema::Bytes> payload = {}) {
        const schema::Token token = message.token;  // before the message is moved from
        request_(token,
                 [message = std::move(message), payload = std::move(payload)](std::uint64_t req) mutable {
                     message.req = req;
                     auto e = bus::Envelope::make(message);
                     for (auto& p : payload) e.payload.push_back(bus::to_frame(std::move(p)));
                     return e;
                 });
    }
    // Hands a result to the stage's own on_result, on the bus thread.
    virtual void to_bus(std::function<void()> on_bus_thread) = 0;
    // True once the unit was dropped (canceled, or leased to another): give it up at the next good moment.
    // Asking is also the sign of life of long work: an item that neither asks nor emits for a minute is
    // stuck.
    virtual bool stopped(const schema::Token& token) const = 0;
    // False when the worker is not among the peers: what is for it need not be worked on.
    virtual bool reachable(const std::string& worker) const = 0;

protected:
    using Maker = std::function<bus::Envelope(std::uint64_t req)>;
    virtual void request_(const schema::Token& token, Maker make) = 0;
};

// What the bus-thread hooks may do.
class BusApi {
public:
    virtual ~BusApi() = default;
    virtual void post(bus::Envelope item) = 0;  // to work()
    // Repeated until answered; the answer comes to on_answer with the number that is returned here.
    template <typename T>
    std::uint64_t request(T message, std::vector<schema::Bytes> payload = {}) {
        const std::uint64_t req = next_request();
        message.req = req;
        auto e = bus::Envelope::make(message);
        for (auto& p : payload) e.payload.push_back(bus::to_frame(std::move(p)));
        send_request(req, message.token, std::move(e));
        return req;
    }
    virtual void forget(const schema::Token& token) = 0;  // unanswered requests of the token are not repeated
    virtual void hold(const schema::Token& token) = 0;    // listed in every beat from now on
    virtual void release(const schema::Token& token) = 0;  // no longer; also stops work on it
    virtual bool draining() const = 0;
    virtual const schema::Peer* peer(const std::string& worker) const = 0;  // null: not among the peers
    virtual void send(bus::Envelope message) = 0;  // to the broker, once: it may be lost
    virtual const std::string& id() const = 0;     // this worker's
    // As Emit's, but without waiting: what a pool has no room for is kept until it has. Who asks blocked()
    // before each message to a pool never has more than one there.
    virtual void to_any(const std::string& pool, bus::Envelope message) = 0;
    virtual void to_home(const std::string& worker, bus::Envelope message) = 0;
    virtual bool blocked(const std::string& pool) const = 0;  // something waits for room there
    virtual bool serves(const std::string& pool) const = 0;   // it has a worker, other than this one

protected:
    virtual std::uint64_t next_request() = 0;
    virtual void send_request(std::uint64_t req, const schema::Token& token, bus::Envelope message) = 0;
};

// The pieces of a chunk that an item from a peer is about.
struct Claim {
    schema::Token token;
    std::string home;
    std::vector<schema::Piece> pieces;
};

class Stage {
public:
    virtual ~Stage() = default;

    // --- work thread
    // Exceptions are caught by the loop and told to the broker as FAIL{INTERNAL} of the item's token.
    virtual void work(bus::Envelope& item, Emit& emit) = 0;

    // --- bus thread
    // What an item is about; nullopt: its home is not asked before it is worked on.
    virtual std::optional<Claim> claim(const bus::Envelope&) const { return std::nullopt; }
    // The home wants these pieces only.
    virtual void narrow(bus::Envelope&, const std::vector<schema::Piece>&) {}
    // A task, or a message from a peer or the broker that the loop does not know; true: taken (it is not
    // queued to work()).
    virtual bool intercept(bus::Envelope&, BusApi&) { return false; }
    virtual void on_answer(const schema::Token&, const schema::Answer&, bus::Envelope&, BusApi&) {}
    virtual void on_drop(const schema::Token&, BusApi&) {}
    virtual void on_gone(const std::vector<schema::Peer>&, BusApi&) {}  // after each change of the peers
    virtual void on_tick(Clock::time_point, BusApi&) {}
    virtual bool idle() const { return true; }  // draining: nothing is held any more
    // What peers send is taken by intercept() and read at any time; else only while nothing waits for work().
    virtual bool gathers() const { return false; }
    // A descriptor of the stage's own: while it is readable, on_wake is called. -1: none.
    virtual int wake_fd() const { return -1; }
    virtual void on_wake(BusApi&) {}
};

}  // namespace sl::worker
