// Cameras: a real broker on a memory store, scripted live workers, one client; over ipc, so that a broker may
// begin again.
//
//   client ── jobs ──▶ broker ◀── workers ── live/ingest × n, live/annotate × n (scripted)
#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "broker/broker.hpp"
#include "broker/job_records.hpp"
#include "tests/support/live_worker.hpp"

namespace sl::broker {
namespace {

using Json = nlohmann::json;
using test::eventually;
using test::LiveWorker;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Cameras : public ::testing::Test {
protected:
    void SetUp() override {
        folder = std::filesystem::temp_directory_path() / ("sl-" + make_ulid());
        std::filesystem::create_directories(folder / "media");
        options.endpoint = "ipc://" + (folder / "broker").string();
        options.roots = {{"media", folder / "media"}};
        options.output = {"media", "out"};
        catalogue.resolve = [](const std::string&, const std::string& preset, const Json& params,
                               schema::JobSpec& spec) -> Result<void> {
            if (preset == "none") return Error{Errc::invalid_argument, "there is no preset 'none'", ""};
            spec.preset = preset;
            spec.confidence = params.value("confidence", 0.3);
            spec.pools = {{"detect/m@1", 1, 1, "bgr", "stretch", 0, {}}};
            return {};
        };
        audit = std::move(*store::jsonl_audit(folder / "audit.jsonl"));
        client = bus::make_socket(context, bus::Kind::dealer);
    }
    void start() {
        std::promise<void> bound;
        thread = std::thread([&] {
            EXPECT_TRUE(run_broker(context, *jobs, *jobs, *audit, catalogue, options, stop,
                                   [&] { bound.set_value(); }));
        });
        bound.get_future().wait();
        if (!connected) client.connect(options.endpoint);
        connected = true;
    }
    void end() {
        if (!thread.joinable()) return;
        const std::uint64_t one = 1;
        ASSERT_EQ(::write(stop, &one, sizeof one), ssize_t(sizeof one));
        thread.join();
        std::uint64_t n = 0;
        ASSERT_EQ(::read(stop, &n, sizeof n), ssize_t(sizeof n));
    }
    void TearDown() override {
        end();
        workers.clear();
        ::close(stop);
        std::filesystem::remove_all(folder);
    }
    Json ask(Json body) {
        body["req"] = make_ulid();
        const auto bytes = Json::to_msgpack(body);
        Json reply;
        // What was sent to a broker that has just ended is sent again.
        const bool answered = eventually([&] {
            client.send(zmq::buffer(schema::protocol_id.data(), schema::protocol_id.size()),
                        zmq::send_flags::sndmore);
            client.send(zmq::buffer(bytes));
            const auto until = Clock::now() + std::chrono::seconds(5);
            while (Clock::now() < until) {
                zmq::pollitem_t p{client.handle(), 0, ZMQ_POLLIN, 0};
                zmq::poll(&p, 1, std::chrono::milliseconds(100));
                zmq::message_t protocol, frame;
                if (!client.recv(protocol, zmq::recv_flags::dontwait)) continue;
                EXPECT_TRUE(client.recv(frame, zmq::recv_flags::dontwait));
                const auto* data = static_cast<const std::uint8_t*>(frame.data());
                reply = Json::from_msgpack(data, data + frame.size());
                if (reply["req"] == body["req"]) return true;
            }
            return false;
        });
        EXPECT_TRUE(answered) << body.dump();
        return reply;
    }
    Json set(const std::string& id, Json more = Json::object()) {
        Json body{{"type", "camera_set"}, {"camera", id}, {"url", "rtsp://10.0.0.1/" + id}};
        body.update(more);
        const Json reply = ask(body);
        EXPECT_TRUE(reply["ok"]) << reply.dump();
        return reply;
    }
    Json camera(const std::string& id) { return ask({{"type", "camera"}, {"camera", id}})["camera"]; }
    LiveWorker& worker(const std::string& stage, std::map<std::string, std::string> labels = {}) {
        workers.push_back(std::make_unique<LiveWorker>(context, options.endpoint, stage, labels));
        EXPECT_TRUE(eventually([&] { return workers.back()->welcomed(); }));
        return *workers.back();
    }
    std::vector<Json> events(const std::string& topic) {
        std::vector<Json> all;
        const Json reply = ask({{"type", "log"}, {"topics", Json::array({topic})}});
        for (const auto& e : reply["entries"]) all.push_back(e);
        return all;
    }
    std::vector<std::string> kinds(const std::string& topic) {
        std::vector<std::string> all;
        for (const auto& e : events(topic)) all.push_back(e["kind"]);
        return all;
    }
    static std::string step(LiveWorker& home, const schema::Token& token, std::int64_t n,
                            std::vector<schema::Alert> alerts = {}, std::vector<std::string> traces = {}) {
        schema::LiveStep m;
        m.token = token;
        m.step = n;
        m.alerts = std::move(alerts);
        m.traces = std::move(traces);
        m.counters.detected = n;
        return home.ask(m, {std::uint8_t(n)});
    }
    static void stream(LiveWorker& ingest) {
        for (const auto& task : ingest.cameras()) {
            schema::CameraReport r;
            r.token = task.token;
            r.state = "streaming";
            r.url = task.camera.url;
            r.width = 640;
            r.height = 480;
            r.codec = "h264";
            ingest.say(r);
        }
    }
    // Both leases of a camera, as their holders have them.
    schema::CameraTask connection(LiveWorker& w, const std::string& id) {
        schema::CameraTask found;
        EXPECT_TRUE(eventually([&] {
            for (const auto& t : w.cameras())
                if (t.token.job == id) return found = t, !t.home.empty();
            return false;
        })) << id;
        return found;
    }
    schema::WatchTask watch(LiveWorker& w, const std::string& id) {
        schema::WatchTask found;
        EXPECT_TRUE(eventually([&] {
            for (const auto& t : w.watches())
                if (t.token.job == id) return found = t, true;
            return false;
        })) << id;
        return found;
    }

    std::filesystem::path folder;
    zmq::context_t context;
    std::unique_ptr<store::JobStore> jobs = store::memory_store();
    std::unique_ptr<store::Audit> audit;
    Catalogue catalogue;
    Options options;
    int stop = ::eventfd(0, EFD_CLOEXEC);
    std::thread thread;
    zmq::socket_t client;
    bool connected = false;
    std::vector<std::unique_ptr<LiveWorker>> workers;
};

TEST_F(Cameras, AreRegisteredChangedListedAndRemoved) {
    start();
    Json reply = set(
        "a", {{"create", true}, {"fps", 2}, {"labels", {{"site", "n"}}}, {"params", {{"confidence", 0.4}}}});
    EXPECT_EQ(reply["camera"]["spec"]["fps"], 2);
    EXPECT_EQ(reply["camera"]["state"], "pending");
    EXPECT_THAT(reply["camera"]["waiting_for"].dump(), HasSubstr("live/ingest with site=n"));
    reply = ask({{"type", "camera_set"}, {"camera", "a"}, {"create", true}});
    EXPECT_EQ(reply["code"], "CONFLICT");
    reply = ask({{"type", "camera_set"}, {"camera", "b"}, {"create", false}});
    EXPECT_EQ(reply["code"], "NOT_FOUND");
    reply = set("a", {{"enabled", false}, {"motion", {{"on", false}}}});
    EXPECT_EQ(reply["camera"]["spec"]["fps"], 2) << "what is not said stays";
    EXPECT_EQ(reply["camera"]["spec"]["motion"]["full_every_s"], 10);
    EXPECT_EQ(reply["camera"]["state"], "disabled");
    EXPECT_EQ(reply["camera"]["revision"], 2);
    set("b");
    EXPECT_EQ(ask({{"type", "cameras"}})["cameras"].size(), 2u);
    EXPECT_TRUE(ask({{"type", "camera_remove"}, {"camera", "a"}})["ok"]);
    EXPECT_EQ(ask({{"type", "camera"}, {"camera", "a"}})["code"], "NOT_FOUND");
    EXPECT_EQ(ask({{"type", "camera_remove"}, {"camera", "a"}})["code"], "NOT_FOUND");
    EXPECT_THAT(kinds("camera.a"), ElementsAre("camera.set", "camera.set", "camera.removed"));
}

TEST_F(Cameras, ARegistrationThatIsWrongIsRefusedAndSaysWhy) {
    start();
    const auto refused = [&](Json body) {
        body["type"] = "camera_set";
        const Json reply = ask(body);
        EXPECT_FALSE(reply["ok"]) << body.dump();
        EXPECT_EQ(reply["code"], "INVALID_PARAMS") << reply.dump();
        return reply["message"].get<std::string>() + " " + reply["hint"].get<std::string>();
    };
    for (const std::string url :
         {"rtsp://root:hunter2@10.0.0.1/x", "http://u@h/x", "rtsp://u:hunter2/2@h/x"}) {
        const auto why = refused({{"camera", "a"}, {"url", url}});
        EXPECT_THAT(why, HasSubstr("secrets"));
        EXPECT_THAT(why, Not(HasSubstr("hunter2")));
    }
    EXPECT_THAT(refused({{"camera", "a"}, {"url", "ftp://h/x"}}), HasSubstr("rtsp://"));
    EXPECT_THAT(refused({{"camera", "a/b"}, {"url", "rtsp://h"}}), HasSubstr("id"));
    EXPECT_THAT(refused({{"camera", ".."}, {"url", "rtsp://h"}}), HasSubstr("id"));
    EXPECT_THAT(refused({{"camera", "a"}, {"url", "rtsp://h"}, {"fps", "many"}}), HasSubstr("fps"));
    EXPECT_THAT(refused({{"camera", "a"}, {"url", "rtsp://h"}, {"fps", 1000}}), HasSubstr("fps"));
    EXPECT_THAT(refused({{"camera", "a"}, {"url", "rtsp://h"}, {"policy", "drop"}}),
                HasSubstr("drop_oldest"));
    EXPECT_THAT(refused({{"camera", "a"}, {"url", "rtsp://h"}, {"preset", "none"}}), HasSubstr("none"));
    EXPECT_THAT(refused({{"camera", "a"}, {"url", "rtsp://h"}, {"motion", {{"threshold", 2}}}}),
                HasSubstr("motion.threshold"));
    EXPECT_EQ(ask({{"type", "cameras"}})["cameras"].size(), 0u);
    EXPECT_TRUE(ask({{"type", "camera_set"}, {"camera", "a"}, {"url", "http://h/x?mail=a@b"}})["ok"]);
}

TEST_F(Cameras, BothLeasesAreGrantedAndTheConnectionKnowsTheHome) {
    start();
    auto& home = worker("live/annotate");
    auto& ingest = worker("live/ingest");
    set("a", {{"params", {{"confidence", 0.4}}}});
    const auto c = connection(ingest, "a");
    const auto w = watch(home, "a");
    EXPECT_EQ(c.home, home.id());
    EXPECT_EQ(c.watch, w.token);
    EXPECT_EQ(c.token.unit, "camera");
    EXPECT_EQ(w.token.unit, "watch");
    EXPECT_EQ(w.token.seq, 1);
    EXPECT_EQ(w.step, 0);
    EXPECT_EQ(c.camera.url, "rtsp://10.0.0.1/a");
    EXPECT_DOUBLE_EQ(c.spec.confidence, 0.4);
    EXPECT_EQ(c.spec.camera, "a");
    stream(ingest);
    EXPECT_TRUE(eventually([&] { return camera("a")["state"] == "streaming"; }));
    const Json v = camera("a");
    EXPECT_EQ(v["worker"], ingest.id());
    EXPECT_EQ(v["home"], home.id());
    EXPECT_EQ(v["width"], 640);
    EXPECT_THAT(kinds("camera.a"), ElementsAre("camera.set", "camera.online"));
}

TEST_F(Cameras, StepsAreFencedComparedAndRecordedWithTheirAlerts) {
    start();
    auto& home = worker("live/annotate");
    set("a");
    const auto token = watch(home, "a").token;
    schema::Alert alert;
    alert.alert = "a-0123456789abcdef";
    alert.rule = "person";
    EXPECT_EQ(step(home, token, 2), "stale");
    EXPECT_EQ(step(home, token, 1, {alert}), "ok");
    EXPECT_EQ(step(home, token, 1, {alert}), "ok");
    schema::Token other = token;
    ++other.nonce;
    EXPECT_EQ(step(home, other, 2), "stale");
    EXPECT_EQ(step(home, token, 2), "ok");
    const auto alerts = events("alert.a");
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0]["kind"], "alert");
    EXPECT_EQ(alerts[0]["body"]["alert"], "a-0123456789abcdef");
    EXPECT_EQ(alerts[0]["body"]["stream"], "a");
    EXPECT_EQ(camera("a")["step"], 2);
    EXPECT_EQ(camera("a")["detected"], 2);
}

