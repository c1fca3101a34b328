// What workers say, and what the broker answers. No rules here: parse, call the table, answer.
#include <utility>

#include "broker/core.hpp"
#include "common/log.hpp"
#include "schema/small_units.hpp"

namespace sl::broker {

void Core::from_worker(std::vector<zmq::message_t> frames) {
    const std::string from = frames.front().to_string();
    frames.erase(frames.begin());
    auto e = bus::Envelope::parse(std::move(frames));
    if (!e) return unreadable(from, e.error());
    e->from = from;
    if (e->type() == "hello") return on_hello(*e);
    if (e->type() == "exited") {
        const auto m = e->as<schema::Exited>();
        return m ? exited(from, *m) : unreadable(from, m.error());
    }
    Member* m = members_.find(from);
    if (!m) {
        schema::BeatAnswer who;
        who.epoch = epoch_;
        who.who = true;
        return send_worker(from, bus::Envelope::make(who));
    }
    m->heard = Clock::now();
    if (e->type() == "beat") {
        const auto beat = e->as<schema::Beat>();
        beat ? on_beat(*m, *beat) : unreadable(from, beat.error());
    } else if (e->type() == "take" || e->type() == "took") {
        pass_on(from, *e);
    } else if (e->type() == "reload_refused") {
        const auto r = e->as<schema::ReloadRefused>();
        if (!r) return unreadable(from, r.error());
        log::warn("reload_refused", "worker={} pool={} {}", from, m->hello.pool, r->message);
        pools_.refused(m->hello.pool, from, clean(r->message));
    } else if (e->type() == "bye") {
        lose(from, "worker.left");
    } else if (!store_.away()) {  // what cannot be kept is not taken: the worker repeats it
        on_request(from, *e);
    }
}

// Refused, counted, said once of each peer.
void Core::unreadable(const std::string& from, const Error& error) {
    ++bad_messages_;
    if (complained_.size() < 10000 && complained_.insert(from).second)
        log::warn("bad_message", "socket=workers {}", error.message);
}

// TAKE and its answer go by the broker, which both sides talk to anyway. Nothing depends on them.
void Core::pass_on(const std::string& worker, const bus::Envelope& e) {
    if (e.type() == "take") {
        auto m = e.as<schema::Take>();
        if (!m) return unreadable(worker, m.error());
        m->worker = worker;
        if (members_.find(m->home)) return send_worker(m->home, bus::Envelope::make(*m));
        // After a take-over it may only not have come yet. Without an answer the work is done.
        if (Clock::now() < quiet_until_) return;
        schema::Took nothing;  // that home is gone: so is the reason for the work
        nothing.req = m->req;
        return send_worker(worker, bus::Envelope::make(nothing));
    }
    const auto m = e.as<schema::Took>();
    if (!m) return unreadable(worker, m.error());
    if (members_.find(m->worker)) send_worker(m->worker, bus::Envelope::make(*m));
}

// A supervisor says that a worker of it ended: known at once, not after 2.5 rounds, and with what it was at.
void Core::exited(const std::string& supervisor, const schema::Exited& m) {
    const auto ok = [&] {
        schema::Answer a;
        a.req = m.req;
        a.status = "ok";
        later([this, supervisor, a] { send_worker(supervisor, bus::Envelope::make(a)); });
    };
    if (store_.away()) return;  // repeated
    // Of a worker that is not known (any more) nothing is believed: the silence of a real one is noticed.
    const auto origin = members_.origin(m.worker);
    if (origin.supervisor.empty() || origin.supervisor != supervisor) return ok();
    if (m.crashed) {
        last_error_ = clean("worker " + m.worker + " crashed: " + m.cause);
        pools_.note(origin.pool, last_error_);
        if (is_live(m.token)) {
            cameras_.strike(m.token, m.cause, Clock::now(), journal_);
            log::warn("strike", "worker={} unit={} camera={} why={}", m.worker, m.token.unit, m.token.job,
                      m.cause);
        } else if (!m.token.unit.empty()) {
            pools_.failed(origin.pool, m.token, clean(m.cause), Clock::now());
            const auto struck =
                table_.strike(m.token, m.stage, m.pieces, m.cause, m.worker, journal_);  // stale: it ended
            log::warn("strike", "worker={} unit={} job={} stream={} seq={} counts={} why={}", m.worker,
                      m.token.unit, m.token.job, m.token.stream, m.token.seq, bool(struck), m.cause);
        }
    }
    std::vector<std::string> gone{m.worker};  // and what else was in that process
    if (const Member* one = members_.find(m.worker))
        for (const auto& [id, other] : members_.all())
            if (id != m.worker && other.hello.supervisor == supervisor && !one->hello.process.empty() &&
                other.hello.process == one->hello.process)
                gone.push_back(id);
    for (const auto& worker : gone) lose(worker, m.crashed ? "worker.crashed" : "worker.lost");
    ok();
}

// A unit failed in a pool: the table decides about the unit, the breaker about the pool.
void Core::failed(const std::string& worker, const schema::Fail& m) {
    const Member* member = members_.find(worker);
    const std::string pool = !m.pool.empty() ? m.pool : member ? member->hello.pool : "";
    last_error_ = clean(pool + ": " + m.message);
    if (is_live(m.token))
        pools_.note(pool, last_error_);  // a camera's fault is no reason to rest the pool
    else
        switch (code_from_name(m.code)) {
            case Errc::io:
            case Errc::unavailable:
            case Errc::timeout:
            case Errc::internal:
                pools_.failed(pool, m.token, clean(m.message), Clock::now());
                break;
            default:
                break;  // the input's fault
        }
    log::warn("unit_failed", "worker={} pool={} unit={} job={} stream={} seq={} code={} why={}", worker, pool,
              m.token.unit, m.token.job, m.token.stream, m.token.seq, m.code, m.message);
}

// A chunk came all the way to its home.
void Core::worked(const schema::Token& chunk) {
    pools_.worked("ingest");
    pools_.worked("preprocess");
    if (const Job* job = table_.find(chunk.job))
        for (const auto& p : job->spec.pools) pools_.worked(p.name);
}

void Core::on_hello(const bus::Envelope& e) {
    auto hello = e.as<schema::Hello>();
    const auto refuse = [&](const Error& error) {
        log::warn("worker_refused", "{}", error.text());
        schema::Refused m;
        m.code = code_name(error.code);
        m.message = error.text();
        send_worker(e.from, bus::Envelope::make(m));
    };
    if (!hello) return refuse(hello.error());
    if (hello->worker != e.from)
        return refuse(
            {Errc::bad_message, "a worker's routing id must be the id that it says hello with", ""});
    // They are in events and in what clients are told of pools.
    const Json told{hello->worker, hello->pool, hello->host, hello->engine};
    if (told.dump(-1, ' ', false, Json::error_handler_t::ignore) !=
        told.dump(-1, ' ', false, Json::error_handler_t::replace))
        return refuse({Errc::bad_message, "cannot take in a worker whose names are no UTF-8", ""});
    std::vector<std::string> roots;
    for (const auto& [name, path] : options_.roots) roots.push_back(name);
    const auto fresh = members_.hello(*hello, roots, Clock::now());
    if (!fresh) return refuse(fresh.error());
    schema::Welcome welcome;
    welcome.epoch = epoch_;
    send_worker(e.from, bus::Envelope::make(welcome));
    peers_changed_ = true;
    pools_.seen(hello->pool);
    if (!*fresh) return;
    log::info("worker.joined", "worker={} pool={} host={} pid={}", hello->worker, hello->pool, hello->host,
              hello->pid);
    table_.event(
        journal_, "pool." + hello->pool, "worker.joined", "",
        Json{{"worker", hello->worker}, {"stage", hello->stage}, {"host", hello->host}, {"pid", hello->pid}}
            .dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Core::on_beat(Member& m, const schema::Beat& beat) {
    schema::BeatAnswer answer;
    answer.epoch = epoch_;
    if (beat.epoch != epoch_) {  // follows another leader still: its listing does not count
        answer.who = true;
        return send_worker(m.hello.worker, bus::Envelope::make(answer));
    }
    m.held = {beat.held.begin(), beat.held.end()};
    if (!std::exchange(m.listed, true)) judge_at_ = {};  // from now on it may be granted work
    m.items = beat.items;
    m.busy_ms = beat.busy_ms;
    m.still_ms = beat.still_ms;
    m.dropped = beat.dropped;
    m.bad_messages = beat.bad_messages;
    if (auto error = clean(beat.last_error); error != m.last_error)
        pools_.note(m.hello.pool, m.last_error = std::move(error));
    if (beat.peers < m.peers && Clock::now() - m.peers_sent > rounds(1)) {  // it was lost on the way
        schema::Peers peers;
        peers.epoch = epoch_;
        peers.n = m.peers;
        peers.workers = members_.peers();
        m.peers_sent = Clock::now();
        send_worker(m.hello.worker, bus::Envelope::make(peers));
    }
    for (const auto& [id, n] : beat.job_items)
        if (Job* job = table_.find(id)) job->worked[m.hello.pool][m.hello.worker] = n;
    for (const auto& token : m.held)
        if (!current(token)) {
            if (!options_.test_off.contains("fencing")) answer.drop.push_back(token);
            if (const auto r = released_.find(token); r != released_.end()) {
                false_releases_ += r->second == m.hello.worker;
                released_.erase(r);
            }
        }
    for (const auto& token : m.held)  // after a take-over: what it held before uses its room, too
        if (token.unit == "chunk" && table_.current(token)) m.slots.emplace(token, 0);
    answer.last = m.expects;
    // A slot is freed only by a listing that acknowledges its EXPECT and lacks the token (rule 14).
    std::erase_if(m.slots, [&](const auto& slot) {
        if (slot.second > beat.last || m.held.contains(slot.first)) return false;
        if (table_.current(slot.first)) table_.lost(slot.first, journal_);  // the home let it go
        return true;
    });
    if (m.drain_ms > 0 && !beat.draining) {  // the order was lost
        schema::Drain drain;
        drain.deadline_ms = m.drain_ms;
        send_worker(m.hello.worker, bus::Envelope::make(drain));
    }
    if (beat.draining && !m.draining) {
        m.draining = true;
        peers_changed_ = true;
    }
    send_worker(m.hello.worker, bus::Envelope::make(answer));
}

void Core::answer(const std::string& worker, std::uint64_t req, const std::string& status,
                  std::vector<schema::Bytes> payload) {
    schema::Answer m;
    m.req = req;
    m.status = status;
    stale_ += status == "stale";
    later([this, worker, m, payload = std::move(payload)]() mutable {
        auto e = bus::Envelope::make(m);
        for (auto& p : payload) e.payload.push_back(bus::to_frame(std::move(p)));
        send_worker(worker, std::move(e));
    });
}

void Core::fetch(const std::string& worker, const schema::Fetch& fetch) {
    if (fetch.token.unit != "chunk" || !table_.current(fetch.token))
        return answer(worker, fetch.req, "stale");
    const Job& job = *table_.find(fetch.token.job);
    if (table_.resting(fetch.token, Clock::now())) return;  // after a strike: it asks again
    // Without somebody in every pool the home is not answered and asks again.
    if (!members_.missing(job.spec, job.engines).empty()) return;
    std::vector<std::string> ingests;
    for (const auto& [id, m] : members_.all())
        if (m.hello.stage == "ingest" && !m.draining) ingests.push_back(id);
    // One ingest reads a stream on, which spares it the seeking; others take over if it dies.
    const auto pick =
        std::hash<std::string>{}(fetch.token.job + "/" + std::to_string(fetch.token.stream)) % ingests.size();
    schema::Task m;
    m.epoch = epoch_;
    m.token = fetch.token;
    m.spec = job.spec;
    m.home = worker;
    m.stream = job.streams[std::size_t(fetch.token.stream)].info;
    m.row = table_.chunk(fetch.token)->row;
    m.pieces = fetch.pieces;
    log::debug("fetched", "job={} stream={} seq={} attempt={} pieces={} home={} ingest={}", m.token.job,
               m.token.stream, m.token.seq, m.token.attempt, m.pieces.size(), worker, ingests[pick]);
    send_worker(ingests[pick], bus::Envelope::make(m));
    schema::Answer told;
    told.req = fetch.req;
    told.status = "ok";
    told.from = ingests[pick];
    later([this, worker, told] { send_worker(worker, bus::Envelope::make(told)); });
}

void Core::on_request(const std::string& worker, bus::Envelope& e) {
    const std::string& type = e.type();
    const auto reply = [&](std::uint64_t req, const Result<void>& result) {
        if (!result && result.error().code == Errc::unavailable) return;  // not yet: the worker repeats it
        answer(worker, req, result || result.error().code != Errc::stale ? "ok" : "stale");
        if (!result && result.error().code != Errc::stale)
            log::warn("bad_request", "worker={} type={} {}", worker, type, result.error().message);
    };
    const auto bad = [&](const Error& error) { unreadable(worker, error); };
    if (type == "fetch") {
        auto m = e.as<schema::Fetch>();
        if (!m) return bad(m.error());
        fetch(worker, *m);
    } else if (type == "found") {
        auto m = e.as<schema::FoundStreams>();
        if (!m) return bad(m.error());
        reply(m->req, table_.found(m->token, m->names, journal_));
    } else if (type == "scanned") {
        auto m = e.as<schema::Scanned>();
        if (!m) return bad(m.error());
        reply(m->req, table_.scanned(*m, journal_));
    } else if (type == "gathered") {
        auto m = e.as<schema::Gathered>();
        if (!m) return bad(m.error());
        std::optional<schema::Bytes> detections;
        std::int64_t undetected = 0;
        if (!e.payload.empty()) {
            const auto bytes = e.part(0);
            auto d = schema::decode<schema::Detections>(bytes, "detections");
            if (!d) return bad(d.error());
            undetected = d->dropped;
            detections.emplace(bytes.begin(), bytes.end());
        }
        const bool fresh = detections.has_value();
        auto turn = table_.gathered(m->token, std::move(detections), journal_, undetected);
        if (turn && fresh) worked(m->token);
        if (!turn) return reply(m->req, turn.error());
        if (turn->turn)
            answer(worker, m->req, "turn", {turn->state, turn->detections});
        else
            answer(worker, m->req, "wait");
    } else if (type == "step") {
        auto m = e.as<schema::Step>();
        if (!m) return bad(m.error());
        const auto bytes = e.part(0);
        if (auto s = schema::decode<schema::StreamState>(bytes, "state"); !s) return bad(s.error());
        auto next = table_.step(m->token, {bytes.begin(), bytes.end()}, m->alerts, journal_);
        if (!next) return reply(m->req, next.error());
        reply(m->req, {});
        if (*next) {
            schema::Nudge nudge;
            nudge.token = **next;
            later([this, nudge, home = table_.chunk(nudge.token)->holder] {
                send_worker(home, bus::Envelope::make(nudge));
            });
        }
    } else if (type == "done") {
        auto m = e.as<schema::Done>();
        if (!m) return bad(m.error());
        const auto done = table_.done(m->token, m->parts, m->counters, journal_);
        if (done) pools_.worked("annotate");
        reply(m->req, done);
    } else if (type == "unit_done") {
        auto m = e.as<schema::UnitDone>();
        if (!m) return bad(m.error());
        if (m->token.unit == "final") {
            reply(m->req, table_.final_done(m->token, m->digest, journal_));
            if (Job* job = table_.find(m->token.job)) {
                job->sweep.trouble.not_before = Clock::now() + milliseconds(options_.sweep_delay_ms);
                if (is_terminal(job->state)) {
                    durations_s_.push_back(double(job->ended_ns - job->started_ns) * 1e-9);
                    if (durations_s_.size() > 20) durations_s_.pop_front();
                }
            }
        } else if (m->token.unit == "sweep") {
            reply(m->req, table_.swept(m->token, journal_));
        } else if (m->token.unit == "deliver") {
            answer(worker, m->req, "stale");  // it says `delivered`
        }
    } else if (type == "delivered") {
        auto m = e.as<schema::Delivered>();
        if (!m) return bad(m.error());
        const auto ok = table_.delivered(*m, journal_);
        if (m->ended) reply(m->req, ok);  // one of a lease that goes on is not answered
    } else if (type == "camera_report") {
        const auto m = e.as<schema::CameraReport>();
        if (!m) return bad(m.error());
        on_report(*m);
    } else if (type == "live_step") {
        const auto m = e.as<schema::LiveStep>();
        if (!m) return bad(m.error());
        const auto bytes = e.part(0);
        on_step(worker, *m, {bytes.begin(), bytes.end()});
    } else if (type == "noops_done") {
        auto m = e.as<schema::NoopsDone>();
        if (!m) return bad(m.error());
        table_.noops().done(m->nonce, m->jobs);
        reply(m->req, {});
    } else if (type == "fail") {
        auto m = e.as<schema::Fail>();
        if (!m) return bad(m.error());
        if (current(m->token)) failed(worker, *m);
        if (is_live(m->token)) {
            const bool known = current(m->token);
            cameras_.fail(m->token, m->message, Clock::now(), journal_);
            return answer(worker, m->req, known ? "ok" : "stale");
        }
        const Member* member = members_.find(worker);
        const std::string pool = !m->pool.empty() || !member ? m->pool : member->hello.pool;
        reply(m->req, table_.fail(m->token, m->code, m->message, journal_, pool.substr(0, pool.find('/'))));
    } else {
        bad({Errc::bad_message, "there is no worker message '" + type + "'", ""});
    }
}

}  // namespace sl::broker
