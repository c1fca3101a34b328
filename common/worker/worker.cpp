#include "common/worker/worker.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "common/log.hpp"
#include "common/mailbox.hpp"
#include "common/thread_name.hpp"
#include "common/worker/links.hpp"

namespace sl::worker {
namespace {

using std::chrono::milliseconds;

struct AnyItem {  // every message between workers carries its token
    schema::Token token;
    MSGPACK_DEFINE_MAP(token)
};

class Loop final : public BusApi {
public:
    Loop(zmq::context_t& context, Stage& stage, const Options& options, bus::BrokerEndpoints broker)
        : stage_(stage),
          options_(options),
          round_(options.round_ms),
          id_(make_ulid()),
          links_(context, host_identity(), process_identity()),
          dealer_(bus::make_socket(context, bus::Kind::dealer)),
          pull_(bus::make_socket(context, options.slots > 0 ? bus::Kind::pull_home : bus::Kind::pull)),
          broker_(std::move(broker)),
          emit_(*this) {}

    Result<void> open();
    Result<void> run(int stop_fd, double drain_s);

    // BusApi
    void post(bus::Envelope item, bool urgent) override {
        (urgent ? urgent_ : queue_).push_back(std::move(item));
    }
    void forget(const schema::Token& token) override {
        std::erase_if(requests_, [&](const auto& r) { return r.second.token == token; });
    }
    void hold(const schema::Token& token) override {
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

protected:
    std::uint64_t next_request() override { return ++last_request_; }
    void send_request(std::uint64_t req, const schema::Token& token, bus::Envelope message) override {
        auto& r = requests_[req];
        r.token = token;
        message.append_to(r.frames);
        repeat(r);
    }

private:
    struct Request {
        schema::Token token;
        std::vector<zmq::message_t> frames;
        Clock::time_point sent{};
    };

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
            loop_.results_.put(std::move(f));
            loop_.blocked_ns_ += (Clock::now() - before).count();
        }
        Loop& loop_;
    };

    void work_thread();
    void feed();
    void say_hello();
    void beat();
    void repeat(Request& r);
    void from_broker(std::vector<zmq::message_t> frames);
    void from_peer(std::vector<zmq::message_t> frames);
    void take_task(bus::Envelope e);
    void take_peers(const schema::Peers& peers);
    void drop(const schema::Token& token);
    void finished(const schema::Token& token);
    bool idle() const {
        return !working_ && queue_.empty() && urgent_.empty() && held_.empty() && requests_.empty() &&
               !links_.blocked() && stage_.idle();
    }
    void bad_message(const Error& error, const std::string& from) {
        ++bad_messages_;
        if (complained_.insert(from).second) log::warn("bad_message", "from={} {}", from, error.message);
    }

    Stage& stage_;
    const Options& options_;
    const milliseconds round_;
    const std::string id_;
    Links links_;
    zmq::socket_t dealer_, pull_;
    const bus::BrokerEndpoints broker_;
    std::vector<std::string> endpoints_;
    std::string ipc_path_;

    // bus thread
    bool joined_ = false, draining_ = false, working_ = false;
    std::uint64_t epoch_ = 0, peers_epoch_ = 0, peers_n_ = 0, last_expect_ = 0, last_request_ = 0,
                  bad_messages_ = 0;
    std::deque<bus::Envelope> queue_, urgent_;
    std::set<schema::Token> held_;
    std::set<schema::Token> worked_;  // held, and work() has returned
    std::map<std::uint64_t, Request> requests_;
    std::set<std::string> complained_;
    std::int64_t items_ = 0;
    std::map<std::string, std::int64_t> job_items_;
    Clock::time_point beat_at_{}, heard_{};
    std::optional<Error> refused_;

