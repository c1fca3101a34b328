// Members: the workers that the broker knows, what they list, and which home slots are used.
// Pure but for the clock values it is given. Loop thread only. Rule numbers: PROTOCOL.md section 8.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/ids.hpp"
#include "schema/messages.hpp"

namespace sl::broker {

// "detect/yolox_nano@1" → "detect", "live/detect/yolox_nano@1" → "live/detect".
std::string stage_of_pool(const std::string& pool);

struct Member {
    schema::Hello hello;
    Clock::time_point heard{};
    std::set<schema::Token> held;                  // its last listing
    bool listed = false;                           // since this broker leads
    std::uint64_t expects = 0;                     // number of the last EXPECT that was sent to it
    std::map<schema::Token, std::uint64_t> slots;  // used slots: token → number of its EXPECT
    std::int64_t items = 0, busy_ms = 0, still_ms = 0, dropped = 0, bad_messages = 0;
    std::string last_error;
    bool draining = false;
    std::int64_t drain_ms = 0;  // ordered: its deadline
    std::uint64_t peers = 0;    // number of the last PEERS that was sent to it
    Clock::time_point peers_sent{};

    std::int32_t free_slots() const { return draining ? 0 : hello.slots - std::int32_t(slots.size()); }
};

class Members {
public:
    // Takes a worker in. An error refuses it: another engine than the pool's, a missing root, …
    Result<bool /*new*/> hello(const schema::Hello& hello, const std::vector<std::string>& roots,
                               Clock::time_point now);
    Member* find(const std::string& worker);
    void erase(const std::string& worker, Clock::time_point now);
    // Who supervises a worker, and its pool: of today's workers and of those that left within a minute.
    struct Origin {
        std::string supervisor, pool;
    };
    Origin origin(const std::string& worker) const;
    std::map<std::string, Member>& all() { return members_; }
    const std::map<std::string, Member>& all() const { return members_; }

    // Workers unheard for longer than `limit`.
    std::vector<std::string> silent(Clock::time_point now, Clock::duration limit) const;
    // Peers to announce: everybody who is not draining.
    std::vector<schema::Peer> peers() const;
    bool serves(const std::string& pool) const;
    // Pools of a job that nobody serves now, or not with the engine that the job is pinned to.
    std::vector<std::string> missing(const schema::JobSpec& spec,
                                     const std::map<std::string, std::string>& engines) const;
    std::string engine(const std::string& pool) const;  // of its workers; empty: none

    std::set<std::string> open_pools;  // their breaker is open: as if nobody served them

private:
    struct Left {
        Origin origin;
        Clock::time_point at{};
    };
    std::map<std::string, Member> members_;
    std::map<std::string, Left> left_;
};

}  // namespace sl::broker
