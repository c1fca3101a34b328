// Outbox: which alerts each target does not have yet, in the order of the log, and which it never got (dead
// letters). Part of the job table and as pure: no clock, no socket, no store; what changes goes into a
// Journal.
//
// Each target has a place of its own: a cursor in the log, what waits behind it, and one lease `deliver`, so
// that none waits for another. Waiting alerts are read from the log again at the start; one that outlives its
// log entry is kept by itself (keep). Kept in the store as schema/redis/KEYS.md says. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/job.hpp"
#include "common/alert_filter.hpp"
#include "schema/delivery.hpp"

namespace sl::broker {

struct OutboxOptions {
    struct Target {
        std::string name, sink;
        AlertFilter filter;
    };
    std::vector<Target> targets;
    std::size_t waiting = 100'000;                       // alerts for one target, at most
    std::int64_t age_ns = 24 * 3'600'000'000'000;        // the oldest of them; 0: no limit
    std::size_t dead = 10'000;                           // dead letters, at most
    std::int64_t dead_ns = 30 * 24 * 3'600'000'000'000;  // and their age; 0: no limit
};

struct DeadLetter {  // field "{log id}/{target}" of the record "dead_letters"
    std::string target;
    schema::Alert alert;
    std::int32_t attempts = 0;
    std::string error;
    std::int64_t time_ns = 0;  // when it was given up
    bool again = false;        // an operator has it sent again
    MSGPACK_DEFINE_MAP(target, alert, attempts, error, time_ns, again)
};

class Outbox {
public:
    struct Counts {  // alerts, since this broker leads
        std::int64_t sent = 0;
        std::int64_t filtered = 0;
        std::int64_t limited = 0;  // over max_per_minute
        std::int64_t retried = 0;  // sends that failed and were made again
        std::int64_t dead = 0;
    };
    struct Target {
        std::string name, sink;
        AlertFilter filter;
        Unit unit;                         // the lease
        store::LogId delivered;            // all alerts up to it are finished here
        std::deque<store::LogId> waiting;  // after it, the oldest first
        std::deque<store::LogId> again;    // dead letters to be sent again, before those
        std::string state = "closed";      // of the breaker in the worker that has the lease, or had it last
        std::string last_error;            // of the last send; empty: it went well
        std::string last_holder;
        Counts counts;

    private:
        friend class Outbox;
        std::vector<store::LogId> leased;  // `again` first
        std::size_t leased_again = 0, finished = 0;
        std::int64_t lease_limited = 0, lease_retried = 0;
        bool passed = false;            // `delivered` moved on and is not written yet
        std::set<std::string> skipped;  // incidents that began below min_score
        std::deque<std::string> skipped_order;
    };

    // --- start: what the store holds, then who is configured
    Result<void> load(const std::map<std::string, std::string>& fleet,
                      const std::map<std::string, std::string>& outbox,
                      const std::map<std::string, std::string>& dead_letters);
    void load_entry(const store::LogEntry& alert);
    // A target that is new begins after `last`. The names of those that are configured no more, and whose
    // places are given up.
    std::vector<std::string> open(const OutboxOptions& options, store::LogId last, Journal& j);

    // --- alerts
    void add(store::LogId id, const schema::Alert& alert, std::int64_t time_ns, Journal& j);
    // The log up to `upto` is about to be forgotten: alerts that still wait are kept by themselves.
    void keep(store::LogId upto, Journal& j);
    // What waited too long becomes a dead letter, old dead letters go. Does something once a second.
    void tend(std::int64_t at_ns, Journal& j);

    // --- the lease of one target; null: there is no such target
    Target* find(const std::string& name);
    // Takes the first `limit` that wait into the lease that the caller made.
    std::vector<schema::Alert> lease(Target& target, std::size_t limit);
    void lost(Target& target);
    // The caller saw that the lease is current.
    void report(Target& target, const schema::Delivered& report, std::int64_t at_ns, Journal& j);

    // --- dead letters
    std::vector<const DeadLetter*> dead(const std::string& target, std::size_t limit) const;  // newest first
    // How many are sent again. not_found: no such target is configured, or it has no such letter.
    Result<std::size_t> retry(const std::string& target, const std::string& key, Journal& j);

    std::vector<Target>& targets() { return targets_; }
    const std::vector<Target>& targets() const { return targets_; }
    std::size_t undelivered() const { return alerts_.size(); }  // by at least one target
    std::size_t dead_letters() const { return letters_.size(); }
    std::int64_t oldest_ns(const Target& target) const;  // when the first that waits was recorded; 0: none
    static bool pending(const Target& t) { return !t.waiting.empty() || !t.again.empty(); }

private:
    struct Item {
        schema::Alert alert;
        std::int64_t time_ns = 0;
        std::size_t targets = 0;  // that wait for it
        bool kept = false;        // in the record "outbox"
    };
    using LetterKey = std::pair<store::LogId, std::string>;

    static bool wants(Target& target, const schema::Alert& alert);
    bool offer(Target& target, store::LogId id, const schema::Alert& alert);
    void finish(Target& target, std::size_t at, Journal& j);  // waiting[at]
    void release(store::LogId id, Journal& j);
    void give_up(Target& target, std::size_t at, std::int32_t attempts, const std::string& error,
                 std::int64_t at_ns, Journal& j);
    void write_cursor(Target& target, Journal& j);
    void write_letter(const LetterKey& key, Journal& j) const;
    void erase_letter(std::map<LetterKey, DeadLetter>::iterator letter, Journal& j);
    void bound_letters(std::int64_t at_ns, Journal& j);

    OutboxOptions options_;
    std::vector<Target> targets_;
    std::map<store::LogId, Item> alerts_;  // that somebody waits for; before open(): candidates
    std::map<LetterKey, DeadLetter> letters_;
    std::map<std::string, store::LogId> cursors_;  // as loaded, by target; "": of all of them
    std::int64_t tended_ns_ = 0;
};

}  // namespace sl::broker
