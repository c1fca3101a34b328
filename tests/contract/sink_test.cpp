// One contract for every alert sink, then what each promises beside it.
#include "workers/alert/sink.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "common/alert_json.hpp"
#include "tests/support/receivers.hpp"

namespace sl::alert {
namespace {

using nlohmann::json;
using schema::Alert;
using test::Certificate;
using test::eventually;
using test::Mosquitto;
using test::Receiver;
using test::RedisStream;
using test::Script;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

std::string id(int n) {
    const std::string digits = std::to_string(n);
    return "01J-" + std::string(16 - digits.size(), '0') + digits;
}
std::string key(int n, const std::string& kind = "new") {
    return id(n) + ":" + kind;
}
Alert alert(int n, const std::string& kind = "new") {
    Alert out;
    out.alert = id(n);
    out.stream = out.camera = "gate-1";
    out.rule = "watch";
    out.zone = "drive";
    out.class_name = "person";
    out.frame = n;
    out.time_s = 0.5 * n;
    out.box = {128, 72, 64, 36, 0.75f, 0, 0};
    out.kind = kind;
    out.capture_ns = std::int64_t(n) * 1'000'000'000 + 1'700'000'000'000'000'000;
    return out;
}
Alert update(int n, int number) {
    Alert out = alert(n, "update");
    out.update = number;
    return out;
}

class LogFile final : public Receiver {
public:
    json options() override { return {{"path", path()}}; }
    json options_when_away() override { return {{"path", "/dev/full"}}; }
    std::vector<std::string> keys() override {
        std::vector<std::string> out;
        std::ifstream in(path());
        for (std::string line; std::getline(in, line);)
            if (const auto parsed = alert_from_json(line)) out.push_back(parsed->key());
        return out;
    }
    std::string path() const { return folder_.path() + "/alerts.jsonl"; }

private:
    test::ScratchFolder folder_{"sink"};
};

// A new sink needs a line here: the suite fails for one that has none.
const std::map<std::string, std::function<std::unique_ptr<Receiver>()>> receivers{
    {"log", [] { return std::make_unique<LogFile>(); }},
    {"webhook", [] { return std::make_unique<Script>("webhook"); }},
    {"tcp", [] { return std::make_unique<Script>("tcp"); }},
    {"hikvision", [] { return std::make_unique<Script>("hikvision"); }},
    {"mqtt", [] { return std::make_unique<Mosquitto>(); }},
    {"redis_stream", [] { return std::make_unique<RedisStream>(); }},
};

const SinkHost& nothing() {
    static const SinkHost host;
    return host;
}

Target target(const std::string& sink, const json& options) {
    std::signal(SIGPIPE, SIG_IGN);  // as the alert stage does
    Target t;
    t.name = "here";
    t.sink = sink;
    t.connect_s = 2;
    t.timeout_s = 5;
    t.options = options.is_string() ? options.get<std::string>() : options.dump();
    return t;
}
// Throws when it cannot be opened.
std::unique_ptr<Sink> open(const std::string& sink, const json& options, const SinkHost& host = nothing()) {
    auto opened = open_sink(target(sink, options), host);
    if (!opened) throw std::runtime_error(opened.error().text());
    return std::move(*opened);
}
Error refusal(const std::string& sink, const json& options) {
    auto opened = open_sink(target(sink, options), nothing());
    return opened ? Error{Errc::internal, "it was opened", ""} : opened.error();
}
json with(json options, const json& more) {
    options.update(more);
    return options;
}
#define SL_SENT(result)                             \
    do {                                            \
        const auto sent_ = (result);                \
        ASSERT_TRUE(sent_) << sent_.error().text(); \
    } while (false)

class SinkContract : public testing::TestWithParam<const SinkPlugin*> {
protected:
    void SetUp() override {
        ASSERT_TRUE(receivers.contains(name())) << "tests/contract/sink_test.cpp has no receiver for it";
        try {
            receiver_ = receivers.at(name())();
        } catch (const test::Missing& why) {
            SL_SKIP_OR_FAIL(why.what());
        }
    }
    static std::string name() { return GetParam()->name; }