TEST_F(Cameras, ASilentWorkersCamerasMoveAndGoOnWithTheRecordedState) {
    start();
    auto& h1 = worker("live/annotate");
    auto& i1 = worker("live/ingest");
    set("a");
    const auto first = watch(h1, "a");
    ASSERT_EQ(step(h1, first.token, 1), "ok");
    ASSERT_EQ(step(h1, first.token, 2), "ok");
    const auto before = connection(i1, "a");
    stream(i1);
    ASSERT_TRUE(eventually([&] { return camera("a")["state"] == "streaming"; }));
    auto& h2 = worker("live/annotate");
    auto& i2 = worker("live/ingest");
    h1.stand_still(true);
    const auto second = watch(h2, "a");
    EXPECT_EQ(second.step, 2);
    EXPECT_EQ(second.state, schema::Bytes{2});
    EXPECT_GT(second.token.seq, first.token.seq);
    EXPECT_TRUE(eventually([&] { return connection(i1, "a").home == h2.id(); }));
    EXPECT_EQ(connection(i1, "a").token, before.token) << "the connection stays";
    EXPECT_GT(connection(i1, "a").revision, before.revision);
    EXPECT_EQ(step(h2, second.token, 3), "ok");
    h1.stand_still(false);  // a zombie: refused, and told to let go
    EXPECT_EQ(step(h1, first.token, 3), "stale");
    EXPECT_TRUE(eventually([&] { return h1.watches().empty(); }));
    i1.stand_still(true);
    connection(i2, "a");
    EXPECT_EQ(kinds("camera.a").back(), "camera.online") << "a short move is not the camera's silence";
}

