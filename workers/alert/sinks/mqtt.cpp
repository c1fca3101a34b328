// Alerts to an MQTT broker, QoS 1: sent when it acknowledged (PUBACK). Topics, below `prefix`:
//   PREFIX/CAMERA/alerts        {type: "new" | "update" | "end", before, after}, in the shape of Frigate's
//                               events; `after.key` is what receivers remove doubles by, `after.alert` the
//                               whole alert (schema/json/alert.schema.json)
//   PREFIX/CLIENT/availability  "online", retained; its last will is "offline"
// With `discovery` (Home Assistant's prefix, "homeassistant") each camera is announced there as a binary
// sensor, on while an incident of it lasts: PREFIX/CAMERA/active, "ON" or "OFF", retained.
//
// One connection with a fixed client id, made at the first alert: the worker that has the lease takes it
// over from the one that had it before. One that broke is made again while there is nothing to send, but once
// only until the next alert or ten quiet minutes: who lost it to another worker must not take it back for
// ever.
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <set>

#include "common/alert_json.hpp"
#include "workers/alert/options.hpp"

namespace sl::alert {
namespace {

using Json = nlohmann::ordered_json;
using Time = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr int keepalive_s = 30;
constexpr auto pause = std::chrono::seconds(5);  // before a connection that broke is made again
constexpr auto quiet = std::chrono::minutes(10);
constexpr std::size_t most_incidents = 10'000;  // that `before` is known of

struct Settings {
    std::string host, client, prefix, discovery, secret, ca_file;
    std::int64_t port = 1883;
    bool tls = false, v5 = true;
};

// A level of a topic: no separator, no wildcard.
std::string level(std::string text) {
    std::replace_if(
        text.begin(), text.end(),
        [](unsigned char c) { return c == '/' || c == '+' || c == '#' || c < ' ' || c == 0x7f; }, '_');
    return text;
}
std::string camera_of(const schema::Alert& alert) {
    return level(alert.camera.empty() ? alert.stream : alert.camera);
}

// Frigate's names; what it has and we have not is left out.
Json event_of(const schema::Alert& a) {
    const double at_s = double(a.capture_ns > 0 ? a.capture_ns : a.decided_ns) * 1e-9;
    Json zones = Json::array();
    if (!a.zone.empty()) zones.push_back(a.zone);
    return {{"id", a.alert},
            {"key", a.key()},
            {"camera", a.camera.empty() ? a.stream : a.camera},
            {"frame_time", at_s},
            {"label", a.class_name},
            {"score", a.box.score},
            {"box", {a.box.x, a.box.y, a.box.x + a.box.width, a.box.y + a.box.height}},
            {"area", double(a.box.width) * double(a.box.height)},
            {"current_zones", a.roi_hit ? zones : Json::array()},
            {"entered_zones", zones},
            {"has_snapshot", !a.snapshot.empty()},
            {"end_time", a.kind == "end" ? Json(at_s) : Json()},
            {"alert", Json::parse(alert_json(a))}};
}

class MqttSink final : public Sink {
public:
    MqttSink(const Target& target, Settings settings, const SinkHost& host)
        : target_(target), s_(std::move(settings)), host_(host) {}
    ~MqttSink() override {
        if (!client_) return;
        if (connected_) {  // said before it leaves: the last will is for those that cannot
            (void)publish(availability(), "offline", true, Time::now() + milliseconds(500));
            mosquitto_disconnect(client_);
            mosquitto_loop(client_, 0, 1);
        }
        mosquitto_destroy(client_);
    }

    Result<void> send(const schema::Alert& alert) override {
        came_back_ = false;  // this worker has the lease now
        const auto end = Time::now() + seconds(target_.timeout_s);
        if (connected_) run(milliseconds(0));  // was it lost meanwhile?
        if (auto ok = connect(end); !ok) return ok;
        const std::string camera = camera_of(alert), topic = s_.prefix + "/" + camera;
        if (!s_.discovery.empty() && !announced_.contains(camera)) {
            if (auto ok =
                    publish(s_.discovery + "/binary_sensor/" + level(s_.prefix + "_" + camera) + "/config",
                            announcement(camera), true, end);
                !ok)
                return ok;
            announced_.insert(camera);
        }
        const Json after = event_of(alert);
        const auto known = before_.find(alert.alert);
        const Json event{{"type", alert.kind},
                         {"before", known == before_.end() ? Json() : known->second},
                         {"after", after}};
        if (auto ok = publish(topic + "/alerts", event.dump(-1, ' ', false, Json::error_handler_t::replace),
                              false, end);
            !ok)
            return ok;
        remember(alert, after);
        if (s_.discovery.empty()) return {};
        return publish(topic + "/active", active_[camera].empty() ? "OFF" : "ON", true, end);
    }

