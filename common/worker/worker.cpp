#include "common/worker/worker.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "common/bus/dead_sockets.hpp"
#include "common/bus/gate.hpp"
#include "common/log.hpp"
#include "common/mailbox.hpp"
#include "common/thread_name.hpp"
#include "common/worker/broker_link.hpp"
#include "common/worker/intake.hpp"
#include "common/worker/links.hpp"

namespace sl::worker {
namespace {

using std::chrono::milliseconds;

struct AnyItem {  // every message between workers carries its token
    schema::Token token;
    MSGPACK_DEFINE_MAP(token)
};

struct AnyOrder {  // of a broker; some carry no epoch
    std::uint64_t epoch = UINT64_MAX;
    MSGPACK_DEFINE_MAP(epoch)
};

// Batch work gives way to live work: its share of a full core is a tenth of theirs.
constexpr int background_nice = 10;

class Loop final : public BusApi {
public:
    Loop(zmq::context_t& context, Stage& stage, const Options& options,
         std::vector<bus::BrokerEndpoints> brokers)
        : context_(context),
          stage_(stage),
          options_(options),
          round_(options.round_ms),
          id_(make_ulid()),
          links_(context, host_identity(), process_identity(), options.security),
          broker_(context, id_, std::move(brokers), round_, options.security),
          intake_(stage, broker_, !options.in_process),
          pull_(bus::make_socket(context, gathers() ? bus::Kind::pull_home : bus::Kind::pull,
                                 &options.security)),
          emit_(*this) {}

    Result<void> open();
    Result<Ended> run(int stop_fd, double drain_s);

    // BusApi
    void post(bus::Envelope item) override { intake_.put(std::move(item)); }
    void forget(const schema::Token& token) override { broker_.forget(token); }
    void hold(const schema::Token& token) override {
        has_work();
        held_.insert(token);
        const std::lock_guard lock(mutex_);
        stopped_.erase(token);
    }
    void release(const schema::Token& token) override {
        held_.erase(token);
        forget(token);
        const std::lock_guard lock(mutex_);
        // Only the item in the work thread can still ask about an old token; a short memory is enough.
        if (stopped_.size() > 10000) stopped_.clear();
        stopped_.insert(token);
        beat_at_ = Clock::now();  // the broker frees the slot at the next listing
    }
    bool draining() const override { return draining_; }
    const schema::Peer* peer(const std::string& worker) const override { return links_.peer(worker); }
    void send(bus::Envelope message) override { broker_.send(std::move(message)); }
    const std::string& id() const override { return id_; }
    void to_any(const std::string& pool, bus::Envelope message) override {
        links_.to_any(pool, std::move(message));
    }
    void to_home(const std::string& worker, bus::Envelope message) override {
        links_.to_home(worker, std::move(message));
    }
    bool blocked(const std::string& pool) const override { return links_.blocked(pool); }
    bool serves(const std::string& pool) const override { return links_.serves(pool, id_); }

protected:
    std::uint64_t next_request() override { return broker_.next_request(); }
    void send_request(std::uint64_t req, const schema::Token& token, bus::Envelope message) override {
        if (message.type() == "fail")
            if (const auto f = message.as<schema::Fail>()) last_error_ = f->code + ": " + f->message;
        broker_.request(req, token, std::move(message));
    }

private:
    class WorkEmit final : public Emit {
    public:
        explicit WorkEmit(Loop& loop) : loop_(loop) {}
        void to_any(const std::string& pool, bus::Envelope message) override {
            put([this, pool, m = std::make_shared<bus::Envelope>(std::move(message))] {
                loop_.links_.to_any(pool, std::move(*m));
            });
        }
        void to_home(const std::string& worker, bus::Envelope message) override {
            put([this, worker, m = std::make_shared<bus::Envelope>(std::move(message))] {
                loop_.links_.to_home(worker, std::move(*m));
            });
        }
        void to_bus(std::function<void()> f) override { put(std::move(f)); }
        bool stopped(const schema::Token& token) const override {
            loop_.alive();
            if (loop_.abandon_) return true;
            const std::lock_guard lock(loop_.mutex_);
            return loop_.stopped_.contains(token);
        }
        bool reachable(const std::string& worker) const override {
            const std::lock_guard lock(loop_.mutex_);
            return loop_.reachable_.contains(worker);
        }

    protected:
        void request_(const schema::Token& token, Maker make) override {
            put([this, token, make = std::move(make)] {
                const auto req = loop_.next_request();
                loop_.send_request(req, token, make(req));
            });
        }

