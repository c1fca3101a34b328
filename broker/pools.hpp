// Pools: what the broker knows of whole pools: which one is open (its breaker, rule 17), which one an
// operator drains or reloads, and the last thing that went wrong in each. Pure but for the clock values it
// is given. Loop thread only.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/members.hpp"
#include "schema/result.hpp"

namespace sl::broker {

class Pools {
public:
    // --- breaker: five different units in a row failed there
    void failed(const std::string& pool, const schema::Token& unit, const std::string& why,
                Clock::time_point now);
    void worked(const std::string& pool);
    std::set<std::string> open(Clock::time_point now) const;

    // --- reload: one worker after the other begins again
    // conflict: one runs, or a worker of the pool drains; not_found: nobody serves it.
    Result<std::vector<std::string>> reload(const std::string& pool, std::int64_t deadline_ms,
                                            const Members& members, Clock::time_point now);
    bool reloading(const std::string& pool) const { return reloads_.contains(pool); }
    void refused(const std::string& pool, const std::string& worker, const std::string& why);
    struct Order {
        std::string worker;
        schema::Reload message;
    };
    std::vector<Order> due(const Members& members, Clock::time_point now);

    // "ready", "draining", "reloading", "open" or "empty".
    const char* state(const std::string& pool, const Members& members, Clock::time_point now) const;
    std::string last_error(const std::string& pool) const;
    void note(const std::string& pool, const std::string& error) { pools_[pool].last_error = error; }
    void seen(const std::string& pool) { pools_[pool]; }
    std::vector<std::string> known() const;  // every pool that somebody served since this broker leads

private:
    struct Pool {
        std::set<std::string> failed;  // units, in a row, since the last that worked
        Clock::duration rest{};        // doubles
        Clock::time_point open_until{};
        std::string last_error;
    };
    struct Reloading {
        std::deque<std::string> todo;
        std::string at;      // told to, and not gone yet
        std::size_t wanted;  // workers of the pool, before
        std::int64_t deadline_ms;
        Clock::time_point give_up{};
    };
    std::map<std::string, Pool> pools_;
    std::map<std::string, Reloading> reloads_;
};

}  // namespace sl::broker
