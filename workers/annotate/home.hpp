// Home: what an annotate worker does with the chunks whose leases it holds: fetch, gather, step, render,
// commit. Bus thread only, but for the table of items that its work thread renders.
//
//   EXPECT → fetching → (all pieces) GATHERED → waiting → (turn) STEP → (ok) rendering → DONE → (ok) gone
//
// Rules 8 to 20 of PROTOCOL.md section 8.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>

#include "common/worker/stage.hpp"
#include "workers/annotate/step.hpp"

namespace sl::annotate {

// Everything that rendering a chunk needs, handed from the bus thread to the work thread.
struct RenderItem {
    schema::Expect lease;
    zmq::message_t packets;
    schema::StreamState before;
    Stepped stepped;
};

struct LocalRender {  // queued to the work thread by its token
    std::string type = "render";
    schema::Token token;
    MSGPACK_DEFINE_MAP(type, token)
};

class Home {
public:
    // Takes "expect", "nudge", "take", "source" and "detections".
    bool intercept(bus::Envelope& e, worker::BusApi& api);
    void on_answer(const schema::Token& token, const schema::Answer& answer, bus::Envelope& e,
                   worker::BusApi& api);
    void on_drop(const schema::Token& token);
    void on_gone(const std::vector<schema::Peer>& gone, worker::BusApi& api);
    void on_tick(Clock::time_point now, worker::BusApi& api);
    bool idle() const { return gathers_.empty(); }

    // Work thread: the item to render, if the lease is still wanted.
    std::shared_ptr<RenderItem> take_item(const schema::Token& token);
    // Bus thread: what became of it.
    void rendered(const schema::Token& token,
                  Result<std::pair<std::vector<schema::Part>, schema::Counters>> result, worker::BusApi& api);

private:
    enum class Phase { fetching, asking, waiting, stepping, rendering, committing };
    using Key = std::tuple<std::string, std::int32_t, std::int64_t>;  // job, stream, seq
    // Where a missing piece is (rule 9), as far as is known.
    struct Place {
        enum class Stage { asked, ingest, preprocess, detect } stage = Stage::asked;
        std::string worker;
    };
    struct Gather {
        schema::Expect lease;
        Phase phase = Phase::fetching;
        std::uint64_t fetch = 0;              // the open FETCH; 0: none
        std::vector<schema::Piece> fetching;  // what it asks for
        std::uint64_t request = 0;            // of this phase
        Clock::time_point asked{};            // waiting: the last time it asked whether it is its turn
        std::map<schema::Piece, Place> missing;
        zmq::message_t packets;
        std::map<schema::Piece, schema::Detections> batches;
        schema::StreamState before;                 // S[s], from the answer
        Stepped stepped;                            // from it, and the answer's D[s]
        Clock::time_point moved = Clock::now();     // the last TAKE, arrival or FETCH answer
        std::chrono::milliseconds patience{5'000};  // without any of these, before it asks again (rule 11)
    };

    void expect(schema::Expect lease, worker::BusApi& api);
    void piece(const schema::Token& token, schema::Piece piece, bus::Envelope& e,
               const schema::DetectionsMessage* m, worker::BusApi& api);
    void take(const schema::Take& m, worker::BusApi& api);
    void fetch(Gather& g, worker::BusApi& api);  // every piece whose place is `asked`
    void moved(Gather& g);
    void check_full(Gather& g, worker::BusApi& api);
    void take_turn(Gather& g, bus::Envelope& e, worker::BusApi& api);
    void fail(Gather& g, const Error& error, worker::BusApi& api, std::optional<schema::Piece> where = {});
    void ask_turn(Gather& g, worker::BusApi& api);
    void let_go(const schema::Token& token, worker::BusApi& api);
    Gather* find(const schema::Token& token);
    static Key key(const schema::Token& t) { return {t.job, t.stream, t.seq}; }

    std::map<Key, Gather> gathers_;
    Clock::time_point moved_ = Clock::now();  // the last move of any chunk
    std::deque<Clock::duration> gaps_;        // the last ones between two moves of a chunk

    std::mutex mutex_;
    std::map<schema::Token, std::shared_ptr<RenderItem>> items_;  // guarded by mutex_
};

}  // namespace sl::annotate
