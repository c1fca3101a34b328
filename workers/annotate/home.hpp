// Home: what an annotate worker does with the chunks whose leases it holds: fetch, gather, step, render,
// commit. Bus thread only, but for the table of items that its work thread renders.
//
//   EXPECT → fetching → (all pieces) GATHERED → waiting → (turn) STEP → (ok) rendering → DONE → (ok) gone
//
// Rules 8 to 20 of PROTOCOL.md section 8.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <tuple>

#include "common/worker/stage.hpp"

namespace sl::annotate {

// Everything that rendering a chunk needs, handed from the bus thread to the work thread.
struct RenderItem {
    schema::Expect lease;
    zmq::message_t packets;
    schema::StreamState before;
    schema::Detections detections;
};

struct LocalRender {  // queued to the work thread by its token
    std::string type = "render";
    schema::Token token;
    MSGPACK_DEFINE_MAP(type, token)
};

class Home {
public:
    // Takes "expect", "nudge", "source" and "detections".
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
    struct Gather {
        schema::Expect lease;
        Phase phase = Phase::fetching;
        bool fetch_open = false;    // a FETCH is not answered yet
        std::uint64_t request = 0;  // of this phase
        Clock::time_point asked{};  // waiting: the last time it asked whether it is its turn
        std::set<schema::Piece> missing;
        zmq::message_t packets;
        std::map<schema::Piece, schema::Detections> batches;
        schema::StreamState before;                  // S[s], from the answer
        schema::Detections detections;               // D[s], from the answer
        std::chrono::milliseconds patience{15'000};  // without any arrival, before it asks again
    };

    void expect(schema::Expect lease, worker::BusApi& api);
    void piece(const schema::Token& token, schema::Piece piece, bus::Envelope& e,
               const schema::DetectionsMessage* m, worker::BusApi& api);
    void fetch(Gather& g, worker::BusApi& api);
    void check_full(Gather& g, worker::BusApi& api);
    void take_turn(Gather& g, bus::Envelope& e, worker::BusApi& api);
    void fail(Gather& g, const Error& error, worker::BusApi& api);
    void ask_turn(Gather& g, worker::BusApi& api);
    void let_go(const schema::Token& token, worker::BusApi& api);
    Gather* find(const schema::Token& token);
    static Key key(const schema::Token& t) { return {t.job, t.stream, t.seq}; }

    std::map<Key, Gather> gathers_;
    Clock::time_point arrived_ = Clock::now();  // the last piece of any chunk
    Clock::duration longest_gap_{};

    std::mutex mutex_;
    std::map<schema::Token, std::shared_ptr<RenderItem>> items_;  // guarded by mutex_
};

}  // namespace sl::annotate
