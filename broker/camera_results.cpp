// What the holders of a camera's leases say: reports of its connection, steps of its home.
#include <nlohmann/json.hpp>

#include "broker/camera_table.hpp"

namespace sl::broker {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds unserved_after{5}, window_length{10}, forgiven_after{60};
constexpr std::size_t most_traces = 1000, longest_trace = 64 * 1024;  // of one step; of one track, bytes

Error stale(const schema::Token& token) {
    return {Errc::stale, "the lease '" + token.unit + "' of camera " + token.job + " is not current", ""};
}

std::int64_t sum(const std::map<std::string, std::int64_t>& counts) {
    std::int64_t n = 0;
    for (const auto& [reason, count] : counts) n += count;
    return n;
}

}  // namespace

Result<void> CameraTable::report(const schema::CameraReport& m, Clock::time_point now, Journal& j) {
    if (m.token.unit != "camera" || !current(m.token)) return stale(m.token);
    if (m.state != "connecting" && m.state != "streaming" && m.state != "waiting")
        return Error{Errc::bad_message, "a connection cannot be '" + clean(m.state) + "'", ""};
    LiveCamera& c = *find(m.token.job);
    if (c.report && now > c.reported) {
        const double s = std::chrono::duration<double>(now - c.reported).count();
        if (s >= 0.5) c.fps = double(m.sampled - c.report->sampled) / s;
    }
    const bool streamed = c.streams();
    c.report = m;
    c.reported = now;
    for (std::string* text : {&c.report->error, &c.report->message, &c.report->codec}) *text = clean(*text);
    std::map<std::string, std::int64_t> dropped;
    for (const auto& [reason, n] : m.dropped) dropped[clean(reason)] += n;
    c.report->dropped = std::move(dropped);
    // Which one it is; what else a URL may hold is not for the log.
    if (m.url != c.camera.url && m.url != c.camera.backup_url) c.report->url.clear();
    if (c.streams()) {
        c.served = now;
        if (!streamed) c.streams_since = now;
        if (now - c.streams_since > forgiven_after) c.connection.trouble.waits = 0;
        if (c.told != "online") online(c, j);
    } else if (!m.error.empty()) {
        c.served = now;  // somebody tries: the reason is the camera's
        if (c.told != "offline") offline(c, c.report->error, c.report->message, j);
    }
    watch_drops(c, now, j);
    return {};
}

void CameraTable::online(LiveCamera& c, Journal& j) {
    c.told = "online";
    write_leases(c, j);
    event(c, "camera.online",
          Json{{"camera", c.id()},
               {"url", c.report->url},
               {"width", c.report->width},
               {"height", c.report->height},
               {"codec", c.report->codec}}
              .dump(),
          j);
}

void CameraTable::offline(LiveCamera& c, const std::string& error, const std::string& message, Journal& j) {
    c.told = "offline";
    write_leases(c, j);
    event(c, "camera.offline", Json{{"camera", c.id()}, {"error", error}, {"message", message}}.dump(), j);
}

void CameraTable::watch_drops(LiveCamera& c, Clock::time_point now, Journal& j) {
    auto& w = c.window;
    const auto begin = [&] { w = {now, c.report->sampled, c.report->dropped}; };
    if (w.begin == Clock::time_point{}) return begin();
    if (now - w.begin < window_length) return;
    std::map<std::string, std::int64_t> dropped;
    for (const auto& [reason, n] : c.report->dropped)
        if (const auto more = n - w.dropped[reason]; more > 0) dropped[reason] = more;
    const auto sampled = c.report->sampled - w.sampled;
    begin();
    if (sampled <= 0) return;
    const bool dropping = sum(dropped) * 10 > sampled;
    if (dropping == c.dropping) return;
    c.dropping = dropping;
    write_leases(c, j);
    event(c, dropping ? "camera.dropping" : "camera.recovered",
          Json{{"camera", c.id()}, {"sampled", sampled}, {"dropped", dropped}}.dump(), j);
}

void CameraTable::tend(Clock::time_point now, Journal& j) {
    for (auto& [id, c] : cameras_) {
        if (!c.camera.enabled || c.told == "offline" || now - c.served <= unserved_after) continue;
        const bool reported = c.report && now - c.reported <= unserved_after;
        if (!reported)
            offline(c, "unserved", c.last_error.empty() ? "nobody is connected to it" : c.last_error, j);
        else if (c.told == "online")
            offline(c, "timeout", "it is " + c.report->state + " for more than 5 s", j);
    }
}

Result<void> CameraTable::step(const schema::LiveStep& m, schema::Bytes state, Journal& j) {
    if (m.token.unit != "watch" || !current(m.token)) return stale(m.token);
    LiveCamera& c = *find(m.token.job);
    if (m.step == c.step) return {};  // repeated
    if (m.step != c.step + 1)
        return Error{Errc::stale,
                     "step " + std::to_string(m.step) + " of camera " + c.id() + " does not follow step " +
                         std::to_string(c.step),
                     ""};
    c.step = m.step;
    c.stepped = true;
    c.state = std::move(state);
    c.counters = m.counters;
    c.latency_ms = m.latency_ms;
    c.watch.trouble.waits = 0;
    write_step(c, j);
    for (schema::Alert alert : m.alerts) {
        alert.job.clear();
        alert.camera = alert.stream = c.id();
        log_.record_alert(std::move(alert), j);
    }
    std::size_t traces = 0;
    for (const auto& text : m.traces) {
        if (++traces > most_traces || text.size() > longest_trace) continue;
        const Json trace = Json::parse(text, nullptr, false);
        if (trace.is_object())
            log_.event(j, "trace." + c.id(), "trace", "",
                       trace.dump(-1, ' ', false, Json::error_handler_t::replace), false);
    }
    return {};
}

}  // namespace sl::broker
