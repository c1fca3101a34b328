// Alerts as a camera of Hikvision reports them to an alarm host: an EventNotificationAlert document by HTTP
// POST, with the snapshot, if there is one, as second part of a multipart body. Receivers differ, so
// namespace, coordinate scale and origin are a named profile. An incident is active with activePostCount from
// 1, and inactive at its end; a videoloss, inactive, with count 0, says now and then that we are here.
//
// An alert tells neither its frame's size nor its rule's kind: `width` and `height` (of the displayed
// picture), and `events` (event types by rule), are options.
#include <ctime>
#include <deque>
#include <map>
#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "common/files.hpp"
#include "common/ids.hpp"
#include "workers/alert/http.hpp"

namespace sl::alert {
namespace {

constexpr std::size_t most_incidents = 10'000;  // whose count is known
constexpr std::size_t largest_snapshot = 8u << 20;

struct Profile {
    const char* name;
    const char* space;
    int scale;
    bool bottom_left;  // origin; else top left
};
constexpr Profile profiles[] = {
    {"isapi", "http://www.isapi.org/ver20/XMLSchema", 1, false},
    {"hikvision", "http://www.hikvision.com/ver20/XMLSchema", 1000, true},
    {"std-cgi", "http://www.std-cgi.org/ver20/XMLSchema", 10000, false},
};
const std::vector<std::string> event_types{"fielddetection", "linedetection", "regionEntrance",
                                           "regionExiting"};

struct Settings {
    Profile profile = profiles[0];
    std::string ip_address, mac_address, auth, secret;
    std::int64_t port = 80, channel = 1, sensitivity = 50, region = 1, width = 0, height = 0,
                 heartbeat_s = 30;
    std::map<std::string, std::string> channels;  // by camera
    std::map<std::string, std::string> regions;   // by zone
    std::map<std::string, std::string> events;    // event type, by rule
    std::string event_type;                       // of other rules
};

// Local time with its offset: 2026-03-01T12:00:00+01:00.
std::string date_time(std::int64_t ns) {
    const auto seconds = std::time_t(ns / 1'000'000'000);
    std::tm at{};
    ::localtime_r(&seconds, &at);
    char text[40];
    const auto size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &at);
    std::string out(text, size);
    return out.insert(out.size() - 2, ":");
}

const char* detection_target(const std::string& class_name) {
    static const std::set<std::string> vehicles{"bicycle", "car",   "motorcycle", "airplane",
                                                "bus",     "train", "truck",      "boat"};
    return class_name == "person" ? "human" : vehicles.contains(class_name) ? "vehicle" : nullptr;
}

// One element after the other, in the order of the schema.
class Document {
public:
    explicit Document(const char* space) : root_(document_.append_child("EventNotificationAlert")) {
        auto declaration = document_.prepend_child(pugi::node_declaration);
        declaration.append_attribute("version") = "1.0";
        declaration.append_attribute("encoding") = "UTF-8";
        root_.append_attribute("version") = "2.0";
        root_.append_attribute("xmlns") = space;
    }
    pugi::xml_node root() { return root_; }
    std::string text() const {
        std::ostringstream out;
        document_.save(out, "", pugi::format_raw, pugi::encoding_utf8);
        return out.str();
    }

private:
    pugi::xml_document document_;
    pugi::xml_node root_;
};
template <typename T>
void add(pugi::xml_node to, const char* name, const T& value) {
    auto text = to.append_child(name).text();
    if constexpr (std::is_same_v<T, std::string>)
        text.set(value.c_str());
    else
        text.set(value);
}

class HikvisionSink final : public Sink {
public:
    HikvisionSink(Http http, Settings settings, const SinkHost& host)
        : http_(std::move(http)), s_(std::move(settings)), host_(host) {}

    Result<void> send(const schema::Alert& alert) override {
        if (auto ok = log_in(); !ok) return ok;
        const auto count = counts_.find(alert.alert);
        const std::int64_t n = alert.kind == "new"      ? 1
                               : alert.kind == "update" ? alert.update + 1
                               : count == counts_.end() ? 2
                                                        : count->second + 1;
        const std::string xml = document(alert, n);
        auto sent = post(alert, xml, snapshot(alert));
        if (sent) remember(alert, n);
        return sent;
    }