    void idle() override {
        if (!client_ && !lost_) return;  // there was no alert yet
        if (client_) run(milliseconds(0));
        const auto now = Time::now();
        if (connected_) {
            if (now > back_at_ + quiet) came_back_ = false;
            return;
        }
        if (came_back_ || now < again_) return;
        again_ = now + pause;
        if (!connect(now + seconds(target_.connect_s))) return;
        came_back_ = true;
        back_at_ = Time::now();
    }
    milliseconds idle_every() const override { return milliseconds(1000); }

private:
    static Time::duration seconds(double s) {
        return std::chrono::duration_cast<Time::duration>(std::chrono::duration<double>(s));
    }
    std::string availability() const { return s_.prefix + "/" + s_.client + "/availability"; }
    Error failed(Errc code, const std::string& why, const std::string& hint = "") const {
        return {code,
                "cannot publish an alert of target '" + target_.name + "' at " + s_.host + ":" +
                    std::to_string(s_.port) + ": " + why,
                hint};
    }

    // --- what libmosquitto calls, within mosquitto_loop, on this thread
    static void on_connect(mosquitto*, void* self, int reason, int, const mosquitto_property*) {
        auto& s = *static_cast<MqttSink*>(self);
        s.answered_ = true;
        s.reason_ = reason;
        s.connected_ = reason == 0;
    }
    static void on_disconnect(mosquitto*, void* self, int, const mosquitto_property*) {
        static_cast<MqttSink*>(self)->gone();
    }
    static void on_publish(mosquitto*, void* self, int mid, int reason, const mosquitto_property*) {
        auto& s = *static_cast<MqttSink*>(self);
        if (mid != s.waits_for_) return;
        s.waits_for_ = 0;
        s.reason_ = reason;
    }

    void run(milliseconds wait) {
        if (mosquitto_loop(client_, int(wait.count()), 1) != MOSQ_ERR_SUCCESS) gone();
    }
    void gone() {
        if (!connected_) return;
        connected_ = false;
        lost_ = true;
        again_ = Time::now() + pause;
    }

    Result<void> open() {
        if (client_) return {};
        static const bool once = mosquitto_lib_init() == MOSQ_ERR_SUCCESS;
        (void)once;
        client_ = mosquitto_new(s_.client.c_str(), true, this);
        if (!client_) return failed(Errc::io, "there is no memory for a client");
        mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION,
                             s_.v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
        mosquitto_connect_v5_callback_set(client_, &on_connect);
        mosquitto_disconnect_v5_callback_set(client_, &on_disconnect);
        mosquitto_publish_v5_callback_set(client_, &on_publish);
        mosquitto_will_set(client_, availability().c_str(), 7, "offline", 1, true);
        if (s_.tls) {
            const int rc =
                mosquitto_tls_set(client_, s_.ca_file.empty() ? nullptr : s_.ca_file.c_str(),
                                  s_.ca_file.empty() ? "/etc/ssl/certs" : nullptr, nullptr, nullptr, nullptr);
            if (rc != MOSQ_ERR_SUCCESS) {
                mosquitto_destroy(client_);
                client_ = nullptr;
                return failed(Errc::unavailable, std::string("TLS: ") + mosquitto_strerror(rc),
                              "check ca_file");
            }
        }
        return {};
    }

    Result<void> connect(Time::time_point end) {
        if (connected_) return {};
        if (auto ok = open(); !ok) return ok;
        end = std::min(end, Time::now() + seconds(target_.connect_s));
        if (!s_.secret.empty()) {
            const auto secret = host_.secrets.find(s_.secret);
            if (!secret) return Error{Errc::unavailable, secret.error().message, secret.error().hint};
            mosquitto_username_pw_set(client_, secret->user.c_str(), secret->password.c_str());
        }
        answered_ = false;
        reason_ = 0;
        if (const int rc = mosquitto_connect_async(client_, s_.host.c_str(), int(s_.port), keepalive_s);
            rc != MOSQ_ERR_SUCCESS)
            return failed(Errc::unavailable,
                          rc == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(rc));
        int rc = MOSQ_ERR_SUCCESS;
        while (!answered_ && rc == MOSQ_ERR_SUCCESS && Time::now() < end) rc = mosquitto_loop(client_, 50, 1);
        if (connected_) return publish(availability(), "online", true, end);
        const int saved = errno;
        if (answered_) {
            const bool credentials =
                s_.v5 ? reason_ == MQTT_RC_BAD_USERNAME_OR_PASSWORD || reason_ == MQTT_RC_NOT_AUTHORIZED
                      : reason_ == 4 || reason_ == 5;
            const std::string why =
                s_.v5 ? mosquitto_reason_string(reason_) : mosquitto_connack_string(reason_);
            return failed(Errc::unavailable, "it refused the connection: " + why,
                          credentials ? "check user and password of the secret that the target names" : "");
        }
        if (rc == MOSQ_ERR_SUCCESS) return failed(Errc::timeout, "it does not answer in time");
        return failed(Errc::unavailable, rc == MOSQ_ERR_ERRNO ? std::strerror(saved) : mosquitto_strerror(rc),
                      rc == MOSQ_ERR_TLS ? "name the broker's certificate authority as ca_file" : "");
    }