    std::unique_ptr<Receiver> receiver_;
};

INSTANTIATE_TEST_SUITE_P(, SinkContract, testing::ValuesIn(sink_table().begin(), sink_table().end()),
                         [](const auto& which) { return std::string(which.param->name); });

TEST_P(SinkContract, SaysWhatItIs) {
    EXPECT_FALSE(name().empty());
    EXPECT_FALSE(std::string(GetParam()->help).empty());
}

TEST_P(SinkContract, DeliversEachAlertInOrder) {
    auto sink = open(name(), receiver_->options());
    for (int n = 1; n <= 3; ++n) SL_SENT(sink->send(alert(n)));
    SL_SENT(sink->send(update(2, 1)));
    SL_SENT(sink->send(alert(2, "end")));
    EXPECT_THAT(receiver_->received(5),
                ElementsAre(key(1), key(2), key(3), key(2, "update1"), key(2, "end")));
}

TEST_P(SinkContract, RepeatedAlertIsHarmless) {
    for (int life = 0; life < 2; ++life) {
        auto sink = open(name(), receiver_->options());
        for (int n = 1; n <= 2; ++n)
            for (int again = 0; again < 2; ++again) SL_SENT(sink->send(alert(n)));
    }
    EXPECT_THAT(receiver_->received(2), ElementsAre(key(1), key(2)));
}

TEST_P(SinkContract, AnyNameIsDelivered) {
    auto sink = open(name(), receiver_->options());
    Alert odd = alert(1);
    odd.camera.clear();
    odd.stream = "cam/a \"quoted\" <&> +#.mp4";
    odd.rule = odd.zone = odd.class_name = "\xc3\xa4 <b> & \n \"x\"";
    odd.trace = {"score 0.75, inside 'drive'"};
    SL_SENT(sink->send(odd));
    EXPECT_THAT(receiver_->received(1), ElementsAre(key(1)));
}

TEST_P(SinkContract, WrongOptionsAreRefusedAtOpen) {
    for (const char* wrong : {"{", "[]", "3", R"({"no_such_option":1})"}) {
        const auto error = refusal(name(), wrong);
        EXPECT_EQ(error.code, Errc::invalid_argument) << wrong;
        EXPECT_THAT(error.message, HasSubstr("here")) << "names the target";
        EXPECT_FALSE(error.hint.empty()) << wrong;
    }
}

TEST_P(SinkContract, AwayReceiverIsWorthARetryAndTakesNoLongTime) {
    auto sink = open(name(), receiver_->options_when_away());
    const auto begin = std::chrono::steady_clock::now();
    for (int again = 0; again < 2; ++again) {
        const auto sent = sink->send(alert(1));
        ASSERT_FALSE(sent);
        EXPECT_THAT(sent.error().code, AnyOf(Errc::unavailable, Errc::timeout, Errc::io));
        EXPECT_THAT(sent.error().message, Not(testing::IsEmpty()));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

// --- what a receiver may do to a connection that is kept

// Stops, starts, freezes, thaws.
struct Fate {
    std::function<void()> stop, start, freeze, thaw;
};
Fate fate_of(Receiver& r) {
    if (auto* s = dynamic_cast<Script*>(&r))
        return {[s] { s->stop(); }, [s] { s->start(); }, [s] { s->freeze(); }, [s] { s->thaw(); }};
    if (auto* m = dynamic_cast<Mosquitto*>(&r))
        return {[m] { m->stop(); }, [m] { m->start(); }, [m] { m->freeze(); }, [m] { m->thaw(); }};
    if (auto* redis = dynamic_cast<RedisStream*>(&r)) {
        auto* s = &redis->server();
        return {[s] { s->kill(); }, [s] { s->start(); }, [s] { s->freeze(); }, [s] { s->thaw(); }};
    }
    return {};
}

TEST_P(SinkContract, ReceiverThatBeganAgainGetsTheNextAlert) {
    const Fate fate = fate_of(*receiver_);
    if (!fate.stop) return;  // a file does not die
    auto sink = open(name(), receiver_->options());
    SL_SENT(sink->send(alert(1)));
    EXPECT_THAT(receiver_->received(1), ElementsAre(key(1)));
    fate.stop();
    EXPECT_FALSE(sink->send(alert(2)));
    fate.start();
    SL_SENT(sink->send(alert(2)));
    SL_SENT(sink->send(alert(3)));
    EXPECT_THAT(receiver_->received(3), ElementsAre(key(1), key(2), key(3)));
}

TEST_P(SinkContract, FrozenReceiverIsATimeoutAndLosesNothing) {
    const Fate fate = fate_of(*receiver_);
    if (!fate.stop) return;
    Target t = target(name(), receiver_->options());
    t.timeout_s = 1;
    auto sink = std::move(*open_sink(t, nothing()));
    SL_SENT(sink->send(alert(1)));
    fate.freeze();
    const auto begin = std::chrono::steady_clock::now();
    const auto sent = sink->send(alert(2));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    fate.thaw();
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::timeout) << sent.error().text();
    SL_SENT(sink->send(alert(2)));
    SL_SENT(sink->send(alert(3)));
    EXPECT_THAT(receiver_->received(3), ElementsAre(key(1), key(2), key(3)));
}

// --- secrets

// Sets SIGHTLINE_SECRET_HERE for its life.
struct SecretInEnvironment {
    explicit SecretInEnvironment(const std::string& value) {
        ::setenv("SIGHTLINE_SECRET_HERE", value.c_str(), 1);
    }
    ~SecretInEnvironment() { ::unsetenv("SIGHTLINE_SECRET_HERE"); }
};

// Refused with the wrong password, in a way that waits for somebody to correct it; taken with the right one,
// which is looked up anew. No error tells either.
void expect_locked(const std::string& sink_name, const json& options, Receiver& receiver) {
    const SinkHost host;
    auto sink = open(sink_name, with(options, {{"secret", "here"}}), host);
    const auto refused = [&](const std::string& why) {
        const auto sent = sink->send(alert(1));
        ASSERT_FALSE(sent) << why;
        EXPECT_EQ(sent.error().code, Errc::unavailable) << why << ": " << sent.error().text();
        for (const char* told : {"wr0ng", "r1ght", "cjFnaHQ", "d3Iwbmc"})
            EXPECT_THAT(sent.error().text(), Not(HasSubstr(told)));
    };
    refused("there is no such secret");
    {
        const SecretInEnvironment wrong("gate:wr0ng");
        refused("the password is wrong");
    }
    const SecretInEnvironment right("gate:r1ght");
    SL_SENT(sink->send(alert(1)));
    EXPECT_THAT(receiver.received(1), ElementsAre(key(1)));
}

TEST(SinkSecrets, HikvisionDigest) {
    Script host("hikvision", {"--user", "gate", "--password", "r1ght"});
    expect_locked("hikvision", host.options(), host);
}
TEST(SinkSecrets, HikvisionBasic) {
    Script host("hikvision", {"--user", "gate", "--password", "r1ght", "--auth", "basic"});
    expect_locked("hikvision", with(host.options(), {{"auth", "basic"}}), host);
}
TEST(SinkSecrets, Mqtt) {
    try {
        Mosquitto broker({"gate", "r1ght", "", ""});
        expect_locked("mqtt", broker.options(), broker);
    } catch (const test::Missing& why) {
        SL_SKIP_OR_FAIL(why.what());
    }
}
TEST(SinkSecrets, RedisStream) {
    // The default user stays open, for the test's own eyes.
    RedisStream redis;
    const std::string command = "redis-cli -p " + std::to_string(redis.server().port()) +
                                " acl setuser gate on '>r1ght' '~*' +@all >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    expect_locked("redis_stream", redis.options(), redis);
}
TEST(SinkSecrets, CredentialsInAUrlAreRefused) {
    for (const char* sink : {"webhook", "hikvision", "redis_stream"}) {
        const char* url =
            sink == std::string("redis_stream") ? "redis://u:hunter2@127.0.0.1" : "http://u:hunter2@h/";
        const auto error = refusal(sink, {{"url", url}, {"width", 1}, {"height", 1}});
        EXPECT_EQ(error.code, Errc::invalid_argument) << sink;
        EXPECT_THAT(error.text(), Not(HasSubstr("hunter2"))) << sink;
    }
}

// --- webhook

TEST(Webhook, IsSignedOverTimestampAndBody) {
    Script receiver("webhook", {"--secret", "s3cret"});
    const SinkHost host;
    auto sink = open("webhook", with(receiver.options(), {{"secret", "here"}}), host);
    {
        const SecretInEnvironment other("hook:0ther");
        const auto sent = sink->send(alert(1));
        ASSERT_FALSE(sent);
        EXPECT_THAT(receiver.keys(), ElementsAre(HasSubstr("signature")));
    }
    const SecretInEnvironment right("hook:s3cret");
    SL_SENT(sink->send(alert(1)));
    EXPECT_EQ(receiver.lines().back().at("key"), key(1));
    EXPECT_EQ(receiver.lines().back().at("alert").at("class_name"), "person");
}

TEST(Webhook, StatusDecidesWhatBecomesOfAnAlert) {
    Script receiver("webhook");
    auto sink = open("webhook", receiver.options());
    for (const auto& [status, code] : std::map<int, Errc>{{301, Errc::unavailable},
                                                          {400, Errc::invalid_argument},
                                                          {401, Errc::unavailable},
                                                          {403, Errc::unavailable},
                                                          {404, Errc::invalid_argument},
                                                          {408, Errc::io},
                                                          {422, Errc::invalid_argument},
                                                          {429, Errc::io},
                                                          {500, Errc::io},
                                                          {503, Errc::io}}) {
        receiver.answer(std::to_string(status));
        const auto sent = sink->send(alert(1));
        ASSERT_FALSE(sent) << status;
        EXPECT_EQ(sent.error().code, code) << status;
        EXPECT_THAT(sent.error().message, HasSubstr(std::to_string(status)));
    }
    for (const char* well : {"200", "201", "204"}) {
        receiver.answer(well);
        SL_SENT(sink->send(alert(1)));
    }
    receiver.answer("close");
    EXPECT_EQ(sink->send(alert(1)).error().code, Errc::unavailable);
}

TEST(Webhook, TlsChecksTheReceiver) {
    const test::ScratchFolder folder("tls");
    const Certificate certificate(folder.path());
    Script receiver("webhook", {"--cert", certificate.file, "--key", certificate.key});
    const auto sent = open("webhook", receiver.options())->send(alert(1));
    ASSERT_FALSE(sent) << "nobody vouches for it";
    EXPECT_EQ(sent.error().code, Errc::unavailable);
    EXPECT_THAT(sent.error().hint, HasSubstr("ca_file"));
    SL_SENT(open("webhook", with(receiver.options(), {{"ca_file", certificate.file}}))->send(alert(1)));
    SL_SENT(open("webhook", with(receiver.options(), {{"verify", false}}))->send(alert(2)));
    EXPECT_THAT(receiver.received(2), ElementsAre(key(1), key(2)));
}

TEST(Webhook, OptionsAreChecked) {
    EXPECT_THAT(refusal("webhook", json::object()).message, HasSubstr("'url'"));
    EXPECT_THAT(refusal("webhook", {{"url", "ftp://h/"}}).message, HasSubstr("ftp"));
    EXPECT_THAT(refusal("webhook", {{"url", 3}}).message, HasSubstr("not a string"));
    EXPECT_THAT(refusal("webhook", {{"url", "http://h/"}, {"ca_file", "/none"}}).message, HasSubstr("/none"));
}

// --- tcp

TEST(Tcp, OnlyAnAckOfThisKeyIsOne) {
    Script receiver("tcp");
    auto sink = open("tcp", receiver.options());
    receiver.answer("nack");
    const auto sent = sink->send(alert(1));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::io);
    EXPECT_THAT(sent.error().message, HasSubstr("not now"));
    receiver.answer("close");
    EXPECT_EQ(sink->send(alert(1)).error().code, Errc::unavailable);
    receiver.answer("");
    SL_SENT(sink->send(alert(1)));
    EXPECT_THAT(refusal("tcp", {{"host", "h"}}).message, HasSubstr("'port'"));
    EXPECT_THAT(refusal("tcp", {{"host", "h"}, {"port", 70000}}).message, HasSubstr("65535"));
}

// --- redis_stream

TEST(RedisStreamSink, KeepsNoMoreThanItWasTold) {
    RedisStream redis;
    auto sink = open("redis_stream", with(redis.options(), {{"maxlen", 10}}));
    for (int n = 1; n <= 500; ++n) SL_SENT(sink->send(alert(n)));
    const auto keys = redis.keys();
    EXPECT_LT(keys.size(), 200u) << "approximately: whole nodes of the stream";
    EXPECT_EQ(keys.back(), key(500));
}

TEST(RedisStreamSink, AKeyThatIsNoStreamWaitsForSomebodyToMendIt) {
    RedisStream redis;
    const std::string command =
        "redis-cli -p " + std::to_string(redis.server().port()) + " set alerts x >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(open("redis_stream", redis.options())->send(alert(1)).error().code, Errc::unavailable);
}

// --- mqtt

class Mqtt : public testing::Test {
protected:
    void SetUp() override {
        try {
            broker_ = std::make_unique<Mosquitto>();
        } catch (const test::Missing& why) {
            SL_SKIP_OR_FAIL(why.what());
        }
    }
    std::vector<std::string> of(const std::string& topic) const {
        std::vector<std::string> out;
        for (const auto& [at, payload] : broker_->messages())
            if (at == topic) out.push_back(payload);
        return out;
    }
    std::unique_ptr<Mosquitto> broker_;
};

TEST_F(Mqtt, AnIncidentInTheShapeOfFrigatesEvents) {
    auto sink = open("mqtt", broker_->options());
    SL_SENT(sink->send(alert(1)));
    SL_SENT(sink->send(update(1, 1)));
    SL_SENT(sink->send(alert(1, "end")));
    ASSERT_EQ(broker_->received(3).size(), 3u);
    std::vector<json> events;
    for (const auto& text : of("sightline/gate-1/alerts")) events.push_back(json::parse(text));
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0]["type"], "new");
    EXPECT_TRUE(events[0]["before"].is_null());
    EXPECT_EQ(events[0]["after"]["id"], id(1));
    EXPECT_EQ(events[0]["after"]["camera"], "gate-1");
    EXPECT_EQ(events[0]["after"]["label"], "person");
    EXPECT_EQ(events[0]["after"]["box"], json({128.0, 72.0, 192.0, 108.0}));
    EXPECT_EQ(events[0]["after"]["entered_zones"], json({"drive"}));
    EXPECT_TRUE(events[0]["after"]["end_time"].is_null());
    EXPECT_EQ(events[1]["type"], "update");
    EXPECT_EQ(events[1]["before"], events[0]["after"]);
    EXPECT_EQ(events[2]["type"], "end");
    EXPECT_EQ(events[2]["before"], events[1]["after"]);
    EXPECT_EQ(events[2]["after"]["end_time"], 1'700'000'001.0);
}

TEST_F(Mqtt, AvailabilityAndLastWill) {
    const std::string topic = "sightline/gate-house/availability";
    auto sink = open("mqtt", with(broker_->options(), {{"client", "gate-house"}}));
    SL_SENT(sink->send(alert(1)));
    EXPECT_TRUE(eventually([&] { return of(topic) == std::vector<std::string>{"online"}; }));
    sink.reset();
    EXPECT_TRUE(eventually([&] { return of(topic) == std::vector<std::string>{"online", "offline"}; }));
}

TEST_F(Mqtt, AnotherWorkerTakesTheConnectionOverAndKeepsIt) {
    const json options = with(broker_->options(), {{"client", "shared"}});
    auto first = open("mqtt", options), second = open("mqtt", options);
    SL_SENT(first->send(alert(1)));
    SL_SENT(second->send(alert(2)));
    for (int i = 0; i < 20; ++i) {
        first->idle();
        second->idle();
    }
    SL_SENT(second->send(alert(3)));
    const std::string topic = "sightline/shared/availability";
    EXPECT_TRUE(eventually([&] {
        const auto all = of(topic);
        return std::count(all.begin(), all.end(), "online") == 2 && all.back() == "online";
    }));
    const auto all = of(topic);
    EXPECT_EQ(std::count(all.begin(), all.end(), "online"), 2) << "the first did not come back";
    SL_SENT(first->send(alert(4)));
    EXPECT_EQ(broker_->received(4).size(), 4u);
}

TEST_F(Mqtt, AConnectionThatBrokeComesBackByItself) {
    auto sink = open("mqtt", broker_->options());
    SL_SENT(sink->send(alert(1)));
    broker_->stop();
    broker_->start();
    EXPECT_TRUE(eventually([&] {
        sink->idle();
        return of("sightline/sightline-here/availability").size() >= 2;
    }));
}

TEST_F(Mqtt, HomeAssistantDiscovery) {
    auto sink = open("mqtt", with(broker_->options(), {{"discovery", "homeassistant"}}));
    for (const auto& a : {alert(1), alert(2), alert(1, "end"), alert(2, "end")}) SL_SENT(sink->send(a));
    const std::string topic = "homeassistant/binary_sensor/sightline_gate-1/config";
    ASSERT_TRUE(eventually([&] { return of("sightline/gate-1/active").size() == 4; }));
    EXPECT_THAT(of("sightline/gate-1/active"), ElementsAre("ON", "ON", "ON", "OFF"));
    ASSERT_EQ(of(topic).size(), 1u) << "announced once";
    const json config = json::parse(of(topic)[0]);
    EXPECT_EQ(config["state_topic"], "sightline/gate-1/active");
    EXPECT_EQ(config["availability_topic"], "sightline/sightline-here/availability");
    EXPECT_EQ(config["payload_on"], "ON");
    EXPECT_EQ(config["unique_id"], "sightline_gate-1");
}

TEST_F(Mqtt, SpeaksTheOlderProtocol) {
    auto sink = open("mqtt", with(broker_->options(), {{"protocol", "3.1.1"}}));
    for (int n = 1; n <= 2; ++n) SL_SENT(sink->send(alert(n)));
    EXPECT_THAT(broker_->received(2), ElementsAre(key(1), key(2)));
}

TEST(MqttTls, ChecksTheBroker) {
    const test::ScratchFolder folder("tls");
    const Certificate certificate(folder.path());
    try {
        Mosquitto broker({"", "", certificate.file, certificate.key});
        SL_SENT(open("mqtt", with(broker.options(), {{"ca_file", certificate.file}}))->send(alert(1)));
        EXPECT_THAT(broker.received(1), ElementsAre(key(1)));
        const auto sent = open("mqtt", broker.options())->send(alert(2));
        ASSERT_FALSE(sent) << "nobody vouches for it";
        EXPECT_EQ(sent.error().code, Errc::unavailable);
    } catch (const test::Missing& why) {
        SL_SKIP_OR_FAIL(why.what());
    }
}

// --- hikvision

TEST(Hikvision, AnIncidentIsActiveThenInactive) {
    Script host("hikvision");
    auto sink = open("hikvision", with(host.options(), {{"channels", {{"gate-1", 7}}},
                                                        {"regions", {{"drive", 3}}},
                                                        {"events", {{"watch", "regionEntrance"}}}}));
    for (const auto& a : {alert(1), update(1, 1), alert(1, "end")}) SL_SENT(sink->send(a));
    const auto lines = host.lines();
    ASSERT_EQ(lines.size(), 3u) << json(lines).dump(1);
    for (std::size_t i = 0; i < 3; ++i) {
        const json& event = lines[i].at("event");
        EXPECT_EQ(event["activePostCount"], std::to_string(i + 1));
        EXPECT_EQ(event["eventState"], i < 2 ? "active" : "inactive");
        EXPECT_EQ(event["eventType"], "regionEntrance");
        EXPECT_EQ(event["channelID"], "7");
        EXPECT_EQ(lines[i]["region"], "3");
        EXPECT_EQ(lines[i]["target"], "human");
        EXPECT_EQ(lines[i]["jpeg"], 0);
    }
    EXPECT_EQ(lines[0]["rect"], json({0.1, 0.1, 0.05, 0.05}));
    EXPECT_EQ(lines[0]["event"]["ipAddress"], "0.0.0.0") << "before there was a connection";
    EXPECT_EQ(lines[1]["event"]["ipAddress"], "127.0.0.1");
}

TEST(Hikvision, ProfilesDifferInNamespaceScaleAndOrigin) {
    struct Case {
        std::string profile, space;
        int scale;
        json rect, more = json::object();
    };
    for (const auto& c :
         {Case{"isapi", "http://www.isapi.org/ver20/XMLSchema", 1, {0.1, 0.1, 0.05, 0.05}},
          Case{"hikvision", "http://www.hikvision.com/ver20/XMLSchema", 1000, {100, 850, 50, 50}},
          Case{"std-cgi", "http://www.std-cgi.org/ver20/XMLSchema", 10000, {1000, 1000, 500, 500}},
          Case{"std-cgi",
               "http://www.std-cgi.org/ver20/XMLSchema",
               1000,
               {100, 850, 50, 50},
               {{"scale", 1000}, {"origin", "bottom_left"}}}}) {
        Script host("hikvision", {"--space", c.space, "--scale", std::to_string(c.scale)});
        auto sink = open("hikvision", with(with(host.options(), {{"profile", c.profile}}), c.more));
        SL_SENT(sink->send(alert(1)));
        EXPECT_EQ(host.lines().at(0).at("rect"), c.rect) << c.profile;
    }
}

TEST(Hikvision, ASnapshotIsTheSecondPart) {
    const test::ScratchFolder folder("shots");
    std::ofstream(folder.path() + "/a.jpg", std::ios::binary) << "\xff\xd8 not much of a picture \xff\xd9";
    SinkHost host_of_sink{Secrets(""), Roots({{"shots", folder.path()}})};
    Script host("hikvision", {"--user", "gate", "--password", "r1ght"});
    const SecretInEnvironment secret("gate:r1ght");
    auto sink = open("hikvision", with(host.options(), {{"secret", "here"}}), host_of_sink);
    Alert with_picture = alert(1), without = alert(2), outside = alert(3);
    with_picture.snapshot = "shots:a.jpg";
    without.snapshot = "shots:gone.jpg";
    outside.snapshot = "shots:../../etc/passwd";
    for (const auto& a : {with_picture, without, outside, with_picture}) SL_SENT(sink->send(a));
    const auto lines = host.lines();
    ASSERT_EQ(lines.size(), 4u) << json(lines).dump(1);
    EXPECT_EQ(lines[0]["jpeg"], 27);
    EXPECT_EQ(lines[1]["jpeg"], 0);
    EXPECT_EQ(lines[2]["jpeg"], 0);
    EXPECT_EQ(lines[3]["jpeg"], 27);
}

TEST(Hikvision, ClassesThatAreNeitherHumanNorVehicleNameNoTarget) {
    Script host("hikvision");
    auto sink = open("hikvision", host.options());
    Alert dog = alert(1), truck = alert(2);
    dog.class_name = "dog";
    truck.class_name = "truck";
    for (const auto& a : {dog, truck}) SL_SENT(sink->send(a));
    EXPECT_TRUE(host.lines().at(0).at("target").is_null());
    EXPECT_EQ(host.lines().at(1).at("target"), "vehicle");
}

TEST(Hikvision, HeartbeatWhileThereIsNothingToSay) {
    Script host("hikvision");
    auto sink = open("hikvision", with(host.options(), {{"heartbeat_s", 5}}));
    EXPECT_EQ(sink->idle_every(), std::chrono::seconds(5));
    sink->idle();
    EXPECT_EQ(host.lines(), (std::vector<json>{{{"heartbeat", true}}}));
    EXPECT_EQ(open("hikvision", with(host.options(), {{"heartbeat_s", 0}}))->idle_every().count(), 0);
}

TEST(Hikvision, OptionsAreChecked) {
    const json good{{"url", "http://h/"}, {"width", 1}, {"height", 1}};
    EXPECT_THAT(refusal("hikvision", {{"url", "http://h/"}}).message, HasSubstr("'width' and 'height'"));
    EXPECT_THAT(refusal("hikvision", with(good, {{"profile", "acme"}})).hint, HasSubstr("std-cgi"));
    EXPECT_THAT(refusal("hikvision", with(good, {{"scale", 7}})).hint, HasSubstr("1000"));
    EXPECT_THAT(refusal("hikvision", with(good, {{"events", {{"r", "x"}}}})).hint,
                HasSubstr("linedetection"));
    EXPECT_THAT(refusal("hikvision", with(good, {{"channels", {{"c", "x"}}}})).message, HasSubstr("'c'"));
}

TEST(Sinks, AnUnknownOneIsRefusedAndAllAreNamed) {
    const auto error = refusal("pigeon", json::object());
    EXPECT_THAT(error.message, HasSubstr("pigeon"));
    EXPECT_THAT(error.hint, HasSubstr("webhook"));
}

// --- the log sink alone ---

class LogSink : public testing::Test {
protected:
    std::unique_ptr<Sink> sink() { return open("log", file_.options()); }
    std::vector<std::string> received() { return file_.keys(); }
    void append(const std::string& text) { std::ofstream(file_.path(), std::ios::app) << text; }

