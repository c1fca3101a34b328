// CameraTable: the cameras of the fleet, their leases and steps, and the zones and rules that were set by
// name (PROTOCOL.md section 9). The other half of the broker's state: cameras are islands, jobs have an end.
// As pure as the job table: no socket, no store, and every time is given. Every transition writes what it
// changed into a Journal; nobody hears of it before that is durable. Rebuilt from the store's records.
//
// Used by the broker's loop thread only. Split over files: camera_table.cpp (registry, leases),
// camera_results.cpp (what holders say), camera_table_store.cpp (records).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/camera_records.hpp"
#include "broker/job_table.hpp"

namespace sl::broker {

struct LiveCamera {
    schema::Camera camera;
    schema::JobSpec spec;    // resolved; without what was set by name
    Unit connection, watch;  // the leases `camera` and `watch`; state none: the camera is disabled
    std::int64_t session = 0;
    std::int64_t revision = 0;  // of the tasks
    std::string told;           // the last event: "online" "offline"; empty: none
    bool dropping = false;
    std::int64_t step = 0;
    schema::Bytes state;
    schema::Counters before, counters;  // of former sessions, of this one
    double latency_ms = 0;

    // Since this broker leads; of the lease of today.
    std::optional<schema::CameraReport> report;
    Clock::time_point reported{};  // when it came
    double fps = 0;                // sampled, measured between two reports
    bool stepped = false;          // the home recorded a step in this session
    Clock::time_point served{};    // it streamed last, or had a reason not to
    Clock::time_point sent{};      // its tasks
    std::string last_error;        // why a holder gave it up, or died of it
    Clock::time_point streams_since{};
    struct Window {  // for `camera.dropping`
        Clock::time_point begin{};
        std::int64_t sampled = 0;
        std::map<std::string, std::int64_t> dropped;
    } window;

    const std::string& id() const { return camera.camera; }
    bool streams() const { return report && report->state == "streaming"; }
};

class CameraTable {
public:
    // Events and alerts go into the log that the job table numbers; it outlives this.
    explicit CameraTable(JobTable& log) : log_(log) {}

    Result<void> load(const store::Records& records, Clock::time_point now);

    // --- registry
    // New, or changed; its revision rises if anything did. The caller checked and resolved it. Leases whose
    // holder may stay are kept.
    void set(schema::Camera camera, schema::JobSpec spec, Clock::time_point now, Journal& j);
    // not_found
    Result<void> remove(const std::string& id, Journal& j);
    // Zones and rules `of` a camera or the path of an input; both empty: there are none any more.
    void set_zones(const std::string& of, ZonesRecord zones, Journal& j);
    ZonesRecord zones(const std::string& of) const;
    const std::map<std::string, ZonesRecord>& all_zones() const { return zones_; }
    // What was set by name lies over what a spec says itself.
    void lay_zones(const std::string& of, schema::JobSpec& spec) const;

    // --- leases. A lease that somebody has is taken from him: his token is void.
    schema::Token lease_camera(LiveCamera& camera, const std::string& worker, Journal& j);
    schema::Token lease_watch(LiveCamera& camera, const std::string& worker, Journal& j);
    // The holder is gone, or no longer lists it: pending again.
    void lost(const schema::Token& token, Journal& j);
    bool current(const schema::Token& token) const;
    // Every current lease and its holder.
    std::vector<std::pair<schema::Token, std::string>> leases() const;
    // Its holder cannot have it, or died of it: it rests (L10). A void token changes nothing.
    void fail(const schema::Token& token, const std::string& why, Clock::time_point now, Journal& j);
    void strike(const schema::Token& token, const std::string& why, Clock::time_point now, Journal& j);

    // --- tasks: what holders are told; the epoch is the caller's
    schema::CameraTask camera_task(const LiveCamera& camera) const;
    schema::WatchTask watch_task(const LiveCamera& camera) const;
    // Cameras whose holders have to be told anew: something changed, or five seconds are over.
    std::vector<LiveCamera*> to_tell(Clock::time_point now);

    // --- results. Errc::stale: the token or the step is not current, nothing changed. Repeats are ok.
    Result<void> report(const schema::CameraReport& report, Clock::time_point now, Journal& j);
    Result<void> step(const schema::LiveStep& step, schema::Bytes state, Journal& j);
    // Cameras that nobody serves are told offline.
    void tend(Clock::time_point now, Journal& j);

    // --- looking
    LiveCamera* find(const std::string& id);
    const LiveCamera* find(const std::string& id) const;
    std::map<std::string, LiveCamera>& cameras() { return cameras_; }
    const std::map<std::string, LiveCamera>& cameras() const { return cameras_; }
    // The registry of PostgreSQL was asked, once in the life of this store.
    bool registry_known() const { return registry_known_; }
    void know_registry(Journal& j);
    // The events of what is registered here, but for these names: for a trail that begins to keep it.
    void tell_registry(const std::set<std::string>& cameras, const std::set<std::string>& zones, Journal& j);

private:
    Unit* unit_of(const schema::Token& token);
    schema::Token lease(LiveCamera& c, Unit& unit, const char* name, const std::string& worker);
    void changed(LiveCamera& c, Journal& j);  // tasks have to be sent anew
    void forget_report(LiveCamera& c);
    static void rest(Unit& unit, Clock::time_point now);
    void online(LiveCamera& c, Journal& j);
    void offline(LiveCamera& c, const std::string& error, const std::string& message, Journal& j);
    void watch_drops(LiveCamera& c, Clock::time_point now, Journal& j);
    void event(const LiveCamera& c, const char* kind, const std::string& body, Journal& j);
    void zones_event(const std::string& of, Journal& j);

    void write_camera(const LiveCamera& c, Journal& j) const;
    void write_leases(const LiveCamera& c, Journal& j) const;
    void write_step(const LiveCamera& c, Journal& j) const;
    void write_zones(const std::string& of, Journal& j) const;

    JobTable& log_;
    std::map<std::string, LiveCamera> cameras_;
    std::map<std::string, ZonesRecord> zones_;
    std::set<std::string> changed_;
    bool registry_known_ = false;
};

// The leases of live work, and of no other.
inline bool is_live(const schema::Token& token) {
    return token.unit == "camera" || token.unit == "watch";
}

}  // namespace sl::broker