    private:
        // Time blocked here is not time at work: the peers are full, the item is not stuck.
        void put(std::function<void()> f) {
            const auto before = Clock::now();
            loop_.alive_ns_ = INT64_MAX;
            loop_.results_.put(std::move(f));
            loop_.alive();
            loop_.blocked_ns_ += (Clock::now() - before).count();
        }
        Loop& loop_;
    };

    void has_work() {
        if (!options_.background && options_.live_work) *options_.live_work = true;
    }
    bool gathers() const { return options_.slots > 0 || stage_.gathers(); }
    void work_thread();
    void feed(Clock::time_point now);
    schema::Bytes hello() const;
    void beat();
    static std::int64_t clock_ns() { return Clock::now().time_since_epoch().count(); }
    void alive() { alive_ns_ = clock_ns(); }
    void check_reload();
    void follow(std::uint64_t epoch) {  // a new leader numbers its EXPECTs anew
        if (epoch != epoch_) last_expect_ = 0;
        epoch_ = epoch;
    }
    void from_broker(std::vector<zmq::message_t> frames);
    void from_peer(std::vector<zmq::message_t> frames);
    void take_task(bus::Envelope e);
    void take_peers(const schema::Peers& peers);
    void drop(const schema::Token& token);
    void finished(const schema::Token& token);
    bool idle() const {
        return !working_ && intake_.empty() && held_.empty() && broker_.idle() && !links_.blocked() &&
               stage_.idle();
    }
    void bad_message(const Error& error, const std::string& from) {
        ++bad_messages_;
        if (complained_.insert(from).second) log::warn("bad_message", "from={} {}", from, error.message);
    }

    zmq::context_t& context_;
    Stage& stage_;
    const Options& options_;
    const milliseconds round_;
    const std::string id_;
    Links links_;
    BrokerLink broker_;
    Intake intake_;
    zmq::socket_t pull_;
    std::optional<bus::Gate> gate_;  // none where everything is inproc
    schema::Bytes hello_;
    std::vector<std::string> endpoints_;
    std::string ipc_path_;

    // bus thread
    bool draining_ = false, working_ = false;
    std::uint64_t epoch_ = 0, peers_epoch_ = 0, peers_n_ = 0, last_expect_ = 0, bad_messages_ = 0;
    std::set<schema::Token> held_;
    std::set<schema::Token> worked_;  // held, and work() has returned
    std::set<std::string> complained_;
    std::int64_t items_ = 0;
    std::map<std::string, std::int64_t> job_items_;
    Clock::time_point beat_at_{};
    double drain_s_ = 10;
    std::string last_error_;
    std::optional<Error> refused_;
    std::future<Result<void>> reload_check_;  // the configuration of today, being tried
    bool reload_ = false;