TEST_F(Cameras, AnExitThatASupervisorReportsMovesThemAtOnceWithAllThatWasInThatProcess) {
    options.round_ms = 60'000;  // silence alone would take minutes
    start();
    workers.push_back(std::make_unique<LiveWorker>(context, options.endpoint, "live/annotate",
                                                   std::map<std::string, std::string>{}, "", "sup", "p1"));
    workers.push_back(std::make_unique<LiveWorker>(context, options.endpoint, "live/ingest",
                                                   std::map<std::string, std::string>{}, "", "sup", "p1"));
    auto &h1 = *workers[0], &i1 = *workers[1];
    set("a");
    watch(h1, "a");
    connection(i1, "a");
    auto& h2 = worker("live/annotate");
    auto& i2 = worker("live/ingest");
    h1.stand_still(true);
    i1.stand_still(true);
    auto supervisor = bus::make_socket(context, bus::Kind::dealer);
    supervisor.set(zmq::sockopt::routing_id, "sup");
    supervisor.connect(bus::broker_endpoints(options.endpoint)->workers);
    schema::Exited m;
    m.req = 1;
    m.worker = h1.id();
    m.cause = "signal 9 (Killed)";
    ASSERT_TRUE(eventually([&] {  // nothing is queued before it is connected
        std::vector<zmq::message_t> frames;
        bus::Envelope::make(m).append_to(frames);
        return bus::send(supervisor, frames);
    }));
    watch(h2, "a");
    connection(i2, "a");
}