    LogFile file_;
};

TEST_F(LogSink, LineSaysEverything) {
    ASSERT_TRUE(sink()->send(alert(2)));
    EXPECT_EQ(test::read_text(file_.path()), alert_json(alert(2)) + "\n");
}

TEST_F(LogSink, EachMessageOfAnIncidentIsALine) {
    for (const auto& a : {alert(1), update(1, 1), update(1, 2), alert(1, "end"), update(1, 2)})
        ASSERT_TRUE(sink()->send(a));
    EXPECT_THAT(received(), ElementsAre(key(1), key(1, "update1"), key(1, "update2"), key(1, "end")));
}

TEST_F(LogSink, TornLineAtAnyByteStaysApart) {
    ASSERT_TRUE(sink()->send(alert(1)));
    const std::string line = test::read_text(file_.path());
    for (std::size_t size = 0; size <= line.size(); size += 7) {
        std::ofstream(file_.path(), std::ios::trunc) << line.substr(0, size);
        const auto again = sink();
        ASSERT_TRUE(again->send(alert(1)));
        ASSERT_TRUE(again->send(alert(2)));
        EXPECT_THAT(received(), ElementsAre(key(1), key(2))) << size;
    }
    std::ofstream(file_.path(), std::ios::trunc)
        << line.substr(0, line.size() - 1);  // whole, but for its end
    ASSERT_TRUE(sink()->send(alert(1)));
    ASSERT_TRUE(sink()->send(alert(2)));
    EXPECT_THAT(received(), ElementsAre(key(1), key(2)));
}

TEST_F(LogSink, SharedFileHoldsEachOnce) {
    {
        std::vector<std::jthread> writers;
        for (int w = 0; w < 3; ++w)
            writers.emplace_back([this, w] {
                const auto mine = sink();
                for (int n = 0; n < 20; ++n) EXPECT_TRUE(mine->send(alert((n + 7 * w) % 20)));
            });
    }
    auto ids = received();
    EXPECT_EQ(ids.size(), 20u);
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 20u);
}