    // between the threads
    WorkEmit emit_;
    Mailbox<Intake::Item> to_work_{1};
    Mailbox<std::function<void()>> results_{4};
    std::atomic<std::int64_t> work_since_ns_{0}, blocked_ns_{0};
    std::atomic<std::int64_t> alive_ns_{0};  // last sign of life of the item at work; future: blocked
    std::atomic<bool> abandon_{false};
    mutable std::mutex mutex_;
    std::set<schema::Token> stopped_;  // guarded by mutex_
    std::set<std::string> reachable_;  // guarded by mutex_
};

Result<void> Loop::open() {
    if (options_.in_process) {
        endpoints_.push_back("inproc://" + id_);
    } else {
        if (!options_.run_dir.empty()) {
            std::error_code ec;
            std::filesystem::create_directories(options_.run_dir, ec);
            if (ec)
                return Error{Errc::io,
                             "cannot create the run folder " + options_.run_dir + ": " + ec.message(), ""};
            bus::remove_dead_sockets(options_.run_dir);  // of workers that were killed here
            ipc_path_ = options_.run_dir + "/" + id_;
            endpoints_.push_back("ipc://" + ipc_path_);
        }
        if (!options_.bind_host.empty()) endpoints_.push_back("tcp://" + options_.bind_host + ":*");
    }
    if (!options_.in_process) {
        gate_.emplace(context_, &options_.security);
        gate_->watch(pull_, "data");
    }
    for (auto& endpoint : endpoints_) {
        if (auto ok = bus::bind(pull_, endpoint, &options_.security); !ok) return ok.error();
        endpoint = pull_.get(zmq::sockopt::last_endpoint);
    }
    options_.crumb.set_worker(id_);
    hello_ = hello();
    return broker_.open(gate_ ? &*gate_ : nullptr);
}

schema::Bytes Loop::hello() const {
    schema::Hello hello;
    hello.worker = id_;
    hello.stage = options_.stage;
    hello.pool = options_.pool.empty() ? options_.stage : options_.pool;
    hello.host = host_identity();
    hello.process = process_identity();
    hello.pid = getpid();
    hello.endpoints = endpoints_;
    hello.slots = options_.slots;
    hello.engine = options_.engine;
    hello.roots = options_.roots;
    hello.version = commit();
    hello.supervisor = options_.supervisor;
    hello.labels = options_.labels;
    return schema::encode(hello);
}

void Loop::beat() {
    schema::Beat beat;
    beat.epoch = epoch_;
    beat.last = last_expect_;
    beat.held.assign(held_.begin(), held_.end());
    if (const auto since = work_since_ns_.load(); since != 0)
        beat.busy_ms = std::max<std::int64_t>(0, (clock_ns() - since - blocked_ns_) / 1'000'000);
    if (const auto sign = alive_ns_.load(); beat.busy_ms > 0)
        beat.still_ms = std::max<std::int64_t>(0, (clock_ns() - sign) / 1'000'000);
    beat.items = items_;
    beat.job_items = job_items_;
    beat.draining = draining_;
    beat.peers = peers_epoch_ == epoch_ ? peers_n_ : 0;
    beat.bad_messages = std::int64_t(bad_messages_);
    beat.dropped = std::int64_t(links_.dropped());
    beat.last_error = last_error_;
    broker_.send(bus::Envelope::make(beat));
}

void Loop::drop(const schema::Token& token) {
    intake_.drop(token);
    release(token);
    stage_.on_drop(token, *this);
}

void Loop::take_peers(const schema::Peers& peers) {
    // Numbered within a term: a new leader begins again at 1.
    if (peers.epoch < epoch_ || std::pair(peers.epoch, peers.n) <= std::pair(peers_epoch_, peers_n_)) return;
    follow(peers.epoch);
    peers_epoch_ = peers.epoch;
    peers_n_ = peers.n;
    const auto gone = links_.update(peers.workers);
    {
        const std::lock_guard lock(mutex_);
        reachable_.clear();
        for (const auto& p : peers.workers) reachable_.insert(p.worker);
    }
    stage_.on_gone(gone, *this);
}

void Loop::take_task(bus::Envelope e) {
    const auto task = e.as<schema::Task>();
    if (!task) return bad_message(task.error(), "broker");
    if (task->epoch < epoch_) return;
    if (task->token.unit != "chunk") {
        if (held_.contains(task->token)) return;  // the broker repeated itself
        hold(task->token);
    }
    if (!stage_.intercept(e, *this)) intake_.put(std::move(e));
}

void Loop::from_broker(std::vector<zmq::message_t> frames) {
    auto parsed = bus::Envelope::parse(std::move(frames));
    if (!parsed) return bad_message(parsed.error(), "broker");
    bus::Envelope& e = *parsed;
    const std::string& type = e.type();
    if (type == "welcome") {
        const auto m = e.as<schema::Welcome>();
        if (!m) return bad_message(m.error(), "broker");
        if (m->epoch < epoch_) return;  // of a leader that was replaced
        follow(m->epoch);
        if (!broker_.joined())
            log::info("joined", "worker={} pool={} broker={}", id_,
                      options_.pool.empty() ? options_.stage : options_.pool, broker_.at());
        broker_.joined(true);
        beat_at_ = Clock::now();
    } else if (type == "refused") {
        const auto m = e.as<schema::Refused>();
        if (!m) return bad_message(m.error(), "broker");
        refused_ = Error{code_from_name(m->code), m->message, ""};
    } else if (type == "beat_answer") {
        const auto m = e.as<schema::BeatAnswer>();
        if (!m) return bad_message(m.error(), "broker");
        if (m->epoch < epoch_) return;  // of a leader that was replaced
        if (m->who) return broker_.say_hello(Clock::now(), hello_);
        // Whatever EXPECT was sent before this answer has come, or never will.
        last_expect_ = std::max(last_expect_, m->last);
        for (const auto& token : m->drop) drop(token);
    } else if (type == "peers") {
        const auto m = e.as<schema::Peers>();
        if (!m) return bad_message(m.error(), "broker");
        take_peers(*m);
    } else if (type == "answer") {
        const auto m = e.as<schema::Answer>();
        if (!m) return bad_message(m.error(), "broker");
        const auto token = broker_.answered(m->req);
        if (!token) return;
        if (m->status == "stale") return drop(*token);
        stage_.on_answer(*token, *m, e, *this);
    } else if (type == "took") {
        const auto m = e.as<schema::Took>();
        if (!m) return bad_message(m.error(), "broker");
        intake_.took(*m);
    } else if (type == "task") {
        take_task(std::move(e));
    } else if (type == "drain") {
        const auto m = e.as<schema::Drain>();
        if (!m) return bad_message(m.error(), "broker");
        if (m->deadline_ms > 0) drain_s_ = double(m->deadline_ms) / 1000;
        draining_ = true;
    } else if (type == "reload") {
        const auto m = e.as<schema::Reload>();
        if (!m) return bad_message(m.error(), "broker");
        if (draining_ || reload_check_.valid()) return;
        if (m->deadline_ms > 0) drain_s_ = double(m->deadline_ms) / 1000;
        // Beside this thread: a model may take its time to load.
        reload_check_ = std::async(
            std::launch::async, options_.check_reload ? options_.check_reload : [] {
                return Result<void>(
                    Error{Errc::invalid_argument, "this worker has no configuration to read again", ""});
            });
    } else if (type == "die") {
        const auto m = e.as<schema::Die>();
        if (!m) return bad_message(m.error(), "broker");
        // Its supervisor reports what it was at. There is no other way to end a thread that hangs in a
        // library.
        log::error("stuck", "worker={} why={}", id_, m->message);
        options_.crumb.set_cause(m->message);
        ::_exit(exit_crashed);
    } else {
        if (const auto m = e.as<AnyOrder>(); m && m->epoch < epoch_) return;
        if (type == "expect")
            if (const auto m = e.as<schema::Expect>()) last_expect_ = std::max(last_expect_, m->n);
        stage_.intercept(e, *this);
    }
}

void Loop::from_peer(std::vector<zmq::message_t> frames) {
    auto parsed = bus::Envelope::parse(std::move(frames));
    if (!parsed) return bad_message(parsed.error(), "peer");
    // Leases and orders come from the broker alone (PROTOCOL.md section 6 has what a peer may send).
    static const std::set<std::string> from_peers{"chunk", "batch",  "source",  "detections", "frame",
                                                  "still", "tensor", "picture", "boxes",      "seen"};
    if (!from_peers.contains(parsed->type()))
        return bad_message(
            {Errc::bad_message, "a peer sent '" + parsed->type() + "', which is no data message", ""},
            "peer");
    has_work();
    if (!stage_.intercept(*parsed, *this)) intake_.put_from_peer(std::move(*parsed));
}

void Loop::finished(const schema::Token& token) {
    working_ = false;
    ++items_;
    if (!token.job.empty()) {
        ++job_items_[token.job];
        if (job_items_.size() > 64) job_items_.erase(job_items_.begin());  // ULIDs: the oldest job
    }
    if (token.unit != "chunk" && held_.contains(token))
        worked_.insert(token);  // a home lets go of chunks itself
}

void Loop::feed(Clock::time_point now) {
    if (working_ || links_.blocked()) return;
    auto item = intake_.next(now);
    if (!item) return;
    working_ = true;
    to_work_.put(std::move(*item));
}

void Loop::check_reload() {
    if (!reload_check_.valid() || reload_check_.wait_for(milliseconds(0)) != std::future_status::ready)
        return;
    const auto ok = reload_check_.get();
    if (ok) {
        draining_ = reload_ = true;
        return;
    }
    log::warn("reload_refused", "worker={} {}", id_, ok.error().text());
    schema::ReloadRefused m;
    m.code = code_name(ok.error().code);
    m.message = ok.error().text();
    broker_.send(bus::Envelope::make(m));
}

void Loop::work_thread() {
    name_thread(options_.stage);
    bool gives_way = false;
    while (auto item = to_work_.take()) {
        if (!gives_way && options_.background && options_.live_work && *options_.live_work) {
            ::setpriority(PRIO_PROCESS, id_t(::gettid()), background_nice);
            gives_way = true;
        }
        blocked_ns_ = 0;
        alive();
        work_since_ns_ = clock_ns();
        bus::Envelope& message = item->message;
        schema::Token token;
        if (const auto any = message.as<AnyItem>()) token = any->token;
        options_.crumb.write(token, options_.stage,
                             item->claim ? std::span<const schema::Piece>(item->claim->pieces)
                                         : std::span<const schema::Piece>{});
        try {
            stage_.work(message, emit_);
        } catch (const std::exception& e) {
            log::error("work_failed", "type={} job={} why={}", message.type(), token.job, e.what());
            if (!token.unit.empty()) {
                schema::Fail fail;
                fail.token = token;
                fail.code = code_name(Errc::internal);
                fail.message = e.what();
                emit_.request(fail);
            }
        }
        options_.crumb.clear();
        item.reset();
        work_since_ns_ = 0;
        results_.put([this, token] { finished(token); });
    }
}

Result<Ended> Loop::run(int stop_fd, double drain_s) {
    name_thread(options_.stage + ".bus");
    std::jthread work([this] { work_thread(); });
    struct Ender {  // whatever way the loop ends, the work thread is let go first
        Loop& loop;
        ~Ender() {
            loop.abandon_ = true;
            loop.to_work_.close();
            loop.results_.close();
        }
    } ender{*this};
    drain_s_ = drain_s;
    std::optional<Clock::time_point> deadline;
    while (true) {
        const auto now = Clock::now();
        broker_.tick(now, hello_);
        if (broker_.joined() && now >= beat_at_) {
            beat();
            beat_at_ = now + round_;
        }
        check_reload();
        stage_.on_tick(now, *this);
        // A unit is let go when its work is done and its last request answered. (A home lets go by itself.)
        std::erase_if(worked_, [&](const schema::Token& t) {
            if (broker_.waits_for(t)) return false;
            release(t);
            return true;
        });
        feed(now);

        if (draining_ && !deadline) {
            deadline = now + milliseconds(std::int64_t(drain_s_ * 1000));
            log::info("draining", "worker={} held={} queued={}", id_, held_.size(), intake_.size());
            beat();
        }
        if (refused_) return *refused_;
        if (deadline && (idle() || now >= *deadline)) break;

        std::vector<zmq::pollitem_t> polled;
        polled.push_back({broker_.socket().handle(), 0, ZMQ_POLLIN, 0});
        polled.push_back({nullptr, stop_fd, short(draining_ ? 0 : ZMQ_POLLIN), 0});
        polled.push_back({nullptr, results_.fd(), short(links_.blocked() ? 0 : ZMQ_POLLIN), 0});
        // Not before the first PEERS: until then every home looks gone.
        const bool read_peers = peers_n_ > 0 && (gathers() || (!draining_ && intake_.empty()));
        polled.push_back({pull_.handle(), 0, short(read_peers ? ZMQ_POLLIN : 0), 0});
        const std::size_t own = polled.size();
        if (stage_.wake_fd() >= 0) polled.push_back({nullptr, stage_.wake_fd(), ZMQ_POLLIN, 0});
        for (auto* full : links_.full()) polled.push_back({full->handle(), 0, ZMQ_POLLOUT, 0});
        auto wake = std::min(broker_.joined() ? beat_at_ : broker_.next_tick(now), now + round_);
        if (const auto ripe = intake_.ripe(); ripe && !working_) wake = std::min(wake, *ripe);
        const auto wait =
            std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(wake - Clock::now()).count());
        zmq::poll(polled.data(), polled.size(), milliseconds(wait));

        if (polled[1].revents & ZMQ_POLLIN) draining_ = true;
        while (auto frames = broker_.receive()) from_broker(std::move(*frames));
        links_.flush();
        while (!links_.blocked()) {
            auto result = results_.try_take();
            if (!result) break;
            (*result)();
        }
        if (stage_.wake_fd() >= 0 && (polled[own].revents & ZMQ_POLLIN) != 0) stage_.on_wake(*this);
        if (read_peers && gathers()) {
            for (int i = 0; i < 64; ++i) {  // then the broker again
                auto frames = bus::receive(pull_);
                if (!frames) break;
                from_peer(std::move(*frames));
            }
        } else if (read_peers && intake_.empty()) {
            if (auto frames = bus::receive(pull_)) from_peer(std::move(*frames));
        }
    }
    broker_.socket().set(zmq::sockopt::linger, 200);
    broker_.send(bus::Envelope::make(schema::Bye{}));
    if (!ipc_path_.empty()) ::unlink(ipc_path_.c_str());
    log::info("left", "worker={} items={} spared={} dropped={} bad_messages={}", id_, items_,
              intake_.spared(), links_.dropped(), bad_messages_);
    return reload_ ? Ended::reload : Ended::left;
}

}  // namespace

Result<Ended> run_worker(zmq::context_t& context, Stage& stage, const Options& options, int stop_fd,
                         double drain_s) {
    std::vector<bus::BrokerEndpoints> brokers;
    for (const auto& endpoint : options.brokers) {
        auto broker = bus::broker_endpoints(endpoint);
        if (!broker) return broker.error();
        brokers.push_back(std::move(*broker));
    }
    if (brokers.empty()) return Error{Errc::invalid_argument, "a worker needs a broker's endpoint", ""};
    Loop loop(context, stage, options, std::move(brokers));
    if (auto ok = loop.open(); !ok) return ok.error();
    return loop.run(stop_fd, drain_s);
}

}  // namespace sl::worker