TEST_F(Cameras, AWorkerThatDrainsHandsItsCamerasOver) {
    start();
    auto& home = worker("live/annotate");
    auto& i1 = worker("live/ingest");
    set("a");
    watch(home, "a");
    connection(i1, "a");
    auto& i2 = worker("live/ingest");
    ASSERT_TRUE(ask({{"type", "drain"}, {"worker", i1.id()}})["ok"]);
    connection(i2, "a");
    EXPECT_TRUE(eventually([&] { return i1.cameras().empty(); }));
    i1.bye();
}

TEST_F(Cameras, ABrokerThatBeginsAgainLeavesThemWhereTheyAre) {
    start();
    auto& home = worker("live/annotate");
    auto& ingest = worker("live/ingest");
    set("a");
    const auto w = watch(home, "a");
    const auto c = connection(ingest, "a");
    ASSERT_EQ(step(home, w.token, 1), "ok");
    end();
    start();
    EXPECT_EQ(step(home, w.token, 2), "ok");
    EXPECT_TRUE(eventually([&] { return camera("a")["worker"] == ingest.id(); }));
    EXPECT_EQ(connection(ingest, "a").token, c.token);
    EXPECT_EQ(camera("a")["step"], 2);
    EXPECT_EQ(camera("a")["session"], 1);
}