    void idle() override {
        if (auto ok = log_in(); !ok) return;
        Document d(s_.profile.space);
        head(d.root(), s_.channel, now_ns(), 0);
        add(d.root(), "eventType", "videoloss");
        add(d.root(), "eventState", "inactive");
        add(d.root(), "eventDescription", "videoloss alarm");
        (void)http_.post({"Content-Type: application/xml; charset=\"UTF-8\""}, d.text());
    }
    std::chrono::milliseconds idle_every() const override {
        return std::chrono::milliseconds(1000 * s_.heartbeat_s);
    }

private:
    // The secret may have changed since the last time.
    Result<void> log_in() {
        if (s_.secret.empty()) return {};
        const auto secret = host_.secrets.find(s_.secret);
        if (!secret) return Error{Errc::unavailable, secret.error().message, secret.error().hint};
        http_.log_in(s_.auth, *secret);
        return {};
    }

    void head(pugi::xml_node root, std::int64_t channel, std::int64_t at_ns, std::int64_t count) const {
        const std::string ours = s_.ip_address.empty() ? http_.local_address() : s_.ip_address;
        add(root, "ipAddress", ours.empty() ? std::string("0.0.0.0") : ours);
        add(root, "portNo", s_.port);
        add(root, "protocol", "HTTP");
        add(root, "macAddress", s_.mac_address);
        add(root, "channelID", channel);
        add(root, "dateTime", date_time(at_ns));
        add(root, "activePostCount", count);
    }

    const std::string& event_type(const schema::Alert& a) const {
        const auto at = s_.events.find(a.rule);
        return at == s_.events.end() ? s_.event_type : at->second;
    }

    std::string document(const schema::Alert& a, std::int64_t count) const {
        const auto number = [](const std::map<std::string, std::string>& map, const std::string& key,
                               std::int64_t otherwise) {
            const auto at = map.find(key);
            return at == map.end() ? otherwise : std::stoll(at->second);
        };
        Document d(s_.profile.space);
        pugi::xml_node root = d.root();
        head(root, number(s_.channels, a.stream, s_.channel), a.capture_ns > 0 ? a.capture_ns : a.decided_ns,
             count);
        add(root, "eventType", event_type(a));
        add(root, "eventState", a.kind == "end" ? "inactive" : "active");
        add(root, "eventDescription", event_type(a) + " alarm");
        auto entry = root.append_child("DetectionRegionList").append_child("DetectionRegionEntry");
        add(entry, "regionID", number(s_.regions, a.zone, s_.region));
        add(entry, "sensitivityLevel", s_.sensitivity);
        if (const char* what = detection_target(a.class_name)) add(entry, "detectionTarget", what);
        // Within the picture, in shares of it.
        const auto share = [](double v, std::int64_t of) {
            return std::min(std::max(v / double(of), 0.0), 1.0);
        };
        const double left = share(a.box.x, s_.width), right = share(a.box.x + a.box.width, s_.width);
        const double top = share(a.box.y, s_.height), bottom = share(a.box.y + a.box.height, s_.height);
        auto rect = entry.append_child("TargetRect");
        const auto coordinate = [&](const char* name, double value) {
            if (s_.profile.scale == 1) {
                char text[16];
                std::snprintf(text, sizeof text, "%.4f", value);
                add(rect, name, std::string(text));
            } else {
                add(rect, name, std::int64_t(value * s_.profile.scale + 0.5));
            }
        };
        coordinate("X", left);
        coordinate("Y", s_.profile.bottom_left ? 1 - bottom : top);
        coordinate("width", right - left);
        coordinate("height", bottom - top);
        return d.text();
    }

    // The JPEG, or nothing: an alert whose picture was let go is sent without.
    std::string snapshot(const schema::Alert& a) const {
        const auto colon = a.snapshot.find(':');
        if (colon == std::string::npos) return "";
        const auto path = host_.roots.resolve({a.snapshot.substr(0, colon), a.snapshot.substr(colon + 1)});
        if (!path) return "";
        auto bytes = files::read(*path);
        return bytes && bytes->size() <= largest_snapshot && bytes->rfind("\xff\xd8", 0) == 0 ? *bytes : "";
    }

