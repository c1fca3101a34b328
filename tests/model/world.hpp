// World: a few small jobs in the production job table, what its store holds, and the tokens that were given
// out. An explorer copies it, lets one of its actions happen, and looks at what became of it.
//
// Who speaks is not modelled: whoever was given a token, however long ago, may send anything at any time.
// That is more than real workers do, so what holds here holds for them.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/job_table.hpp"

namespace sl::model {

using broker::Job;
using broker::JobTable;
using broker::Journal;
using schema::Token;

// A job that is submitted, and what may happen to it.
struct Shape {
    std::string job = "01JOB";
    std::vector<int> chunks;    // of each stream
    bool alerts = false;        // the first step of the first stream raises one, and it is delivered
    std::string failing = {};   // "scan", "chunk 0/1" …: what FAILs in a way that may be retried
    std::string striking = {};  // the same: what workers die of
    bool again = false;         // a failed job is retried, an ended one forgotten
    bool bad_input = true;      // streams that cannot be read, inputs that change between two scans
    bool cancel = true;
    bool keep_partial = true;  // cancel comes in both ways
};

// A broken promise: what, and where.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};
void require(bool holds, const std::string& what);

struct World;
struct Action {
    std::string name;
    bool good = false;  // what a healthy fleet does next; the others are faults and orders
    std::function<void(World&, Journal&)> act;
    bool outlives_broker = true;  // false: a lease that a table that takes over does not know
};

struct World {
    // The shapes outlive the world.
    World(const std::vector<Shape>& s, std::uint64_t e) : shapes(&s), table(e, {}) {}

    const std::vector<Shape>* shapes;
    JobTable table;
    store::Records records;
    std::map<std::string, std::uint64_t> canonical;  // record/field → hash of what matters in its value
    std::vector<store::LogEntry> alerts;             // of the log, for a table that is loaded
    std::vector<Token> tokens;                       // given out; of each unit the last few
    std::map<std::string, int> terminal_events;      // by job, since it last began
    store::LogId last_id;
    bool opened = false;  // the targets of alerts have their places

    const Job* job(const std::string& id) const;
    // Equal for worlds that differ in random numbers, times and counts of attempts alone.
    std::uint64_t digest() const;
    // What the journal says is durable now. Throws Violation when it says what it must not.
    void commit(const Journal& journal);
    // Another broker takes over: its table is loaded from the records.
    void fail_over(std::uint64_t epoch);
    // What every leader does with a table that it has loaded.
    void open_targets(JobTable& loaded) const;
};

// Who gets alerts.
const broker::OutboxOptions& targets();

// Everything that may happen now.
std::vector<Action> enabled(const World& world);
// Messages that must change nothing now: of tokens that are not current, of the wrong unit, repeated, early.
// Throws Violation when one changes something or is answered wrongly; returns how many were sent.
std::size_t probe(World& world);

// Equal for journals that differ in random numbers, times and counts of attempts alone.
std::uint64_t digest(const Journal& journal);

// The values that rules 18 and 19 make pure functions of their place.
schema::Bytes state_before(std::int32_t stream, std::int64_t seq);
schema::Bytes detections_of(std::int32_t stream, std::int64_t seq);

// Everything that a table holds and a store keeps, as text.
std::string describe(const JobTable& table);

// What holds in every state, and over every transition. Throw Violation.
void check_state(const World& world);
void check_transition(const World& before, const World& after, const std::string& action);

}  // namespace sl::model