TEST_F(Cameras, ZonesAndRulesAreInForceAtOnce) {
    start();
    auto& home = worker("live/annotate");
    auto& ingest = worker("live/ingest");
    set("a");
    set("b");
    const auto w = watch(home, "a");
    const auto c = connection(ingest, "a");
    const auto b = watch(home, "b");
    const Json yard{{"name", "yard"}, {"points", {{0, 0}, {1, 0}, {1, 1}}}};
    EXPECT_EQ(ask({{"type", "rule_set"}, {"of", "a"}, {"rule", {{"name", "r"}, {"zone", "yard"}}}})["code"],
              "INVALID_PARAMS");
    ASSERT_TRUE(ask({{"type", "zone_set"}, {"of", "a"}, {"zone", yard}})["ok"]);
    const Json rules = ask({{"type", "rule_set"}, {"of", "a"}, {"rule", {{"name", "r"}, {"zone", "yard"}}}});
    ASSERT_TRUE(rules["ok"]) << rules.dump();
    EXPECT_EQ(rules["rules"].size(), 1u);
    EXPECT_TRUE(eventually([&] {
        const auto now = watch(home, "a");
        return now.spec.rules.size() == 1 && now.spec.zones.size() == 1 && now.revision > w.revision;
    }));
    EXPECT_TRUE(eventually([&] { return connection(ingest, "a").revision > c.revision; }));
    EXPECT_EQ(watch(home, "a").token, w.token);
    EXPECT_EQ(watch(home, "b").revision, b.revision);
    EXPECT_EQ(ask({{"type", "zone_remove"}, {"of", "a"}, {"zone", "yard"}})["code"], "CONFLICT");
    EXPECT_EQ(ask({{"type", "zone_remove"}, {"of", "a"}, {"zone", "none"}})["code"], "NOT_FOUND");
    ASSERT_TRUE(ask({{"type", "rule_remove"}, {"of", "a"}, {"rule", "r"}})["ok"]);
    EXPECT_EQ(ask({{"type", "zones"}})["zones"]["a"]["zones"][0]["name"], "yard");
    ASSERT_TRUE(ask({{"type", "zone_remove"}, {"of", "a"}})["ok"]);
    EXPECT_TRUE(ask({{"type", "zones"}})["zones"].empty());
}