    Result<void> post(const schema::Alert& a, const std::string& xml, const std::string& jpeg) {
        const std::string key = "Idempotency-Key: " + header_value(a.key());
        const char* type = "application/xml; charset=\"UTF-8\"";
        if (jpeg.empty()) return http_.post({key, std::string("Content-Type: ") + type}, xml);
        const std::string& name = event_type(a);
        return http_.post({key}, {{name + ".xml", name + ".xml", type, xml},
                                  {name + "Image.jpg", name + "Image.jpg", "image/jpeg", jpeg}});
    }

    void remember(const schema::Alert& a, std::int64_t count) {
        if (a.kind == "end") {
            counts_.erase(a.alert);
            return;
        }
        if (counts_.insert_or_assign(a.alert, count).second) order_.push_back(a.alert);
        if (order_.size() <= most_incidents) return;
        counts_.erase(order_.front());
        order_.pop_front();
    }

    Http http_;
    const Settings s_;
    const SinkHost& host_;
    std::map<std::string, std::int64_t> counts_;  // activePostCount, by incident
    std::deque<std::string> order_;
};

Result<std::unique_ptr<Sink>> open(const Target& target, const SinkHost& host) {
    auto o = Options::read(
        target, Http::options({"profile", "scale", "origin", "secret", "auth", "ip_address", "port_no",
                               "mac_address", "channel", "channels", "region", "regions", "events",
                               "event_type", "sensitivity", "width", "height", "heartbeat_s"}));
    if (!o) return o.error();
    Settings s;
    const std::string profile = o->one_of("profile", {"isapi", "hikvision", "std-cgi"});
    for (const Profile& p : profiles)
        if (p.name == profile) s.profile = p;
    s.profile.scale = int(o->number("scale", s.profile.scale, 1, 10000));
    if (s.profile.scale != 1 && s.profile.scale != 1000 && s.profile.scale != 10000)
        o->mistake("its scale is " + std::to_string(s.profile.scale), "one of: 1, 1000, 10000");
    if (const auto origin = o->one_of("origin", {"", "top_left", "bottom_left"}); !origin.empty())
        s.profile.bottom_left = origin == "bottom_left";
    s.secret = o->text("secret");
    s.auth = o->one_of("auth", {"digest", "basic"});
    s.ip_address = o->text("ip_address");
    s.mac_address = o->text("mac_address", "00:00:00:00:00:00");
    s.port = o->number("port_no", 80, 1, 65535);
    s.channel = o->number("channel", 1, 1, 100'000);
    s.region = o->number("region", 1, 0, 100'000);
    s.sensitivity = o->number("sensitivity", 50, 0, 100);
    s.width = o->number("width", 0, 1, 100'000);
    s.height = o->number("height", 0, 1, 100'000);
    s.heartbeat_s = o->number("heartbeat_s", 30, 0, 86400);
    s.channels = o->texts("channels");
    s.regions = o->texts("regions");
    s.events = o->texts("events");
    s.event_type = o->one_of("event_type", event_types);
    if (s.width == 0 || s.height == 0)
        o->mistake("it needs the options 'width' and 'height', of the displayed picture in pixels");
    for (const auto* map : {&s.channels, &s.regions})
        for (const auto& [name, value] : *map)
            if (value.empty() || value.size() > 6 ||
                value.find_first_not_of("0123456789") != std::string::npos)
                o->mistake("the number of '" + name + "' is '" + value + "'", "write whole numbers");
    for (const auto& [rule, type] : s.events)
        if (std::find(event_types.begin(), event_types.end(), type) == event_types.end())
            o->mistake("the event of rule '" + rule + "' cannot be '" + type + "'",
                       "one of: fielddetection, linedetection, regionEntrance, regionExiting");
    auto http = Http::open(target, *o);
    if (auto ok = o->check(); !ok) return ok.error();
    return std::unique_ptr<Sink>(std::make_unique<HikvisionSink>(std::move(http), s, host));
}

}  // namespace

extern const SinkPlugin sink_hikvision{
    "hikvision", "EventNotificationAlert documents to an alarm host (url, secret, profile, width, height)",
    &open};

}  // namespace sl::alert
