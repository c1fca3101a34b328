// What may happen to a small job, and what of it must be refused.
#include "tests/model/world.hpp"

namespace sl::model {

using broker::ChunkState;
using broker::JobState;
using broker::Stream;
using broker::Unit;

namespace {

void remember(World& w, const Token& t) {
    std::size_t same = 0;
    for (auto it = w.tokens.rbegin(); it != w.tokens.rend(); ++it) {
        if (it->job != t.job || it->unit != t.unit || it->stream != t.stream || it->seq != t.seq) continue;
        require(*it != t, "no token comes twice");
        // Who delivers is not kept in the store: another broker begins to count anew.
        require(it->attempt < t.attempt || t.unit == "deliver", "attempts of a unit rise");
        if (++same == 2) {
            w.tokens.erase(std::next(it).base());
            break;
        }
    }
    w.tokens.push_back(t);
}

Job& live_job(World& w, const std::string& id) {
    return *w.table.find(id);
}

void must(const Result<void>& r, const std::string& what) {
    require(bool(r), what + " is accepted: " + (r ? "" : r.error().text()));
}

std::vector<std::string> names(const Shape& shape) {
    std::vector<std::string> n;
    for (std::size_t i = 0; i < shape.chunks.size(); ++i) n.push_back("cam" + std::to_string(i));
    return n;
}

schema::Scanned scan_of(const Shape& shape, const Token& t, std::size_t i) {
    schema::Scanned m;
    m.token = t;
    m.stream = std::int32_t(i);
    m.info.frames = 10 * shape.chunks[i];
    for (int k = 0; k < shape.chunks[i]; ++k) {
        schema::Row row;
        row.seq = k;
        row.frames = 10;
        m.rows.push_back(row);
    }
    return m;
}

std::vector<schema::Alert> alerts_of(const Shape& shape, const Token& t) {
    if (!shape.alerts || t.stream != 0 || t.seq != 0) return {};
    schema::Alert a;
    a.alert = shape.job + "-0";
    a.job = shape.job;
    a.stream = "cam0";
    return {a};
}

std::vector<schema::Part> parts_of(const Token& t) {
    return {{"video",
             std::to_string(t.stream) + "/" + std::to_string(t.seq) + "." + std::to_string(t.attempt) + "-" +
                 std::to_string(t.nonce),
             1, "ff"}};
}

schema::Counters counters_of() {
    schema::Counters c;
    c.read = 10;
    c.decoded = c.annotated = 9;
    c.dropped["decode:missing"] = 1;
    return c;
}

std::int64_t undetected_of(const Token& t) {
    return schema::decode<schema::Detections>(detections_of(t.stream, t.seq), "D")->dropped;
}

schema::Delivered delivered_of(const Token& t) {
    schema::Delivered m;
    m.token = t;
    m.taken = 64;
    m.state = "closed";
    return m;
}

std::string holder(std::int32_t attempt) {
    return attempt % 2 ? "worker-a" : "worker-b";
}

class Actions {
public:
    explicit Actions(const World& w) {
        if (!w.opened) {
            add("open targets", true, [](World& x, Journal& j) {
                require(x.table.deliver_to(targets(), j).empty(), "no target is gone");
                x.opened = true;
            });
            return;
        }
        for (const Shape& shape : *w.shapes) {
            of_job(w, shape);
            if (!w.job(shape.job)) break;  // one is submitted after the other
        }
        deliver(w);
    }
    std::vector<Action> all;

private:
    void of_job(const World& w, const Shape& shape) {
        shape_ = &shape;
        const Job* job = w.job(shape.job);
        if (!job) {
            add("submit", true, [id = shape.job](World& x, Journal& j) {
                schema::JobSpec spec;
                spec.job = id;
                spec.inputs = {{"media", "in"}};
                require(bool(x.table.submit(spec, "key " + id, j)), "a submit is accepted");
            });
            return;
        }
        unit("scan", job->scan, &JobTable::lease_scan);
        if (job->scan.state == Unit::State::leased) scan(*job);
        if (job->state == JobState::running) chunks(*job);
        unit("final", job->final, &JobTable::lease_final);
        if (job->final.state == Unit::State::leased)
            add_result("final_done", job->final.token, [](JobTable& t, const Token& token, Journal& j) {
                return t.final_done(token, "digest", j);
            });
        unit("sweep", job->sweep, &JobTable::lease_sweep);
        if (job->sweep.state == Unit::State::leased)
            add_result("swept", job->sweep.token,
                       [](JobTable& t, const Token& token, Journal& j) { return t.swept(token, j); });
        if (job->state == JobState::queued && job->scan.token.attempt == 0)
            add("drop", false, [id = shape.job](World& x, Journal& j) { x.table.drop(live_job(x, id), j); });
        if (shape.again) after_end(*job);
        if (!broker::is_terminal(job->state)) {
            if (shape_->cancel) add_cancel(false);
            if (shape_->cancel && shape_->keep_partial) add_cancel(true);
        }
    }
    void add(std::string name, bool good, std::function<void(World&, Journal&)> act) {
        all.push_back({std::move(name), good, std::move(act)});
    }
    template <typename F>
    void add_result(const std::string& name, const Token& token, F f, bool good = true) {
        add(name, good, [=](World& w, Journal& j) { must(f(w.table, token, j), name); });
    }
    void after_end(const Job& job) {
        const std::string& id = job.id();
        if (job.state == JobState::failed && job.forget == Job::Forget::no &&
            job.sweep.state != Unit::State::leased)
            add("retry", false, [id](World& w, Journal& j) {
                require(bool(w.table.retry(id, j)), "a failed job may be retried");
            });
        if (!broker::is_terminal(job.state)) return;
        for (const bool results : {false, true})
            add(results ? "forget --results" : "forget", false, [id, results](World& w, Journal& j) {
                must(w.table.forget(id, results, j), "forget of an ended job");
            });
        if (job.state == JobState::failed)
            add("prune", false, [at = job.ended_ns + 4 * 24 * 3'600'000'000'000](World& w, Journal& j) {
                w.table.prune(at, j);
            });
        if (job.state == JobState::failed) all.back().outlives_broker = false;  // prunes once a second
    }
    void add_cancel(bool keep) {
        add(keep ? "cancel --keep-partial" : "cancel", false, [keep, id = shape_->job](World& w, Journal& j) {
            const auto state = w.table.cancel(id, keep, j);
            require(state && *state == JobState::canceled, "a cancel of a job that goes on is accepted");
        });
    }
    void unit(const std::string& name, const Unit& u,
              Token (JobTable::*lease)(Job&, const std::string&, Journal&)) {
        if (u.state == Unit::State::pending)
            add("lease " + name, true,
                [lease, id = shape_->job, attempt = u.token.attempt](World& w, Journal& j) {
                    remember(w, (w.table.*lease)(live_job(w, id), holder(attempt + 1), j));
                });
        if (u.state == Unit::State::leased) ends_of(name, u.token);
        if (u.state == Unit::State::leased || u.state == Unit::State::pending)
            strike(name, u.token, u.trouble.strikes.size());
    }
    // A worker died of it: the crumb names the last lease, which may be over by now.
    void strike(const std::string& name, const Token& token, std::size_t strikes) {
        if (name != shape_->striking || token.attempt == 0) return;
        add("strike " + name, false,
            [token, worker = "dead-" + std::to_string(strikes)](World& w, Journal& j) {
                must(w.table.strike(token, "detect", {{0, 3}}, "signal 11", worker, j), "a strike");
                Journal again;
                (void)w.table.strike(token, "detect", {{0, 3}}, "signal 11", worker, again);
                require(again.empty(), "a death strikes once");
            });
    }
    // The ways a lease ends without a result.
    void ends_of(const std::string& name, const Token& token) {
        add("lost " + name, false, [token](World& w, Journal& j) { w.table.lost(token, j); });
        add_result(
            "fail UNAVAILABLE " + name, token,
            [](JobTable& t, const Token& x, Journal& j) { return t.fail(x, "UNAVAILABLE", "no space", j); },
            false);
        if (name == shape_->failing)
            add_result(
                "fail IO " + name, token,
                [](JobTable& t, const Token& x, Journal& j) { return t.fail(x, "IO", "disk", j); }, false);
        add_result(
            "fail BAD_MEDIA " + name, token,
            [](JobTable& t, const Token& x, Journal& j) { return t.fail(x, "BAD_MEDIA", "torn", j); }, false);
    }
    void scan(const Job& job) {
        const Token t = job.scan.token;
        add_result("found", t, [n = names(*shape_)](JobTable& x, const Token& token, Journal& j) {
            return x.found(token, n, j);
        });
        if (shape_->bad_input)
            add_result(
                "found others", t,
                [](JobTable& x, const Token& token, Journal& j) { return x.found(token, {}, j); }, false);
        if (!job.found) return;
        for (std::size_t i = 0; i < job.streams.size(); ++i) {
            const auto m = scan_of(*shape_, t, i);
            const std::string name = "scanned " + std::to_string(i);
            add_result(name, t, [m](JobTable& x, const Token&, Journal& j) { return x.scanned(m, j); });
            if (!shape_->bad_input) continue;
            auto bad = m;
            bad.rows.clear();
            bad.error_code = "BAD_MEDIA";
            bad.error = "no video";
            add_result(
                name + " in vain", t,
                [bad](JobTable& x, const Token&, Journal& j) { return x.scanned(bad, j); }, false);
        }
    }
    void chunks(const Job& job) {
        for (std::size_t i = 0; i < job.streams.size(); ++i)
            for (std::size_t k = 0; k < job.streams[i].chunks.size(); ++k)
                chunk(job.streams[i], std::int32_t(i), std::int64_t(k));
    }
    void chunk(const Stream& s, std::int32_t i, std::int64_t k) {
        const auto& c = s.chunks[std::size_t(k)];
        const std::string name = "chunk " + std::to_string(i) + "/" + std::to_string(k);
        if (c.state == ChunkState::pending && k < s.dead_at)
            add("lease " + name, true,
                [i, k, id = shape_->job, attempt = c.token.attempt](World& w, Journal& j) {
                    remember(w, w.table.lease_chunk(live_job(w, id), i, k, holder(attempt + 1), j));
                });
        if ((c.state == ChunkState::pending && k < s.dead_at) || c.state == ChunkState::leased)
            strike(name, c.token, c.trouble.strikes.size());
        if (c.state != ChunkState::leased) return;
        const Token t = c.token;
        const bool recorded = s.detections.contains(k), turn = s.states.contains(k);
        add("gathered " + name, true, [t, recorded](World& w, Journal& j) {
            const auto d = detections_of(t.stream, t.seq);
            const auto r =
                w.table.gathered(t, recorded ? std::nullopt : std::optional(d), j, undetected_of(t));
            require(bool(r), "gathered of a current token is accepted");
            const auto& stream = w.job(t.job)->streams[std::size_t(t.stream)];
            require(r->turn == (stream.next >= t.seq), "it is a chunk's turn when its state is there");
            require(!r->turn || (r->state == state_before(t.stream, t.seq) && r->detections == d),
                    "a turn brings S and D");
        });
        if (recorded && turn) {
            add("step " + name, true, [t, shape = shape_](World& w, Journal& j) {
                const auto r = w.table.step(t, state_before(t.stream, t.seq + 1), alerts_of(*shape, t), j);
                require(bool(r), "the step of a chunk whose turn it is is accepted");
                const auto& chunks = w.job(t.job)->streams[std::size_t(t.stream)].chunks;
                const auto after = std::size_t(t.seq) + 1;
                const bool waits = after < chunks.size() && chunks[after].state == ChunkState::leased;
                require(r->has_value() == waits && (!waits || **r == chunks[after].token),
                        "a step names the successor that waits");
            });
            if (s.next > k)
                add("another step " + name, false, [t](World& w, Journal& j) {
                    schema::StreamState other;
                    other.detected = 7777;
                    const auto r = w.table.step(t, schema::encode(other), {}, j);
                    require(!r && r.error().code == Errc::stale, "a step to another state is refused");
                });
        }
        if (s.next > k)
            add_result("done " + name, t, [](JobTable& x, const Token& token, Journal& j) {
                return x.done(token, parts_of(token), counters_of(), j);
            });
        ends_of(name, t);
    }
    void deliver(const World& w) {
        for (const auto& target : w.table.outbox().targets()) {
            const Unit& u = target.unit;
            if (u.state != Unit::State::leased && broker::Outbox::pending(target))
                add("lease deliver " + target.name, true, [name = target.name](World& x, Journal&) {
                    std::vector<schema::Alert> alerts;
                    remember(x, x.table.lease_deliver(name, "alert", 64, alerts));
                    require(!alerts.empty(), "a delivery has alerts");
                });
            if (u.state != Unit::State::leased) continue;
            add_result("delivered " + target.name, u.token, [](JobTable& t, const Token& token, Journal& j) {
                return t.delivered(delivered_of(token), j);
            });
            all.back().outlives_broker = false;
            add("lost deliver " + target.name, false,
                [t = u.token](World& x, Journal& j) { x.table.lost(t, j); });
        }
    }