TEST_F(Cameras, ZonesOfAnInputGoIntoTheJobThatReadsIt) {
    start();
    const Json yard{{"name", "yard"}, {"points", {{0, 0}, {1, 0}, {1, 1}}}};
    ASSERT_TRUE(ask({{"type", "zone_set"}, {"of", "x.mp4"}, {"zone", yard}})["ok"]);
    std::ofstream(folder / "media" / "x.mp4") << "x";
    const Json job =
        ask({{"type", "submit"}, {"name", "j"}, {"inputs", {{{"root", "media"}, {"path", "x.mp4"}}}}});
    ASSERT_TRUE(job["ok"]) << job.dump();
    end();
    const auto records = *jobs->load();
    const std::string& bytes = records.at("job:j").at("job");
    const auto record =
        schema::decode<JobRecord>({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "job");
    ASSERT_TRUE(record);
    ASSERT_EQ(record->spec.zones.size(), 1u);
    EXPECT_EQ(record->spec.zones[0].name, "yard");
}

TEST_F(Cameras, LabelsBindThemToWorkers) {
    start();
    auto& home = worker("live/annotate");
    auto& north = worker("live/ingest", {{"site", "north"}});
    auto& south = worker("live/ingest", {{"site", "south"}});
    for (int i = 0; i < 4; ++i) set("n" + std::to_string(i), {{"labels", {{"site", "north"}}}});
    set("s", {{"labels", {{"site", "south"}}}});
    for (int i = 0; i < 4; ++i) connection(north, "n" + std::to_string(i));
    connection(south, "s");
    EXPECT_EQ(south.cameras().size(), 1u);
    set("n0", {{"labels", {{"site", "south"}}}});  // moved by its label
    connection(south, "n0");
    EXPECT_TRUE(eventually([&] { return north.cameras().size() == 3; }));
    watch(home, "n0");
}

TEST_F(Cameras, FiftySpreadOverThreeWorkers) {
    start();
    worker("live/annotate");
    for (int i = 0; i < 3; ++i) worker("live/ingest");
    for (int i = 0; i < 50; ++i) set("c" + std::to_string(i));
    EXPECT_TRUE(eventually([&] {
        std::vector<std::size_t> n;
        for (int i = 1; i <= 3; ++i) n.push_back(workers[std::size_t(i)]->cameras().size());
        std::sort(n.begin(), n.end());
        return n == std::vector<std::size_t>{16, 17, 17} && workers[0]->watches().size() == 50;
    }));
}

TEST_F(Cameras, ExplainAnswersFromTheTracesThatAreKept) {
    start();
    auto& home = worker("live/annotate");
    set("a");
    const auto token = watch(home, "a").token;
    const std::int64_t s = 1'000'000'000, t = now_ns();
    const auto trace = [&](int track, std::int64_t from, std::int64_t to) {
        return Json{{"track", track},
                    {"class_name", "person"},
                    {"from_ns", t + from * s},
                    {"to_ns", t + to * s},
                    {"decisions", {"seen at 0.62", "14 px outside"}}}
            .dump();
    };
    ASSERT_EQ(step(home, token, 1, {}, {trace(1, -90, -80), trace(2, -60, -20)}), "ok");
    ASSERT_EQ(step(home, token, 2, {}, {trace(3, -10, -5)}), "ok");
    const auto tracks = [&](std::int64_t from, std::int64_t to) {
        std::vector<int> all;
        const Json reply =
            ask({{"type", "explain"}, {"camera", "a"}, {"from_ns", t + from * s}, {"to_ns", t + to * s}});
        for (const auto& x : reply["tracks"]) all.push_back(x["track"]);
        return all;
    };
    EXPECT_THAT(tracks(-100, 0), ElementsAre(1, 2, 3));
    EXPECT_THAT(tracks(-50, -30), ElementsAre(2));
    EXPECT_THAT(tracks(-25, 0), ElementsAre(2, 3));
    EXPECT_EQ(ask({{"type", "explain"}, {"camera", "none"}})["code"], "NOT_FOUND");
}

TEST_F(Cameras, HealthAsksForLivePoolsOnlyWhenThereAreCameras) {
    start();
    const auto part = [&](const std::string& name) -> Json {
        const Json reply = ask({{"type", "health"}});
        for (const auto& p : reply["parts"])
            if (p["name"] == name) return p;
        return nullptr;
    };
    EXPECT_TRUE(part("live/ingest").is_null());
    set("a", {{"enabled", false}});
    EXPECT_TRUE(part("live/ingest").is_null());
    set("a", {{"enabled", true}});
    EXPECT_EQ(part("live/ingest")["ok"], false);
    EXPECT_EQ(part("live/detect/m@1")["ok"], false);
    EXPECT_EQ(part("cameras")["detail"], "0 of 1 stream");
    worker("live/ingest");
    EXPECT_TRUE(eventually([&] { return part("live/ingest")["ok"] == true; }));
}

TEST_F(Cameras, ConfiguredOnesAreThereFromTheStartAndOneBadOneKeepsNoOtherAway) {
    options.cameras = {R"({"camera":"a","url":"synthetic://1","fps":2})", R"({"camera":"b","url":"ftp://x"})",
                       R"({"camera":"c","url":"synthetic://2"})"};
    start();
    EXPECT_EQ(ask({{"type", "cameras"}})["cameras"].size(), 2u);
    set("a", {{"url", "synthetic://1"}, {"enabled", false}});
    end();
    start();  // what it says is laid over what is there
    EXPECT_EQ(camera("a")["spec"]["enabled"], false);
    EXPECT_EQ(camera("a")["spec"]["fps"], 2);
    EXPECT_EQ(camera("a")["revision"], 2);
}

}  // namespace
}  // namespace sl::broker
