// Noops: the jobs of the pipeline `noop`, a part of the job table. One unit, which one worker acknowledges;
// no streams and no files, so they end as soon as that is recorded. They may come by ten thousands a second:
// each is a small object, and what changed is written by the batch: one field of the record "noops"
// (schema/redis/KEYS.md) and one log entry a kind of change, at the next write().
//
// Used by the broker's loop thread only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/job.hpp"
#include "schema/small_units.hpp"

namespace sl::broker {

struct Noop {
    const std::string* id = nullptr;              // of its entry in the table
    std::shared_ptr<const schema::JobSpec> spec;  // without the id and the time; shared by who came together
    std::string key;                              // the client's
    JobState state = JobState::queued;
    bool changed = false;  // since the last write()
    std::int64_t submitted_ns = 0, started_ns = 0, ended_ns = 0;
    std::int32_t attempt = 0;
    std::uint64_t nonce = 0;  // of its last lease; while it is current, the lease is in a list of that nonce
    std::string holder;       // while leased
    std::size_t place_in_list = 0;
    std::uint64_t place = 0;  // in the queue
    std::uint64_t page = 0;   // where it was written last
    bool leased() const { return !holder.empty(); }
    bool pending() const { return !is_terminal(state) && !leased(); }
};

class Noops {
public:
    Noops() = default;
    // Everything points into it. Only explorers of the job table copy one, and theirs has no no-ops.
    Noops(const Noops& other);
    Noops& operator=(const Noops& other) { return *this = Noops(other); }
    Noops(Noops&&) = default;
    Noops& operator=(Noops&&) = default;

    // --- clients. Of an id that is not known yet.
    void submit(std::shared_ptr<const schema::JobSpec> spec, const std::string& id, const std::string& key);
    void cancel(const std::string& id);
    void forget(const std::string& id);  // it has ended, and write() was called since

    // --- leases
    // Of up to `room` that are first in line: by priority, then age. All have the nonce of the answer.
    schema::NoopLeases lease(const std::string& holder, std::int64_t room);
    bool current(const schema::Token& token) const;
    void done(std::uint64_t nonce, const std::vector<std::string>& ids);  // stale ones: nothing
    void lost(const schema::Token& token);
    std::int64_t held(const std::string& worker) const;
    // Leases of one nonce, and since when their holder knows of them, or last said that it has them.
    struct List {
        std::string holder;
        Clock::time_point told = Clock::time_point::max();
        std::vector<const Noop*> noops;  // nullptr: no longer leased under this nonce
        std::size_t open = 0;            // the others
    };
    std::map<std::uint64_t, List>& lists() { return lists_; }
    const std::map<std::uint64_t, List>& lists() const { return lists_; }
    static schema::Token token(const Noop& noop);

    // --- looking
    const Noop* find(const std::string& id) const;
    const Noop* by_key(const std::string& key) const;
    Job view(const Noop& noop) const;  // as a job, for those who look at jobs
    const std::unordered_map<std::string, Noop>& all() const { return all_; }
    std::size_t pending() const { return pending_.size(); }
    std::size_t changed() const { return changed_.size(); }  // since the last write()

    // --- the store
    // What changed since the last call: one write, and the bodies of the log entries with their kinds, in
    // order.
    std::vector<std::pair<const char*, std::string>> write(Journal& j);
    Result<void> load(const std::map<std::string, std::string>& fields);

private:
    struct Page {
        std::size_t entries = 0, live = 0;  // live: this is where they were written last
    };
    Noop* entry(const std::string& id) { return const_cast<Noop*>(find(id)); }
    void change(Noop& noop);
    void queue(Noop& noop, std::uint64_t place);
    void let_go(Noop& noop);
    void end(Noop& noop, JobState state);
    void erase(Noop& noop);
    void write_page(Journal& j);

    std::unordered_map<std::string, Noop> all_;
    std::unordered_map<std::string, Noop*> keys_;
    std::map<std::pair<std::int32_t, std::uint64_t>, Noop*> pending_;  // by falling priority, then age
    std::map<std::uint64_t, List> lists_;                              // by nonce
    std::deque<Noop*> ended_;                                          // the oldest first
    std::vector<Noop*> changed_;
    std::vector<const Noop*> queued_, started_, succeeded_, canceled_;  // of them, what to tell
    std::vector<std::string> forgotten_;                                // to be written
    std::uint64_t places_ = 0;
    // The pages are a log: of a job's entries the last one counts, so they are erased in order only.
    std::deque<Page> pages_;
    std::uint64_t first_page_ = 1;  // number of the first of them
    std::size_t entries_ = 0;       // of all pages
};

}  // namespace sl::broker
