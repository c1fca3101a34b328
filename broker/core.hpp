// Core: the loop thread of a leading broker. Split over files by who speaks: core.cpp (loop, commits,
// events, leases), worker_messages.cpp, client_requests.cpp, job_view.cpp, pool_requests.cpp; live work:
// camera_leases.cpp (what workers say and are told), camera_requests.cpp.
#pragma once

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/audit_thread.hpp"
#include "broker/broker.hpp"
#include "broker/camera_table.hpp"
#include "broker/pools.hpp"
#include "broker/store_thread.hpp"
#include "common/bus/endpoint.hpp"
#include "common/bus/gate.hpp"
#include "common/bus/socket.hpp"

namespace sl::broker {

using Json = nlohmann::json;
using std::chrono::milliseconds;

class Core {
public:
    Core(zmq::context_t& context, const Catalogue& catalogue, const Options& options, StoreThread& store,
         AuditThread& audit, JobTable table, std::uint64_t epoch);

    Result<void> load_cameras(const store::Records& records);  // first
    Result<void> bind();
    Result<void> run(int stop_fd);  // stale: the lead is lost

    void publish_backlog(const std::vector<store::LogEntry>& entries);

private:
    // --- core.cpp
    void later(std::function<void()> after) { after_.push_back(std::move(after)); }
    void commit();
    void durable(StoreThread::Outcome outcome);
    void publish(store::LogEntry entry);
    std::vector<Json> events_of(const store::LogEntry& entry) const;
    void send_event(const Json& event);
    void welcome_subscriber();
    void judge();
    void judge_noops(Clock::time_point now);
    void lose(const std::string& worker, const char* kind);
    void release(const schema::Token& token, const std::string& holder);
    void begin_lease(const schema::Token& token);
    std::vector<std::pair<schema::Token, std::string>> leases() const;  // of jobs and of cameras
    bool current(const schema::Token& token) const;
    void lost(const schema::Token& token);
    void grant();
    void grant_noops();
    void carry_out(const Grant& grant);
    void send_peers();
    void send_worker(const std::string& worker, bus::Envelope message);
    void trim_log();
    void tell_of_stores(Clock::time_point now);
    void say_dead();
    Clock::duration rounds(double n) const {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::milliseconds(options_.round_ms) * n);
    }

    // --- camera_leases.cpp
    void tend_cameras(Clock::time_point now);
    void tell_holders(const LiveCamera& camera);
    void on_report(const schema::CameraReport& report);
    void on_step(const std::string& worker, const schema::LiveStep& step, schema::Bytes state);
    void take_registry(const store::Registry& registry);
    void configured_cameras();

    // --- camera_requests.cpp
    std::optional<Result<Json>> camera_request(const std::string& type, const Json& body);
    Result<Json> camera_set(const Json& body);
    Result<void> register_camera(schema::Camera camera);
    Result<Json> change_zones(const std::string& type, const Json& body);
    Result<void> set_zones(const std::string& of, ZonesRecord zones);
    Result<Json> explain(const Json& body) const;
    Json camera_view(const LiveCamera& camera, bool whole) const;
    void live_health(
        const std::function<void(const std::string&, bool, const std::string&, bool)>& part) const;

    // --- pool_requests.cpp
    Json pools_view() const;
    Result<Json> drain(const std::string& pool, const std::string& worker, double deadline_s);
    Result<Json> reload(const std::string& pool, double deadline_s);
    void tend_pools(Clock::time_point now);

    // --- alert_requests.cpp
    Json sinks_view() const;
    Json dead_view(const std::string& target, std::size_t limit) const;

    // --- worker_messages.cpp
    void from_worker(std::vector<zmq::message_t> frames);
    void unreadable(const std::string& from, const Error& error);
    void on_hello(const bus::Envelope& e);
    void on_beat(Member& m, const schema::Beat& beat);
    void on_request(const std::string& worker, bus::Envelope& e);
    void answer(const std::string& worker, std::uint64_t req, const std::string& status,
                std::vector<schema::Bytes> payload = {});
    void fetch(const std::string& worker, const schema::Fetch& fetch);
    void pass_on(const std::string& worker, const bus::Envelope& e);
    void exited(const std::string& supervisor, const schema::Exited& exited);
    void failed(const std::string& worker, const schema::Fail& fail);
    void worked(const schema::Token& chunk);

    // --- client_requests.cpp
    void from_client(std::vector<zmq::message_t> frames);
    Result<Json> request(const std::string& type, const Json& body);
    Result<Json> submit(const Json& body);
    schema::Bytes submit_many(const schema::Bytes& header);             // the reply
    std::optional<std::string> known_by(const std::string& key) const;  // job of the client's key
    std::optional<Json> full(std::int32_t priority, Job*& victim) const;
    Result<schema::JobSpec> specify(const Json& body) const;
    Result<std::string> admit(const std::shared_ptr<const schema::JobSpec>& spec, const std::string& key,
                              const std::string& name, Json& refusal);
    Result<Json> prune(const Json& body);
    Json submitted(const std::string& job) const;
    Json submitted(const Job& job) const;
    std::optional<Error> not_admitting() const;
    double retry_after_s() const;
    Error unkept() const;

    // --- job_view.cpp
    Json job_view(const Job& job) const;
    Json health_view() const;
    std::int64_t queue_position(const Job& job) const;
    std::optional<double> predicted_start_s(const Job& job) const;

    const Catalogue& catalogue_;
    const Options& options_;
    StoreThread& store_;
    AuditThread& audit_;
    const std::uint64_t epoch_;

    zmq::socket_t jobs_, workers_, events_;
    bus::Gate gate_;
    JobTable table_;
    CameraTable cameras_;
    Members members_;
    Pools pools_;

    Journal journal_;                           // of the next batch
    std::vector<std::function<void()>> after_;  // to do once it is durable
    struct InFlight {
        std::uint64_t number = 0;
        std::vector<std::function<void()>> after;
    };
    std::optional<InFlight> in_flight_;
    std::uint64_t batch_number_ = 0;
    std::optional<Error> ended_;

    std::int64_t subscriptions_ = 0;      // to the events socket
    std::deque<store::LogEntry> recent_;  // what `log` answers from
    std::size_t recent_bytes_ = 0;
    Clock::time_point judge_at_{};   // the next time: not at every turn
    Clock::time_point quiet_until_;  // nobody is judged and nothing granted before
    static constexpr auto not_sent = Clock::time_point::max();
    std::map<schema::Token, Clock::time_point> granted_;  // when its holder was told, or last listed it
    bool peers_changed_ = false;
    std::uint64_t peers_n_ = 0;
    std::uint64_t expects_ = 0;  // numbers the EXPECTs of this term
    std::string last_error_;     // of a unit or a worker, anywhere
    std::uint64_t bad_messages_ = 0, lost_replies_ = 0;
    std::uint64_t releases_ = 0;        // leases that were taken from a holder that is gone or silent
    std::uint64_t stale_ = 0;           // results of leases that were given to somebody else
    std::uint64_t false_releases_ = 0;  // of them, from one that was there all the time
    std::map<schema::Token, std::string> released_;  // the last ones, and from whom
    std::set<std::string> complained_;
    std::map<std::string, std::int64_t> said_dead_;   // dead letters by target that the log told of
    std::deque<double> durations_s_;                  // of the last jobs, for the predicted start
    Clock::time_point balanced_{};                    // when a working lease of a camera was last moved
    bool audit_away_ = false;                         // as events said it
    std::optional<Clock::time_point> store_away_at_;  // since when
};

}  // namespace sl::broker