TEST_F(LogSink, FileThatWasMovedAwayIsMadeAnew) {
    const auto one = sink();
    ASSERT_TRUE(one->send(alert(1)));
    ASSERT_EQ(::rename(file_.path().c_str(), (file_.path() + ".1").c_str()), 0);
    ASSERT_TRUE(one->send(alert(2)));
    EXPECT_THAT(received(), ElementsAre(key(2)));
}

TEST_F(LogSink, OnlyTheEndOfALargeFileIsSearched) {
    ASSERT_TRUE(sink()->send(alert(1)));
    append(std::string(2 << 20, ' ') + "\n");
    ASSERT_TRUE(sink()->send(alert(2)));
    ASSERT_TRUE(sink()->send(alert(2)));
    ASSERT_TRUE(sink()->send(alert(1)));
    EXPECT_THAT(received(), ElementsAre(key(1), key(2), key(1)));
}

TEST_F(LogSink, HeldFileIsATimeout) {
    const auto one = sink();
    const int fd = ::open(file_.path().c_str(), O_RDWR);
    ASSERT_EQ(::flock(fd, LOCK_EX), 0);
    EXPECT_EQ(one->send(alert(1)).error().code, Errc::timeout);
    ::close(fd);
    EXPECT_TRUE(one->send(alert(1)));
}

TEST_F(LogSink, OptionsAreChecked) {
    EXPECT_EQ(refusal("log", {{"path", 3}}).code, Errc::invalid_argument);
    EXPECT_EQ(refusal("log", {{"path", file_.path() + "/none/alerts"}}).code, Errc::io) << "no such folder";
    EXPECT_TRUE(open("log", json::object())->send(alert(1))) << "without a path: the program's log";
}

}  // namespace
}  // namespace sl::alert
