#include "broker/core.hpp"

#include <unistd.h>

#include "common/log.hpp"
#include "common/thread_name.hpp"

namespace sl::broker {

Core::Core(zmq::context_t& context, const Catalogue& catalogue, const Options& options, StoreThread& store,
           AuditThread& audit, JobTable table, std::uint64_t epoch)
    : catalogue_(catalogue),
      options_(options),
      store_(store),
      audit_(audit),
      epoch_(epoch),
      jobs_(bus::make_socket(context, bus::Kind::jobs_router, &options.security)),
      workers_(bus::make_socket(context, bus::Kind::workers_router, &options.security)),
      events_(bus::make_socket(context, bus::Kind::events_xpub, &options.security)),
      gate_(context, &options.security),
      table_(std::move(table)),
      cameras_(table_) {
    table_.retain(options_.retention);
    for (const auto& gone : table_.deliver_to(options_.alerts, journal_))
        log::warn("target_gone", "target={} is configured no more: what waited for it is not delivered",
                  gone);
}

Result<void> Core::load_cameras(const store::Records& records) {
    if (auto ok = cameras_.load(records, Clock::now()); !ok) return ok;
    // After a take-over the workers that hold leases get time to say so. A table without leases needs none.
    const auto held = leases();
    auto& noops = table_.noops().lists();
    quiet_until_ = Clock::now() + (held.empty() && noops.empty() ? Clock::duration{} : rounds(4));
    for (const auto& [token, holder] : held) granted_[token] = quiet_until_;
    for (auto& [nonce, list] : noops) list.told = quiet_until_;
    if (!cameras_.registry_known()) audit_.ask_registry();
    configured_cameras();
    return {};
}

Result<void> Core::bind() {
    auto at = bus::broker_endpoints(options_.endpoint);
    if (!at) return at.error();
    gate_.watch(jobs_, "jobs");
    gate_.watch(workers_, "workers");
    gate_.watch(events_, "events");
    if (auto ok = bus::bind(jobs_, at->jobs, &options_.security); !ok) return ok;
    if (auto ok = bus::bind(workers_, at->workers, &options_.security); !ok) return ok;
    return bus::bind(events_, at->events, &options_.security);
}

Result<void> Core::run(int stop_fd) {
    name_thread("broker");
    auto tick = Clock::now();
    while (!ended_) {
        zmq::pollitem_t polled[] = {{jobs_.handle(), 0, ZMQ_POLLIN, 0},
                                    {workers_.handle(), 0, ZMQ_POLLIN, 0},
                                    {events_.handle(), 0, ZMQ_POLLIN, 0},
                                    {nullptr, store_.outcomes().fd(), ZMQ_POLLIN, 0},
                                    {nullptr, stop_fd, ZMQ_POLLIN, 0}};
        zmq::poll(polled, std::size(polled), milliseconds(options_.round_ms / 5));
        if (polled[4].revents & ZMQ_POLLIN) break;
        const auto now = Clock::now();
        // This loop stood still (a stopped process, a starved machine): everybody else looks silent now.
        if (now - tick > rounds(2)) quiet_until_ = std::max(quiet_until_, now + rounds(4));
        tick = now;
        while (auto outcome = store_.outcomes().try_take()) durable(std::move(*outcome));
        if (!store_.away())
            if (const auto registry = audit_.registry()) take_registry(*registry);
        // Bounded turns, so that no socket starves another.
        // Of one batch; what comes after waits in the sockets.
        const auto room = [&] {
            return journal_.bytes < 64u << 20 && journal_.log.size() < 20'000 &&
                   table_.noops().changed() < 20'000;
        };
        for (int i = 0; i < 256 && room(); ++i)
            if (auto frames = bus::receive(workers_))
                from_worker(std::move(*frames));
            else
                break;
        for (int i = 0; i < 256 && room(); ++i)
            if (auto frames = bus::receive(jobs_))
                from_client(std::move(*frames));
            else
                break;
        welcome_subscriber();
        tell_of_stores(now);
        if (now >= quiet_until_) {
            if (!store_.away() && now >= judge_at_) {  // its verdicts could not be kept (rule 28)
                judge();
                tend_cameras(now);
                judge_at_ = now + rounds(0.2);  // it looks at every lease
            }
            tend_pools(now);
            if (peers_changed_) send_peers();
            if (!store_.away()) table_.prune(now_ns(), journal_);
            say_dead();
            grant();
        }
        commit();
    }
    if (ended_) return *ended_;
    // A clean end: what was decided becomes durable before the lead is given up.
    const auto until = Clock::now() + std::chrono::seconds(2);
    commit();
    while (in_flight_ && !ended_ && Clock::now() < until) {
        zmq::pollitem_t p{nullptr, store_.outcomes().fd(), ZMQ_POLLIN, 0};
        zmq::poll(&p, 1, milliseconds(50));
        while (auto outcome = store_.outcomes().try_take()) durable(std::move(*outcome));
        commit();
    }
    return {};
}

// One batch at a time: what comes in meanwhile shares the next one, and its fsync.
void Core::commit() {
    if (in_flight_) return;
    table_.write_noops(journal_);
    if (journal_.empty()) {
        auto after = std::move(after_);
        after_.clear();
        for (auto& f : after) f();
        return;
    }
    in_flight_.emplace(InFlight{++batch_number_, std::move(after_)});
    after_.clear();
    store_.commit({epoch_, batch_number_, std::move(journal_.writes), std::move(journal_.log)});
    journal_ = {};
}

void Core::durable(StoreThread::Outcome outcome) {
    if (outcome.number == 0) {
        ended_ = outcome.error;
        return;
    }
    if (!in_flight_ || in_flight_->number != outcome.number) return;
    InFlight done = std::move(*in_flight_);
    in_flight_.reset();
    if (!outcome.log.empty()) audit_.feed(outcome.log);
    for (auto& entry : outcome.log) publish(std::move(entry));
    trim_log();
    for (auto& f : done.after) f();
}

void Core::publish_backlog(const std::vector<store::LogEntry>& entries) {
    for (const auto& e : entries) publish(e);
}

namespace {

std::size_t size_of(const store::LogEntry& e) {
    return sizeof e + e.topic.size() + e.kind.size() + e.job.size() + e.body.size();
}

}  // namespace

void Core::publish(store::LogEntry entry) {
    if (subscriptions_ > 0)
        for (const Json& event : events_of(entry)) send_event(event);
    recent_bytes_ += size_of(entry);
    recent_.push_back(std::move(entry));
}

// What an entry of the log tells: one event, or one of each job where it is about many.
std::vector<Json> Core::events_of(const store::LogEntry& entry) const {
    Json event{{"id", entry.id.text()},    {"topic", entry.topic},
               {"kind", entry.kind},       {"job", entry.job},
               {"time_ns", entry.time_ns}, {"body", Json::parse(entry.body, nullptr, false)}};
    if (entry.topic != "jobs.noop") return {std::move(event)};
    std::vector<Json> events;
    const Json jobs = std::move(event["body"]["jobs"]);
    event["body"].erase("jobs");
    event["kind"] = "job." + entry.kind.substr(entry.kind.find('.') + 1);
    for (const Json& job : jobs) {
        event["job"] = job;
        event["topic"] = "job." + job.get<std::string>() + ".state";
        events.push_back(event);
    }
    return events;
}

void Core::send_event(const Json& event) {
    const auto& topic = event["topic"].get_ref<const std::string&>();
    std::vector<zmq::message_t> frames;
    frames.emplace_back(topic.data(), topic.size());
    frames.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
    const auto bytes = Json::to_msgpack(event);
    frames.emplace_back(bytes.data(), bytes.size());
    bus::send(events_,
              frames);  // XPUB never blocks: a subscriber that is too slow asks for the rest by `log`
}

void Core::welcome_subscriber() {
    while (auto frames = bus::receive(events_)) {
        const auto text = frames->front().to_string();
        if (!text.empty())
            subscriptions_ += text[0] == 1 ? 1 : -1;  // each comes and goes once (xpub_verboser)
        if (text.empty() || text[0] != 1) continue;
        const std::string topic = text.substr(1);
        const auto bytes =
            Json::to_msgpack({{"kind", "welcome"}, {"topic", topic}, {"id", table_.last_id().text()}});
        std::vector<zmq::message_t> out;
        out.emplace_back(topic.data(), topic.size());
        out.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
        out.emplace_back(bytes.data(), bytes.size());
        bus::send(events_, out);
    }
}

void Core::trim_log() {
    const bool much = recent_bytes_ > options_.keep_log_bytes + (1u << 20);
    if (recent_.size() <= options_.keep_log + 1000 && !much) return;
    // Only what the audit trail has; subscribers have it by age, and alerts that still wait for a target are
    // kept by themselves first.
    const auto audited = audit_.position();
    store::LogId upto;
    while ((recent_.size() > options_.keep_log || recent_bytes_ > options_.keep_log_bytes) &&
           !recent_.empty() && recent_.front().id <= audited) {
        upto = recent_.front().id;
        recent_bytes_ -= size_of(recent_.front());
        recent_.pop_front();
    }
    if (upto == store::LogId{}) return;
    table_.outbox().keep(upto, journal_);
    later([this, upto] { store_.trim(upto); });
}

// Nothing can be kept while the job store is away: of that it is told once it is back.
void Core::tell_of_stores(Clock::time_point now) {
    if (const bool away = audit_.away(); away != audit_away_) {
        audit_away_ = away;
        table_.event(
            journal_, "broker.audit", away ? "audit.away" : "audit.back", "",
            Json{{"why", away ? audit_.why() : ""}}.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    if (store_.away()) {
        if (!store_away_at_) store_away_at_ = now;
    } else if (store_away_at_) {
        const double away_s = std::chrono::duration<double>(now - *store_away_at_).count();
        store_away_at_.reset();
        table_.event(journal_, "broker.store", "store.back", "", Json{{"away_s", away_s}}.dump());
    }
}

// --- leases --------------------------------------------------------------------------------------------

void Core::judge() {
    const auto now = Clock::now();
    if (options_.judge)
        for (const auto& worker : members_.silent(now, rounds(2.5))) lose(worker, "worker.lost");
    const auto all = leases();
    for (const auto& [token, holder] : all) {
        const Member* m = members_.find(holder);
        if (m && m->held.contains(token)) {
            granted_[token] = now;
            continue;
        }
        const auto since = granted_.emplace(token, now).first->second;
        // The holder did not come back after a take-over, never took the lease, or let it go.
        if (now - since > rounds(2.5)) {
            log::info("lease_lost", "unit={} job={} stream={} seq={} holder={}", token.unit, token.job,
                      token.stream, token.seq, holder);
            release(token, holder);
        }
    }
    judge_noops(now);
    if (granted_.size() > 1000 + 2 * all.size())
        std::erase_if(granted_, [&](const auto& g) { return !current(g.first); });
}

// Those of one nonce are listed together, once they take longer than a round.
void Core::judge_noops(Clock::time_point now) {
    std::vector<std::pair<schema::Token, std::string>> over;
    for (auto& [nonce, list] : table_.noops().lists()) {
        const Member* m = members_.find(list.holder);
        const auto listed = [&](const Noop* noop) { return noop && m->held.contains(Noops::token(*noop)); };
        if (m && !m->held.empty() && std::any_of(list.noops.begin(), list.noops.end(), listed))
            list.told = now;
        if (list.told == not_sent || now - list.told <= rounds(2.5)) continue;
        log::info("lease_lost", "unit=noop count={} holder={}", list.open, list.holder);
        for (const Noop* noop : list.noops)
            if (noop) over.emplace_back(Noops::token(*noop), list.holder);
    }
    for (const auto& [token, holder] : over) release(token, holder);
}

void Core::lose(const std::string& worker, const char* kind) {
    const Member* m = members_.find(worker);
    if (!m) return;
    log::info(kind, "worker={} pool={} host={} pid={}", worker, m->hello.pool, m->hello.host, m->hello.pid);
    table_.event(
        journal_, "pool." + m->hello.pool, kind, "",
        Json{{"worker", worker}, {"stage", m->hello.stage}, {"host", m->hello.host}, {"pid", m->hello.pid}}
            .dump(-1, ' ', false, Json::error_handler_t::replace));
    members_.erase(worker, Clock::now());
    peers_changed_ = true;
    judge_at_ = {};  // what it held goes to others at once
    auto held = leases();
    for (const auto& [nonce, list] : table_.noops().lists())
        for (const Noop* noop : list.noops)
            if (noop) held.emplace_back(Noops::token(*noop), list.holder);
    for (const auto& [token, holder] : held)
        if (holder == worker) release(token, holder);
}

void Core::release(const schema::Token& token, const std::string& holder) {
    granted_.erase(token);
    if (options_.test_off.contains("reissue")) return;
    lost(token);
    ++releases_;
    released_.emplace(token, holder);
    while (released_.size() > 1000) released_.erase(released_.begin());  // ULIDs: of the oldest job
}

// A lease runs from when its holder can know of it: the batch that records it may take longer than a lease.
void Core::begin_lease(const schema::Token& token) {
    if (const auto at = granted_.find(token); at != granted_.end()) at->second = Clock::now();
}

std::vector<std::pair<schema::Token, std::string>> Core::leases() const {
    auto all = table_.leases();
    auto live = cameras_.leases();
    std::move(live.begin(), live.end(), std::back_inserter(all));
    return all;
}

bool Core::current(const schema::Token& token) const {
    return is_live(token) ? cameras_.current(token) : table_.current(token);
}

void Core::lost(const schema::Token& token) {
    is_live(token) ? cameras_.lost(token, journal_) : table_.lost(token, journal_);
}

void Core::grant() {
    if (store_.away()) return;
    Dispatch dispatch(table_, members_, options_.limits, Clock::now());
    while (const auto g = dispatch.next()) carry_out(*g);
    grant_noops();
}

void Core::grant_noops() {
    Noops& noops = table_.noops();
    if (noops.pending() == 0) return;
    for (const auto& [worker, m] : members_.all()) {
        if (m.hello.stage != "noop" || m.draining) continue;
        auto leases = noops.lease(worker, m.hello.slots - noops.held(worker));
        if (leases.jobs.empty()) continue;
        leases.epoch = epoch_;
        later([this, to = worker, leases = std::move(leases)] {
            // They run from when their holder can know of them.
            auto& lists = table_.noops().lists();
            if (const auto at = lists.find(leases.nonce); at != lists.end()) at->second.told = Clock::now();
            send_worker(to, bus::Envelope::make(leases));
        });
    }
}

void Core::carry_out(const Grant& g) {
    Job* job = table_.find(g.job);
    if (g.unit == "chunk") {
        Member& home = *members_.find(g.worker);
        schema::Expect m;
        m.epoch = epoch_;
        m.token = table_.lease_chunk(*job, g.stream, g.seq, g.worker, journal_);
        m.n = ++expects_;
        m.spec = job->spec;
        const Stream& s = job->streams[std::size_t(g.stream)];
        m.stream = s.info;
        m.row = s.chunks[std::size_t(g.seq)].row;
        m.recorded = s.detections.contains(g.seq);
        home.slots[m.token] = m.n;
        granted_[m.token] = not_sent;
        for (const auto& p : job->spec.pools) table_.pin(*job, p.name, members_.engine(p.name), journal_);
        later([this, worker = g.worker, m = std::move(m)] {
            if (Member* to = members_.find(worker)) to->expects = std::max(to->expects, m.n);
            begin_lease(m.token);
            log::debug("leased", "unit=chunk job={} stream={} seq={} attempt={} holder={}", m.token.job,
                       m.token.stream, m.token.seq, m.token.attempt, worker);
            send_worker(worker, bus::Envelope::make(m));
        });
        return;
    }
    schema::Task m;
    m.epoch = epoch_;
    if (g.unit == "deliver") {
        constexpr std::size_t most = 64;
        m.target = g.job;
        m.token = table_.lease_deliver(g.job, g.worker, most, m.alerts);
    } else {
        m.spec = job->spec;
        if (g.unit == "scan") {
            m.token = table_.lease_scan(*job, g.worker, journal_);
        } else if (g.unit == "final") {
            m.token = table_.lease_final(*job, g.worker, journal_);
            m.streams = table_.stream_parts(*job);
            m.state = state_name(job->ending);
            m.error = job->error;
            m.engines = job->engines;
        } else {
            m.token = table_.lease_sweep(*job, g.worker, journal_);
            m.keep_outputs =
                job->forget != Job::Forget::all && (job->state != JobState::canceled || job->keep_partial);
        }
    }
    granted_[m.token] = not_sent;
    later([this, worker = g.worker, m = std::move(m)] {
        begin_lease(m.token);
        log::debug("leased", "unit={} job={} attempt={} holder={}", m.token.unit, m.token.job,
                   m.token.attempt, worker);
        send_worker(worker, bus::Envelope::make(m));
    });
}

void Core::send_peers() {
    peers_changed_ = false;
    schema::Peers m;
    m.epoch = epoch_;
    m.n = ++peers_n_;
    m.workers = members_.peers();
    for (auto& [id, member] : members_.all()) {
        member.peers = m.n;
        member.peers_sent = Clock::now();
        send_worker(id, bus::Envelope::make(m));
    }
}

void Core::send_worker(const std::string& worker, bus::Envelope message) {
    std::vector<zmq::message_t> frames;
    frames.emplace_back(worker.data(), worker.size());
    message.append_to(frames);
    try {
        bus::send(workers_, frames);
    } catch (const zmq::error_t& e) {
        // Not connected now: it repeats its requests, and leases that it never lists are lost.
        log::debug("worker_unreachable", "worker={} why={}", worker, e.what());
    }
}

// --- the whole -----------------------------------------------------------------------------------------

Result<void> run_broker(zmq::context_t& context, store::JobStore& jobs, store::JobStore& audit_log,
                        store::Audit& audit, const Catalogue& catalogue, const Options& options, int stop_fd,
                        const std::function<void()>& serving) {
    for (const auto& off : options.test_off)
        log::warn("protection_off", "{} is switched off: this broker is for a test that must fail", off);
    const std::string id = make_ulid();
    bool said = false;
    while (true) {
        // Long enough to load everything; the store thread's first renewal makes it short.
        constexpr std::int64_t loading_ttl_ms = 15'000;
        auto lead = jobs.lead(id, std::max(options.lead_ttl_ms, loading_ttl_ms));
        if (!lead && lead.error().code != Errc::unavailable && lead.error().code != Errc::timeout)
            return lead.error();
        if (!lead || !lead->leads) {
            if (!said)
                log::warn("waiting_for_lead", "{}",
                          lead ? "broker " + lead->leader + " leads" : lead.error().text());
            said = true;
            zmq::pollitem_t p{nullptr, stop_fd, ZMQ_POLLIN, 0};
            zmq::poll(&p, 1, milliseconds(100));
            if (p.revents & ZMQ_POLLIN) return {};
            continue;
        }
        said = false;
        auto records = jobs.load();
        if (!records) {
            log::warn("load_failed", "{}", records.error().text());
            if (records.error().code != Errc::unavailable && records.error().code != Errc::timeout)
                return records.error();
            continue;
        }
        std::vector<store::LogEntry> entries;
        auto page = jobs.read_log({}, 5000);
        while (page && !page->empty()) {
            const auto at = page->back().id;
            std::move(page->begin(), page->end(), std::back_inserter(entries));
            page = jobs.read_log(at, 5000);
        }
        if (!page) {
            log::warn("load_failed", "{}", page.error().text());
            if (page.error().code != Errc::unavailable && page.error().code != Errc::timeout)
                return page.error();
            continue;
        }
        JobTable table(lead->epoch, {});
        if (auto ok = table.load(*records); !ok) return ok;
        table.load_undelivered(entries);
        if (options.test_off.contains("fencing")) table.unfence();

        Result<void> ended;
        {
            // Over ipc and tcp each term has a context of its own: its end waits until the sockets of the
            // term are really gone, or the next bind would find the address in use, or lose its socket file.
            zmq::context_t own;
            AuditThread audit_thread(audit_log, audit, !options.test_off.contains("dedup"));
            {
                StoreThread store_thread(jobs, id, lead->epoch, options.lead_ttl_ms);
                Core core(options.endpoint.starts_with("inproc://") ? context : own, catalogue, options,
                          store_thread, audit_thread, std::move(table), lead->epoch);
                if (auto ok = core.load_cameras(*records); !ok) return ok;
                if (auto ok = core.bind(); !ok) return ok;
                core.publish_backlog(entries);
                log::info("leading", "broker={} epoch={} endpoint={} log={}", id, lead->epoch,
                          options.endpoint, entries.size());
                if (serving) serving();
                ended = core.run(stop_fd);
            }
            // Before the audit thread's last copy: a standby must not wait for a trail that is away.
            if (ended)
                if (auto ok = jobs.resign(id); !ok) log::warn("resign_failed", "{}", ok.error().text());
        }
        if (ended) return {};
        log::warn("lead_lost", "{}", ended.error().text());
        if (ended.error().code != Errc::stale) return ended;
    }
}

}  // namespace sl::broker