    // between the threads
    WorkEmit emit_;
    Mailbox<bus::Envelope> to_work_{1};
    Mailbox<std::function<void()>> results_{4};
    std::atomic<std::int64_t> work_since_ns_{0}, blocked_ns_{0};
    std::atomic<bool> abandon_{false};
    mutable std::mutex mutex_;
    std::set<schema::Token> stopped_;  // guarded by mutex_
    std::set<std::string> reachable_;  // guarded by mutex_
};

Result<void> Loop::open() {
    dealer_.set(zmq::sockopt::routing_id, id_);
    if (options_.in_process) {
        endpoints_.push_back("inproc://" + id_);
    } else {
        if (!options_.run_dir.empty()) {
            std::error_code ec;
            std::filesystem::create_directories(options_.run_dir, ec);
            if (ec)
                return Error{Errc::io,
                             "cannot create the run folder " + options_.run_dir + ": " + ec.message(), ""};
            ipc_path_ = options_.run_dir + "/" + id_;
            endpoints_.push_back("ipc://" + ipc_path_);
        }
        if (!options_.bind_host.empty()) endpoints_.push_back("tcp://" + options_.bind_host + ":*");
    }
    for (auto& endpoint : endpoints_) {
        if (auto ok = bus::bind(pull_, endpoint); !ok) return ok.error();
        endpoint = pull_.get(zmq::sockopt::last_endpoint);
    }
    return bus::connect(dealer_, broker_.workers);
}

void Loop::say_hello() {
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
    std::vector<zmq::message_t> frames;
    bus::Envelope::make(hello).append_to(frames);
    bus::send(dealer_, frames);
}

void Loop::beat() {
    schema::Beat beat;
    beat.epoch = epoch_;
    beat.last = last_expect_;
    beat.held.assign(held_.begin(), held_.end());
    if (const auto since = work_since_ns_.load(); since != 0)
        beat.busy_ms = std::max<std::int64_t>(
            0, (Clock::now().time_since_epoch().count() - since - blocked_ns_) / 1'000'000);
    beat.items = items_;
    beat.job_items = job_items_;
    beat.draining = draining_;
    std::vector<zmq::message_t> frames;
    bus::Envelope::make(beat).append_to(frames);
    bus::send(dealer_, frames);
}

void Loop::repeat(Request& r) {
    r.sent = Clock::now();
    if (!joined_) return;
    std::vector<zmq::message_t> frames(r.frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) frames[i].copy(r.frames[i]);
    bus::send(dealer_, frames);
}

void Loop::drop(const schema::Token& token) {
    const auto is_its = [&](const bus::Envelope& e) {
        if (e.type() != "task") return false;
        const auto task = e.as<schema::Task>();
        return task && task->token == token;
    };
    std::erase_if(queue_, is_its);
    release(token);
    stage_.on_drop(token, *this);
}

void Loop::take_peers(const schema::Peers& peers) {
    // Numbered within a term: a new leader begins again at 1.
    if (peers.epoch < epoch_ || std::pair(peers.epoch, peers.n) <= std::pair(peers_epoch_, peers_n_)) return;
    epoch_ = peers_epoch_ = peers.epoch;
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
    if (task->token.unit != "chunk") {
        if (held_.contains(task->token)) return;  // the broker repeated itself
        hold(task->token);
    }
    queue_.push_back(std::move(e));
}

void Loop::from_broker(std::vector<zmq::message_t> frames) {
    auto parsed = bus::Envelope::parse(std::move(frames));
    if (!parsed) return bad_message(parsed.error(), "broker");
    heard_ = Clock::now();
    bus::Envelope& e = *parsed;
    const std::string& type = e.type();
    if (type == "welcome") {
        const auto m = e.as<schema::Welcome>();
        if (!m) return bad_message(m.error(), "broker");
        if (m->epoch != epoch_) last_expect_ = 0;
        epoch_ = std::max(epoch_, m->epoch);
        if (!joined_)
            log::info("joined", "worker={} pool={} broker={}", id_,
                      options_.pool.empty() ? options_.stage : options_.pool, broker_.jobs);
        joined_ = true;
        for (auto& [req, r] : requests_) repeat(r);
        beat_at_ = Clock::now();
    } else if (type == "refused") {
        const auto m = e.as<schema::Refused>();
        if (!m) return bad_message(m.error(), "broker");
        refused_ = Error{code_from_name(m->code), m->message, ""};
    } else if (type == "beat_answer") {
        const auto m = e.as<schema::BeatAnswer>();
        if (!m) return bad_message(m.error(), "broker");
        if (m->epoch < epoch_) return;  // of a leader that was replaced
        if (m->who) return say_hello();
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
        const auto r = requests_.find(m->req);
        if (r == requests_.end()) return;  // answered before
        const auto token = r->second.token;
        requests_.erase(r);
        if (m->status == "stale") return drop(token);
        stage_.on_answer(token, *m, e, *this);
    } else if (type == "task") {
        take_task(std::move(e));
    } else if (type == "drain") {
        draining_ = true;
    } else {
        if (type == "expect")
            if (const auto m = e.as<schema::Expect>()) last_expect_ = std::max(last_expect_, m->n);
        stage_.intercept(e, *this);
    }
}

void Loop::from_peer(std::vector<zmq::message_t> frames) {
    auto parsed = bus::Envelope::parse(std::move(frames));
    if (!parsed) return bad_message(parsed.error(), "peer");
    // Leases and orders come from the broker alone (PROTOCOL.md section 6 has what a peer may send).
    static const std::set<std::string> from_peers{"chunk", "batch", "source", "detections"};
    if (!from_peers.contains(parsed->type()))
        return bad_message(
            {Errc::bad_message, "a peer sent '" + parsed->type() + "', which is no data message", ""},
            "peer");
    if (!stage_.intercept(*parsed, *this)) queue_.push_back(std::move(*parsed));
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

void Loop::feed() {
    if (working_ || links_.blocked()) return;
    auto& from = urgent_.empty() ? queue_ : urgent_;
    if (from.empty()) return;
    working_ = true;
    to_work_.put(std::move(from.front()));
    from.pop_front();
}

void Loop::work_thread() {
    name_thread(options_.stage);
    while (auto item = to_work_.take()) {
        blocked_ns_ = 0;
        work_since_ns_ = Clock::now().time_since_epoch().count();
        schema::Token token;
        if (const auto any = item->as<AnyItem>()) token = any->token;
        try {
            stage_.work(*item, emit_);
        } catch (const std::exception& e) {
            log::error("work_failed", "type={} job={} why={}", item->type(), token.job, e.what());
            if (!token.unit.empty()) {
                schema::Fail fail;
                fail.token = token;
                fail.code = code_name(Errc::internal);
                fail.message = e.what();
                emit_.request(fail);
            }
        }
        item.reset();
        work_since_ns_ = 0;
        results_.put([this, token] { finished(token); });
    }
}

Result<void> Loop::run(int stop_fd, double drain_s) {
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
    std::optional<Clock::time_point> deadline;
    Clock::time_point hello_at{};
    while (true) {
        const auto now = Clock::now();
        if (!joined_ && now >= hello_at) {
            say_hello();
            hello_at = now + round_ * 2;
        }
        if (joined_ && now >= beat_at_) {
            beat();
            beat_at_ = now + round_;
        }
        for (auto& [req, r] : requests_)
            if (now - r.sent >= round_ * 2) repeat(r);
        stage_.on_tick(now, *this);
        // A unit is let go when its work is done and its last request answered. (A home lets go by itself.)
        std::erase_if(worked_, [&](const schema::Token& t) {
            if (std::any_of(requests_.begin(), requests_.end(),
                            [&](const auto& r) { return r.second.token == t; }))
                return false;
            release(t);
            return true;
        });
        feed();

        if (draining_ && !deadline) {
            deadline = now + milliseconds(std::int64_t(drain_s * 1000));
            log::info("draining", "worker={} held={} queued={}", id_, held_.size(), queue_.size());
            beat();
        }
        if (refused_) return *refused_;
        if (deadline && (idle() || now >= *deadline)) break;

        std::vector<zmq::pollitem_t> polled;
        polled.push_back({dealer_.handle(), 0, ZMQ_POLLIN, 0});
        polled.push_back({nullptr, stop_fd, short(draining_ ? 0 : ZMQ_POLLIN), 0});
        polled.push_back({nullptr, results_.fd(), short(links_.blocked() ? 0 : ZMQ_POLLIN), 0});
        // Not before the first PEERS: until then every home looks gone.
        const bool read_peers = peers_n_ > 0 && (options_.slots > 0 || (!draining_ && queue_.empty()));
        polled.push_back({pull_.handle(), 0, short(read_peers ? ZMQ_POLLIN : 0), 0});
        for (auto* full : links_.full()) polled.push_back({full->handle(), 0, ZMQ_POLLOUT, 0});
        const auto wake = std::min(joined_ ? beat_at_ : hello_at, now + round_);
        const auto wait =
            std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(wake - Clock::now()).count());
        zmq::poll(polled.data(), polled.size(), milliseconds(wait));

        if (polled[1].revents & ZMQ_POLLIN) draining_ = true;
        while (auto frames = bus::receive(dealer_)) from_broker(std::move(*frames));
        links_.flush();
        while (!links_.blocked()) {
            auto result = results_.try_take();
            if (!result) break;
            (*result)();
        }
        if (read_peers && options_.slots > 0) {
            for (int i = 0; i < 64; ++i) {  // then the broker again
                auto frames = bus::receive(pull_);
                if (!frames) break;
                from_peer(std::move(*frames));
            }
        } else if (read_peers && queue_.empty()) {
            if (auto frames = bus::receive(pull_)) from_peer(std::move(*frames));
        }
    }
    std::vector<zmq::message_t> frames;
    bus::Envelope::make(schema::Bye{}).append_to(frames);
    dealer_.set(zmq::sockopt::linger, 200);
    bus::send(dealer_, frames);
    if (!ipc_path_.empty()) ::unlink(ipc_path_.c_str());
    log::info("left", "worker={} items={} dropped={} bad_messages={}", id_, items_, links_.dropped(),
              bad_messages_);
    return {};
}

}  // namespace

Result<void> run_worker(zmq::context_t& context, Stage& stage, const Options& options, int stop_fd,
                        double drain_s) {
    auto broker = bus::broker_endpoints(options.broker);
    if (!broker) return broker.error();
    Loop loop(context, stage, options, std::move(*broker));
    if (auto ok = loop.open(); !ok) return ok.error();
    return loop.run(stop_fd, drain_s);
}

}  // namespace sl::worker
