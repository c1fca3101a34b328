#include "workers/annotate/home.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "workers/annotate/step.hpp"

namespace sl::annotate {

// Of one chunk: it travels, and lies in the store, as one value. A hundred boxes on each of 500 frames
// take 4.
constexpr std::size_t max_detections_bytes = 8u << 20;

using schema::Piece;
using schema::Token;

Home::Gather* Home::find(const Token& token) {
    const auto it = gathers_.find(key(token));
    return it == gathers_.end() ? nullptr : &it->second;
}

bool Home::intercept(bus::Envelope& e, worker::BusApi& api) {
    const auto bad = [&](const Error& error) {
        log::warn("bad_message", "{}", error.message);
        return true;
    };
    if (e.type() == "expect") {
        auto m = e.as<schema::Expect>();
        if (!m) return bad(m.error());
        expect(std::move(*m), api);
    } else if (e.type() == "source") {
        const auto m = e.as<schema::SourceMessage>();
        if (!m || e.payload.empty())
            return bad(m ? Error{Errc::bad_message, "a source without packets", ""} : m.error());
        piece(m->token, Piece{}, e, nullptr, api);
    } else if (e.type() == "detections") {
        const auto m = e.as<schema::DetectionsMessage>();
        if (!m) return bad(m.error());
        piece(m->token, Piece{m->pool, m->batch}, e, &*m, api);
    } else if (e.type() == "take") {
        const auto m = e.as<schema::Take>();
        if (!m) return bad(m.error());
        take(*m, api);
    } else if (e.type() == "nudge") {
        const auto m = e.as<schema::Nudge>();
        if (!m) return bad(m.error());
        Gather* g = find(m->token);
        if (g && g->lease.token == m->token && g->phase == Phase::waiting) ask_turn(*g, api);
    } else {
        return false;
    }
    return true;
}

void Home::expect(schema::Expect lease, worker::BusApi& api) {
    if (api.draining()) return;  // not listed, so the broker leases it to another
    if (Gather* g = find(lease.token)) {
        if (g->lease.token == lease.token || g->lease.token.attempt > lease.token.attempt)
            return;  // known, or older
        // A newer lease of a chunk that is held takes over what was gathered (rule 16).
        Gather old = std::move(*g);
        api.release(old.lease.token);
        on_drop(old.lease.token);
        if (old.phase == Phase::fetching && old.lease.recorded == lease.recorded) {
            api.hold(lease.token);
            old.lease = std::move(lease);
            old.fetch = 0;
            auto& kept = gathers_[key(old.lease.token)] = std::move(old);
            return fetch(kept, api);
        }
    }
    Gather g;
    api.hold(lease.token);
    g.missing[Piece{}];
    if (!lease.recorded)
        for (std::int32_t pool = 0; pool < std::int32_t(lease.spec.pools.size()); ++pool)
            for (std::int32_t b = 0; b < lease.row.batches; ++b) g.missing[{pool, b}];
    const Key k = key(lease.token);
    g.lease = std::move(lease);
    auto& kept = gathers_[k] = std::move(g);
    fetch(kept, api);
}

void Home::fetch(Gather& g, worker::BusApi& api) {
    if (g.fetch != 0) return;  // what is asked meanwhile is fetched when this one is answered
    g.fetching.clear();
    for (const auto& [piece, place] : g.missing)
        if (place.stage == Place::Stage::asked) g.fetching.push_back(piece);
    if (g.fetching.empty()) return;
    schema::Fetch m;
    m.token = g.lease.token;
    m.pieces = g.fetching;
    g.fetch = api.request(m);
}

void Home::moved(Gather& g) {
    const auto now = Clock::now();
    gaps_.push_back(now - g.moved);
    if (gaps_.size() > 20) gaps_.pop_front();
    g.moved = moved_ = now;
}

// Names the pieces that `m.worker` shall work on, and moves their place to it (rule 9).
void Home::take(const schema::Take& m, worker::BusApi& api) {
    schema::Took answer;
    answer.req = m.req;
    answer.worker = m.worker;
    const schema::Peer* asker = api.peer(m.worker);
    Gather* g = find(m.token);
    if (g && g->phase == Phase::fetching) {
        for (const Piece& piece : m.pieces) {
            const auto at = g->missing.find(piece);
            if (at == g->missing.end()) continue;
            // A worker that is not among the peers (it drains, or PEERS is on its way) tells no stage: only
            // detect asks for one batch, and preprocess is told by asking for the source or for many.
            const auto stage =
                asker ? (asker->stage == "detect" ? Place::Stage::detect : Place::Stage::preprocess)
                : m.pieces.size() == 1 && piece.pool >= 0 ? Place::Stage::detect
                                                          : Place::Stage::preprocess;
            Place& place = at->second;
            const bool its = place.worker == m.worker || !api.peer(place.worker);
            if (place.stage > stage || (place.stage == stage && !its)) continue;
            answer.pieces.push_back(piece);
            if (asker) place = {stage, m.worker};
        }
        if (!answer.pieces.empty()) moved(*g);
    }
    api.send(bus::Envelope::make(answer));
}

void Home::piece(const Token& token, Piece which, bus::Envelope& e, const schema::DetectionsMessage* m,
                 worker::BusApi& api) {
    Gather* g = find(token);
    // Pieces are pure functions of the chunk: the first wins, whatever lease it travelled under.
    if (!g || g->phase != Phase::fetching || !g->missing.contains(which)) return;
    if (m && !m->error.empty()) return fail(*g, {code_from_name(m->error_code), m->error, ""}, api, which);
    moved(*g);
    g->missing.erase(which);
    if (m)
        g->batches[which] = m->detections;
    else
        g->packets = std::move(e.payload[0]);
    check_full(*g, api);
}

// D is recorded: the question is enough.
void Home::ask_turn(Gather& g, worker::BusApi& api) {
    g.phase = Phase::asking;
    schema::Gathered again;
    again.token = g.lease.token;
    g.request = api.request(again);
}

void Home::check_full(Gather& g, worker::BusApi& api) {
    if (!g.missing.empty()) return;
    g.phase = Phase::asking;
    schema::Gathered m;
    m.token = g.lease.token;
    if (g.lease.recorded) {
        g.request = api.request(m);
        return;
    }
    // D: frames in order, the boxes of all pools of a frame together, whatever order they came in.
    std::map<std::int64_t, schema::FrameBoxes> frames;
    schema::Detections d;
    for (auto& [piece, part] : g.batches) {
        if (piece.pool == 0) d.dropped += part.dropped;
        for (auto& f : part.frames) {
            auto& frame = frames[f.frame];
            frame.frame = f.frame;
            frame.pts = f.pts;
            std::move(f.boxes.begin(), f.boxes.end(), std::back_inserter(frame.boxes));
        }
    }
    for (auto& [ordinal, frame] : frames) {
        std::sort(frame.boxes.begin(), frame.boxes.end(), [](const schema::Box& a, const schema::Box& b) {
            if (a.score != b.score) return a.score > b.score;
            return std::tie(a.class_id, a.x, a.y, a.pool, a.width, a.height) <
                   std::tie(b.class_id, b.x, b.y, b.pool, b.width, b.height);
        });
        d.frames.push_back(std::move(frame));
    }
    g.batches.clear();
    std::vector<schema::Bytes> payload;
    payload.push_back(schema::encode(d));
    if (payload[0].size() > max_detections_bytes) {
        // Weak boxes are for the tracker alone: it can do without them.
        for (auto& frame : d.frames)
            std::erase_if(frame.boxes,
                          [&](const schema::Box& b) { return b.score < float(g.lease.spec.confidence); });
        payload[0] = schema::encode(d);
    }
    if (payload[0].size() > max_detections_bytes)
        return fail(g,
                    {Errc::invalid_argument,
                     "the detections of one chunk take " + std::to_string(payload[0].size() >> 20) + " MiB",
                     "raise `confidence`, or lower `nms` or `max_boxes`"},
                    api);
    g.request = api.request(m, std::move(payload));
}

void Home::on_answer(const Token& token, const schema::Answer& answer, bus::Envelope& e,
                     worker::BusApi& api) {
    Gather* g = find(token);
    if (!g || g->lease.token != token) return;
    if (answer.req == g->fetch) {
        g->fetch = 0;
        moved(*g);
        if (g->phase != Phase::fetching) return;
        if (!api.peer(answer.from)) return;  // gone, or not announced yet: asked again at the next round
        for (const Piece& p : g->fetching)
            if (const auto at = g->missing.find(p);
                at != g->missing.end() && at->second.stage == Place::Stage::asked)
                at->second = {Place::Stage::ingest, answer.from};
        return fetch(*g, api);
    }
    if (answer.req != g->request) return;
    if (answer.status == "wait") {
        g->phase = Phase::waiting;
        g->asked = Clock::now();
    } else if (answer.status == "turn") {
        take_turn(*g, e, api);
    } else if (g->phase == Phase::stepping) {
        g->phase = Phase::rendering;
        g->request = 0;
        auto item = std::make_shared<RenderItem>();
        item->lease = g->lease;
        item->packets = std::move(g->packets);
        item->before = std::move(g->before);
        item->stepped = std::move(g->stepped);
        {
            const std::lock_guard lock(mutex_);
            items_[token] = std::move(item);
        }
        LocalRender render;
        render.token = token;
        api.post(bus::Envelope::make(render));
    } else if (g->phase == Phase::committing) {
        let_go(token, api);
    }
}

// The step is done here on the bus thread on purpose: it takes milliseconds (bench/tracking; what a frame may
// cost is bounded in tracker.cpp), while behind the work thread's renders it would hold up every later chunk
// of the stream.
void Home::take_turn(Gather& g, bus::Envelope& e, worker::BusApi& api) {
    auto before = schema::decode<schema::StreamState>(e.part(0), "stream state");
    auto detections = schema::decode<schema::Detections>(e.part(1), "detections");
    if (!before || !detections) return fail(g, before ? detections.error() : before.error(), api);
    g.stepped = annotate::step(g.lease.spec, g.lease.stream, *before, *detections);
    g.before = std::move(*before);
    g.phase = Phase::stepping;
    schema::Step m;
    m.token = g.lease.token;
    m.alerts = std::move(g.stepped.alerts);
    std::vector<schema::Bytes> payload;
    payload.push_back(schema::encode(g.stepped.next));
    g.request = api.request(m, std::move(payload));
}

std::shared_ptr<RenderItem> Home::take_item(const Token& token) {
    const std::lock_guard lock(mutex_);
    const auto it = items_.find(token);
    if (it == items_.end()) return nullptr;
    auto item = std::move(it->second);
    items_.erase(it);
    return item;
}

void Home::rendered(const Token& token, Result<std::pair<std::vector<schema::Part>, schema::Counters>> result,
                    worker::BusApi& api) {
    Gather* g = find(token);
    if (!g || g->lease.token != token) return;
    if (!result) {
        if (result.error().code == Errc::canceled) return let_go(token, api);
        // The folder of a lease that ended meanwhile is gone, and the answer will be "stale". If the lease is
        // current, this host does not see the job's folder, and another may.
        if (result.error().code == Errc::not_found) result.error().code = Errc::io;
        return fail(*g, result.error(), api);
    }
    g->phase = Phase::committing;
    schema::Done m;
    m.token = token;
    m.parts = std::move(result->first);
    m.counters = std::move(result->second);
    g->request = api.request(m);
}

void Home::fail(Gather& g, const Error& error, worker::BusApi& api, std::optional<Piece> where) {
    schema::Fail m;
    m.token = g.lease.token;
    m.code = code_name(error.code);
    m.message = error.text();
    if (where && where->pool >= 0 && std::size_t(where->pool) < g.lease.spec.pools.size()) {
        m.pool = g.lease.spec.pools[std::size_t(where->pool)].name;
        m.pieces = {*where};
    }
    g.phase = Phase::committing;  // held and listed until the broker has heard of it
    g.request = api.request(m);
}

void Home::let_go(const Token& token, worker::BusApi& api) {
    api.release(token);
    on_drop(token);
}

void Home::on_drop(const Token& token) {
    {
        const std::lock_guard lock(mutex_);
        items_.erase(token);
    }
    const auto it = gathers_.find(key(token));
    if (it != gathers_.end() && it->second.lease.token == token) gathers_.erase(it);
}

// What died with a worker, or may have lain unread in one, is asked for again (rule 10).
void Home::on_gone(const std::vector<schema::Peer>& gone, worker::BusApi& api) {
    const auto is_gone = [&](auto&& which) { return std::any_of(gone.begin(), gone.end(), which); };
    const bool preprocess = is_gone([](const auto& p) { return p.stage == "preprocess"; });
    for (auto& [k, g] : gathers_) {
        if (g.phase != Phase::fetching) continue;
        for (auto& [piece, place] : g.missing) {
            if (place.stage == Place::Stage::asked) continue;
            const bool next_gone =
                place.stage == Place::Stage::ingest
                    ? preprocess
                    : place.stage == Place::Stage::preprocess && piece.pool >= 0 &&
                          is_gone([&](const auto& p) {
                              return p.pool == g.lease.spec.pools[std::size_t(piece.pool)].name;
                          });
            if (next_gone || !api.peer(place.worker)) place = {};
        }
        fetch(g, api);
    }
}

void Home::on_tick(Clock::time_point now, worker::BusApi& api) {
    if (api.draining()) {
        // Handed back: what was not stepped yet. The broker sees that it is no longer listed.
        std::vector<Token> back;
        for (const auto& [k, g] : gathers_)
            if (g.phase < Phase::stepping) back.push_back(g.lease.token);
        for (const auto& t : back) let_go(t, api);
        return;
    }
    // A nudge is only a hint: it may be lost with the broker that had to send it.
    for (auto& [k, g] : gathers_)
        if (g.phase == Phase::waiting && now - g.asked > std::chrono::seconds(1)) ask_turn(g, api);
    for (auto& [k, g] : gathers_)
        if (g.phase == Phase::fetching && now - g.moved > std::chrono::milliseconds(250)) fetch(g, api);
    // The backstop: a message was lost without anybody's death (rule 11).
    Clock::duration longest{};
    for (const auto gap : gaps_) longest = std::max(longest, gap);
    for (auto& [k, g] : gathers_) {
        const Clock::duration patience = std::max<Clock::duration>(g.patience, longest * 4);
        if (g.phase != Phase::fetching || g.fetch != 0 || now - g.moved < patience) continue;
        // While others move it may only wait its turn in a queue; not for ever, though.
        if (now - moved_ < patience && now - g.moved < patience * 4) continue;
        log::warn("pieces_overdue", "job={} stream={} seq={} missing={}", g.lease.token.job,
                  g.lease.token.stream, g.lease.token.seq, g.missing.size());
        g.patience *= 2;
        g.moved = now;
        for (auto& [piece, place] : g.missing) place = {};
        fetch(g, api);
    }
}

}  // namespace sl::annotate