    Result<void> publish(const std::string& topic, const std::string& text, bool retain,
                         Time::time_point end) {
        int mid = 0;
        const int rc = mosquitto_publish_v5(client_, &mid, topic.c_str(), int(text.size()), text.data(), 1,
                                            retain, nullptr);
        if (rc == MOSQ_ERR_NO_CONN || rc == MOSQ_ERR_CONN_LOST) gone();
        if (rc != MOSQ_ERR_SUCCESS)
            return failed(rc == MOSQ_ERR_NO_CONN || rc == MOSQ_ERR_CONN_LOST ? Errc::unavailable
                                                                             : Errc::invalid_argument,
                          mosquitto_strerror(rc));
        waits_for_ = mid;
        reason_ = 0;
        while (waits_for_ == mid && connected_ && Time::now() < end) run(milliseconds(50));
        if (waits_for_ == mid) {
            waits_for_ = 0;
            const bool lost = !connected_;
            // libmosquitto would publish it again by itself, behind what is sent next: it goes with the
            // client.
            mosquitto_destroy(client_);
            client_ = nullptr;
            gone();
            return lost ? failed(Errc::unavailable, "it ended the connection")
                        : failed(Errc::timeout, "it does not acknowledge in time");
        }
        if (reason_ < 0x80) return {};
        const std::string why = std::string("it refused the message: ") + mosquitto_reason_string(reason_);
        if (reason_ == MQTT_RC_NOT_AUTHORIZED)
            return failed(Errc::unavailable, why, "let this user write to " + s_.prefix + "/#");
        return failed(reason_ == MQTT_RC_QUOTA_EXCEEDED || reason_ == MQTT_RC_UNSPECIFIED
                          ? Errc::io
                          : Errc::invalid_argument,
                      why);
    }

    std::string announcement(const std::string& camera) const {
        const std::string base = s_.prefix + "/" + camera;
        return Json{{"name", camera + " alert"},
                    {"unique_id", level(s_.prefix + "_" + camera)},
                    {"state_topic", base + "/active"},
                    {"payload_on", "ON"},
                    {"payload_off", "OFF"},
                    {"device_class", "motion"},
                    {"availability_topic", availability()},
                    {"payload_available", "online"},
                    {"payload_not_available", "offline"},
                    {"json_attributes_topic", base + "/alerts"},
                    {"device",
                     {{"identifiers", {level(s_.prefix + "_" + camera)}},
                      {"name", camera},
                      {"manufacturer", "Sightline"}}}}
            .dump(-1, ' ', false, Json::error_handler_t::replace);
    }

    void remember(const schema::Alert& alert, const Json& after) {
        auto& lasting = active_[camera_of(alert)];
        if (alert.kind == "end") {
            lasting.erase(alert.alert);
            before_.erase(alert.alert);
            return;
        }
        lasting.insert(alert.alert);
        if (before_.insert_or_assign(alert.alert, after).second) order_.push_back(alert.alert);
        if (order_.size() > most_incidents) {
            before_.erase(order_.front());
            order_.pop_front();
        }
    }

    const Target target_;
    const Settings s_;
    const SinkHost& host_;
    mosquitto* client_ = nullptr;
    bool connected_ = false, answered_ = false;
    int reason_ = 0, waits_for_ = 0;
    bool lost_ = false, came_back_ = false;  // the connection, by itself
    Time::time_point again_{}, back_at_{};
    std::set<std::string> announced_;                      // cameras
    std::map<std::string, std::set<std::string>> active_;  // camera → incidents that last
    std::map<std::string, Json> before_;                   // by incident
    std::deque<std::string> order_;
};

Result<std::unique_ptr<Sink>> open(const Target& target, const SinkHost& host) {
    auto o = Options::read(
        target, {"host", "port", "client", "prefix", "discovery", "secret", "tls", "ca_file", "protocol"});
    if (!o) return o.error();
    Settings s;
    s.host = o->needed("host");
    s.tls = o->flag("tls", false);
    s.port = o->number("port", s.tls ? 8883 : 1883, 1, 65535);
    s.client = o->text("client", "sightline-" + level(target.name));
    s.prefix = o->text("prefix", "sightline");
    s.discovery = o->text("discovery");
    s.secret = o->text("secret");
    s.ca_file = o->text("ca_file");
    s.v5 = o->one_of("protocol", {"5", "3.1.1"}) == "5";
    for (const auto* name : {&s.client, &s.prefix, &s.discovery})
        if (name->find_first_of("+#") != std::string::npos)
            o->mistake("'" + *name + "' is no part of a topic: it holds '+' or '#'");
    if (s.client.empty() || s.client.find('/') != std::string::npos || s.prefix.empty())
        o->mistake("its client or prefix is empty, or its client holds a '/'");
    struct stat file {};
    if (!s.ca_file.empty() && ::stat(s.ca_file.c_str(), &file) != 0)
        o->mistake("there is no ca_file " + s.ca_file);
    if (!s.ca_file.empty() && !s.tls) o->mistake("it names a ca_file, but tls is not true");
    if (auto ok = o->check(); !ok) return ok.error();
    return std::unique_ptr<Sink>(std::make_unique<MqttSink>(target, s, host));
}

}  // namespace

extern const SinkPlugin sink_mqtt{"mqtt", "messages of an MQTT broker (host, port, secret, discovery)",
                                  &open};

}  // namespace sl::alert