    const Shape* shape_ = nullptr;
};

}  // namespace

std::vector<Action> enabled(const World& world) {
    return Actions(world).all;
}

// --- messages that must change nothing -----------------------------------------------------------------

namespace {

class Prober {
public:
    explicit Prober(World& w) : w_(w) {}

    void all() {
        for (const Token& t : w_.tokens) token(t);
        for (const Shape& shape : *w_.shapes)
            if (w_.job(shape.job)) of_job(shape);
    }
    std::size_t sent = 0;

private:
    void of_job(const Shape& shape) {
        token({shape.job, "x", INT32_MAX, INT64_MIN, 1, 12345});
        for (const char* unit : {"scan", "chunk", "final", "sweep"}) {  // a stranger's
            token({shape.job, unit, 0, 0, 1, 12345});
        }
        schema::JobSpec spec;
        spec.job = "01AGAIN";
        const auto again = w_.table.submit(spec, "key " + shape.job, journal_);
        expect(again && *again == shape.job, "a repeated submit is the same job");
        if (broker::is_terminal(w_.job(shape.job)->state)) {
            const auto state = w_.table.cancel(shape.job, false, journal_);
            expect(state && *state == w_.job(shape.job)->state, "cancel of an ended job changes nothing");
        }
    }
    void expect(bool right, const std::string& what) {
        ++sent;
        require(right, what);
        require(journal_.empty(), what + ", and writes nothing");
    }
    template <typename R>
    void stale(const R& r, const Token& t, const char* what) {
        expect(!r && r.error().code == Errc::stale, std::string(what) + " with " + t.unit + " attempt " +
                                                        std::to_string(t.attempt) + " is stale" +
                                                        (r ? "" : ": " + r.error().text()));
    }
    void token(const Token& t) {
        const bool current = w_.table.current(t);
        const bool chunk = t.unit == "chunk";
        const auto* c = chunk ? w_.table.chunk(t) : nullptr;
        const Job* job = w_.job(t.job);
        auto& table = w_.table;
        const auto is = [&](const char* unit) { return current && t.unit == unit; };
        if (!is("scan")) {
            stale(table.found(t, {"x"}, journal_), t, "found");
            stale(table.scanned(scan_of(w_.shapes->front(), t, 0), journal_), t, "scanned");
        } else if (!job->found) {
            const auto r = table.scanned(scan_of(w_.shapes->front(), t, 0), journal_);
            expect(!r && r.error().code == Errc::unavailable,
                   "a scan of streams that are not known is told so");
        }
        if (!is("chunk")) {
            stale(table.gathered(t, detections_of(0, 0), journal_), t, "gathered");
            stale(table.step(t, state_before(0, 1), {}, journal_), t, "step");
        }
        const Stream* stream = c ? &job->streams[std::size_t(t.stream)] : nullptr;
        if (c && c->state == ChunkState::done && c->token == t)
            expect(bool(table.done(t, parts_of(t), counters_of(), journal_)), "a repeated done is ok");
        else if (!is("chunk") || stream->next <= t.seq)
            stale(table.done(t, parts_of(t), counters_of(), journal_), t, "done");
        if (!is("final")) {
            if (job && job->final.state == Unit::State::done && job->final.token == t)
                expect(bool(table.final_done(t, "digest", journal_)), "a repeated final_done is ok");
            else
                stale(table.final_done(t, "digest", journal_), t, "final_done");
        }
        if (!is("sweep")) {
            if (job && job->swept && job->sweep.token == t)
                expect(bool(table.swept(t, journal_)), "a repeated swept is ok");
            else
                stale(table.swept(t, journal_), t, "swept");
        }
        if (!is("deliver")) stale(table.delivered(delivered_of(t), journal_), t, "delivered");
        if (!current) {
            stale(table.fail(t, "BAD_MEDIA", "x", journal_), t, "fail");
            if (!job && t.unit != "deliver")
                stale(table.strike(t, "detect", {}, "x", "w", journal_), t, "strike");
            table.lost(t, journal_);
            expect(true, "the loss of a lease that is over");
        }
    }

    World& w_;
    Journal journal_;
};

}  // namespace

std::size_t probe(World& world) {
    Prober prober(world);
    prober.all();
    return prober.sent;
}

}  // namespace sl::model
