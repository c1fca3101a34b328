// The camera table, transition by transition: registry, zones, leases, reports, steps; and that what its
// journals wrote makes the same table again.
#include "broker/camera_table.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "schema/codec.hpp"
#include "tests/support/job_table_kit.hpp"

namespace sl::broker {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A camera table, the job table that numbers its events, and the store that its journals went to.
class CameraTableTest : public ::testing::Test {
protected:
    Kit kit;
    CameraTable table{kit.table};
    Clock::time_point now{seconds(1000)};

    template <typename F>
    auto run(F f) {
        return kit([&](Journal& j) { return f(j); });
    }
    void set(const std::string& id, const std::function<void(schema::Camera&)>& change = {}) {
        schema::Camera camera;
        if (const LiveCamera* known = table.find(id)) camera = known->camera;
        camera.camera = id;
        if (camera.url.empty()) camera.url = "rtsp://10.0.0.1/" + id;
        if (change) change(camera);
        schema::JobSpec spec;
        spec.camera = id;
        spec.pools = {{"detect/m@1", 1, 1, "bgr", "stretch", 0, {}}};
        run([&](Journal& j) { table.set(camera, spec, now, j); });
    }
    LiveCamera& at(const std::string& id) { return *table.find(id); }
    Token lease_camera(const std::string& id, const std::string& worker = "ingest") {
        return run([&](Journal& j) { return table.lease_camera(at(id), worker, j); });
    }
    Token lease_watch(const std::string& id, const std::string& worker = "home") {
        return run([&](Journal& j) { return table.lease_watch(at(id), worker, j); });
    }
    Result<void> report(const Token& token, const std::string& state, const std::string& error = "",
                        std::int64_t sampled = 0, std::map<std::string, std::int64_t> dropped = {}) {
        schema::CameraReport m;
        m.token = token;
        m.state = state;
        m.error = error;
        m.sampled = sampled;
        m.dropped = std::move(dropped);
        return run([&](Journal& j) { return table.report(m, now, j); });
    }
    Result<void> step(const Token& token, std::int64_t n, int alerts = 0, std::int64_t read = 0) {
        schema::LiveStep m;
        m.token = token;
        m.step = n;
        m.counters.read = read;
        m.counters.alerts = alerts;
        m.latency_ms = 12;
        m.traces = {R"({"track":)" + std::to_string(n) + R"(,"class_name":"person"})", "no object"};
        for (int i = 0; i < alerts; ++i) {
            schema::Alert a;
            a.alert = token.job + "-" + std::to_string(n) + "-" + std::to_string(i);
            a.job = "whatever it says";
            m.alerts.push_back(a);
        }
        return run([&](Journal& j) { return table.step(m, {std::uint8_t(n)}, j); });
    }
    std::vector<std::string> events(const std::string& topic) const {
        std::vector<std::string> kinds;
        for (const auto& e : kit.log)
            if (e.topic == topic) kinds.push_back(e.kind);
        return kinds;
    }
    // Everything that is recorded, as text: two tables that agree on it are the same.
    static std::string text(const CameraTable& t) {
        std::string out;
        const auto bytes = [&](const auto& record) {
            const auto b = schema::encode(record);
            out.append(b.begin(), b.end());
        };
        for (const auto& [id, c] : t.cameras()) {
            bytes(c.camera), bytes(c.spec), bytes(c.before), bytes(c.counters), bytes(c.connection.token),
                bytes(c.watch.token);
            out += Json{c.connection.state,
                        c.connection.holder,
                        c.watch.state,
                        c.watch.holder,
                        c.session,
                        c.revision,
                        c.told,
                        c.dropping,
                        c.step,
                        c.state,
                        c.latency_ms}
                       .dump();
        }
        for (const auto& [of, zones] : t.all_zones()) out += of, bytes(zones);
        return out;
    }
    void TearDown() override {
        CameraTable again(kit.table);
        ASSERT_TRUE(again.load(kit.records, now));
        EXPECT_TRUE(text(again) == text(table)) << "what was recorded makes another table";
    }
};

ZonesRecord zone(const std::string& name) {
    ZonesRecord z;
    z.zones.push_back({name, {{0, 0}, {1, 0}, {1, 1}}});
    return z;
}

TEST_F(CameraTableTest, ARegistrationIsRecordedToldAndNumbered) {
    set("a");
    EXPECT_EQ(at("a").camera.revision, 1);
    EXPECT_EQ(at("a").connection.state, State::pending);
    EXPECT_EQ(at("a").watch.state, State::pending);
    set("a");  // nothing changed
    EXPECT_EQ(at("a").camera.revision, 1);
    set("a", [](auto& c) { c.fps = 2; });
    EXPECT_EQ(at("a").camera.revision, 2);
    ASSERT_THAT(events("camera.a"), ElementsAre("camera.set", "camera.set"));
    const Json body = Json::parse(kit.log.back().body);
    EXPECT_EQ(body["fps"], 2);
    EXPECT_EQ(body["revision"], 2);
    EXPECT_TRUE(kit.log.back().audit);
}

TEST_F(CameraTableTest, RemovedItsTokensAreVoidAndNothingOfItIsLeft) {
    set("a");
    set("b");
    const Token camera = lease_camera("a"), watch = lease_watch("a"), other = lease_watch("b");
    run([&](Journal& j) { table.set_zones("a", zone("yard"), j); });
    ASSERT_TRUE(run([&](Journal& j) { return table.remove("a", j); }));
    EXPECT_FALSE(table.current(camera));
    EXPECT_FALSE(table.current(watch));
    EXPECT_TRUE(table.current(other));
    EXPECT_FALSE(kit.records.contains("camera:a"));
    EXPECT_TRUE(kit.records["zones"].empty());
    EXPECT_EQ(run([&](Journal& j) { return table.remove("a", j); }).error().code, Errc::not_found);
    EXPECT_EQ(step(watch, 1).error().code, Errc::stale);
    EXPECT_EQ(report(camera, "streaming").error().code, Errc::stale);
}

TEST_F(CameraTableTest, DisabledItHasNoLeases) {
    set("a");
    const Token camera = lease_camera("a"), watch = lease_watch("a");
    set("a", [](auto& c) { c.enabled = false; });
    EXPECT_FALSE(table.current(camera));
    EXPECT_FALSE(table.current(watch));
    EXPECT_THAT(table.leases(), IsEmpty());
    EXPECT_EQ(at("a").connection.state, State::none);
    set("a", [](auto& c) { c.enabled = true; });
    EXPECT_EQ(at("a").connection.state, State::pending);
}

TEST_F(CameraTableTest, AChangeKeepsTheLeasesAndRaisesTheRevisionOfTheTasks) {
    set("a");
    set("b");
    const Token camera = lease_camera("a"), watch = lease_watch("a");
    (void)table.to_tell(now);
    const auto before = table.camera_task(at("a")).revision;
    const auto other = table.camera_task(at("b")).revision;
    set("a", [](auto& c) { c.fps = 1; });
    EXPECT_TRUE(table.current(camera));
    EXPECT_TRUE(table.current(watch));
    EXPECT_GT(table.camera_task(at("a")).revision, before);
    EXPECT_EQ(table.watch_task(at("a")).revision, table.camera_task(at("a")).revision);
    EXPECT_EQ(table.camera_task(at("b")).revision, other);
    const auto told = table.to_tell(now);
    ASSERT_EQ(told.size(), 1u);  // changing one concerns no other
    EXPECT_EQ(told[0]->id(), "a");
    EXPECT_THAT(table.to_tell(now + seconds(4)), IsEmpty());
    EXPECT_EQ(table.to_tell(now + seconds(5)).size(), 2u);  // an order may have been lost
}

TEST_F(CameraTableTest, ZonesSetByNameLieOverWhatTheSpecSays) {
    set("a");
    lease_watch("a");
    const auto before = at("a").revision;
    run([&](Journal& j) { table.set_zones("a", zone("yard"), j); });
    EXPECT_GT(at("a").revision, before);
    ASSERT_EQ(table.watch_task(at("a")).spec.zones.size(), 1u);
    ZonesRecord other = zone("yard");
    other.zones[0].inside = "center";
    run([&](Journal& j) { table.set_zones("a", other, j); });
    ASSERT_EQ(table.watch_task(at("a")).spec.zones.size(), 1u);
    EXPECT_EQ(table.watch_task(at("a")).spec.zones[0].inside, "center");
    const auto known = at("a").revision;
    run([&](Journal& j) { table.set_zones("a", other, j); });  // nothing new
    EXPECT_EQ(at("a").revision, known);
    run([&](Journal& j) { table.set_zones("file.mp4", zone("door"), j); });
    schema::JobSpec spec;
    spec.zones = zone("door").zones;
    spec.zones[0].inside = "overlap";
    table.lay_zones("file.mp4", spec);
    ASSERT_EQ(spec.zones.size(), 1u);
    EXPECT_EQ(spec.zones[0].inside, "bottom_center");
    run([&](Journal& j) { table.set_zones("a", {}, j); });
    EXPECT_TRUE(table.watch_task(at("a")).spec.zones.empty());
    EXPECT_THAT(events("zones.a"), ElementsAre("zones.set", "zones.set", "zones.set"));
}

TEST_F(CameraTableTest, ALeaseThatIsLostIsPendingAgainAndItsTokenVoid) {
    set("a");
    const Token camera = lease_camera("a", "i1"), watch = lease_watch("a", "h1");
    EXPECT_EQ(table.leases().size(), 2u);
    EXPECT_EQ(table.camera_task(at("a")).home, "h1");
    EXPECT_EQ(table.camera_task(at("a")).watch, watch);
    run([&](Journal& j) { table.lost(watch, j); });
    EXPECT_FALSE(table.current(watch));
    EXPECT_TRUE(table.current(camera));
    EXPECT_EQ(table.camera_task(at("a")).home, "");  // its frames go nowhere
    run([&](Journal& j) { table.lost(watch, j); });  // again: nothing
    const Token next = lease_watch("a", "h2");
    EXPECT_EQ(next.attempt, watch.attempt + 1);
    EXPECT_GT(next.seq, watch.seq);
    EXPECT_NE(next.nonce, watch.nonce);
    EXPECT_EQ(table.camera_task(at("a")).home, "h2");
}

TEST_F(CameraTableTest, ALeaseMovesToAnotherAndTheOldHolderIsHeardNoMore) {
    set("a");
    const Token old_camera = lease_camera("a", "i1"), old_watch = lease_watch("a", "h1");
    ASSERT_TRUE(step(old_watch, 1));
    const Token camera = lease_camera("a", "i2"), watch = lease_watch("a", "h2");
    EXPECT_EQ(report(old_camera, "streaming").error().code, Errc::stale);
    EXPECT_EQ(step(old_watch, 2).error().code, Errc::stale);
    EXPECT_EQ(table.watch_task(at("a")).step, 1);
    EXPECT_EQ(table.watch_task(at("a")).state, schema::Bytes{1});
    EXPECT_TRUE(report(camera, "streaming"));
    EXPECT_TRUE(step(watch, 2));
}

TEST_F(CameraTableTest, AStepCountsOnceAndInOrder) {
    set("a");
    const Token watch = lease_watch("a");
    EXPECT_EQ(step(watch, 2).error().code, Errc::stale);  // the first is 1
    ASSERT_TRUE(step(watch, 1, 2));
    EXPECT_TRUE(step(watch, 1, 2));  // repeated: ok, and nothing happens
    EXPECT_EQ(step(watch, 3).error().code, Errc::stale);
    EXPECT_EQ(step(watch, 0).error().code, Errc::stale);
    EXPECT_TRUE(step(watch, 2));
    EXPECT_THAT(events("alert.a"), ElementsAre("alert", "alert"));
    EXPECT_THAT(events("trace.a"), ElementsAre("trace", "trace"));  // what is no object is no trace
    std::vector<Json> alerts;
    for (const auto& e : kit.log)
        if (e.kind == "alert") alerts.push_back(Json::parse(e.body));
    EXPECT_EQ(alerts[0]["alert"], "a-1-0");
    EXPECT_EQ(alerts[0]["stream"], "a");
    EXPECT_EQ(alerts[0]["job"], "");
    schema::LiveStep of_another;
    of_another.token = watch;
    of_another.token.unit = "camera";
    of_another.step = 3;
    EXPECT_FALSE(run([&](Journal& j) { return table.step(of_another, {}, j); }));
}

TEST_F(CameraTableTest, CountersOfSessionsAddUp) {
    set("a");
    Token watch = lease_watch("a");
    ASSERT_TRUE(step(watch, 1, 0, 10));
    ASSERT_TRUE(step(watch, 2, 0, 25));
    watch = lease_watch("a", "h2");
    ASSERT_TRUE(step(watch, 3, 0, 5));
    EXPECT_EQ(at("a").before.read + at("a").counters.read, 30);
}

TEST_F(CameraTableTest, OnlineAndOfflineAreToldOnce) {
    set("a");
    const Token t = lease_camera("a");
    EXPECT_TRUE(report(t, "connecting"));
    EXPECT_THAT(events("camera.a"), ElementsAre("camera.set"));
    EXPECT_TRUE(report(t, "streaming"));
    EXPECT_TRUE(report(t, "streaming"));
    EXPECT_TRUE(report(t, "waiting", "timeout"));
    EXPECT_TRUE(report(t, "connecting", "refused"));
    EXPECT_TRUE(report(t, "streaming"));
    EXPECT_THAT(events("camera.a"),
                ElementsAre("camera.set", "camera.online", "camera.offline", "camera.online"));
    EXPECT_EQ(report(t, "dancing").error().code, Errc::bad_message);
    CameraTable again(kit.table);  // a take-over tells nothing twice
    ASSERT_TRUE(again.load(kit.records, now));
    schema::CameraReport m;
    m.token = t;
    m.state = "streaming";
    ASSERT_TRUE(run([&](Journal& j) { return again.report(m, now, j); }));
    EXPECT_EQ(events("camera.a").size(), 4u);
}

TEST_F(CameraTableTest, ACameraThatNobodyServesIsToldOfflineAfterFiveSeconds) {
    set("a");
    set("off", [](auto& c) { c.enabled = false; });
    const auto tend = [&] { run([&](Journal& j) { table.tend(now, j); }); };
    const Token t = lease_camera("a");
    EXPECT_TRUE(report(t, "streaming"));
    run([&](Journal& j) { table.lost(t, j); });
    now += seconds(5);
    tend();
    EXPECT_THAT(events("camera.a"), ElementsAre("camera.set", "camera.online"));
    now += seconds(1);
    tend();
    tend();
    ASSERT_THAT(events("camera.a"), ElementsAre("camera.set", "camera.online", "camera.offline"));
    EXPECT_EQ(Json::parse(kit.log.back().body)["error"], "unserved");
    EXPECT_THAT(events("camera.off"), ElementsAre("camera.set"));
}

TEST_F(CameraTableTest, MoreThanATenthLostInTenSecondsIsToldAndSoIsItsEnd) {
    set("a");
    const Token t = lease_camera("a");
    EXPECT_TRUE(report(t, "streaming", "", 0));
    now += seconds(10);
    EXPECT_TRUE(report(t, "streaming", "", 100, {{"lost", 10}}));  // a tenth is not more
    EXPECT_FALSE(at("a").dropping);
    now += seconds(10);
    EXPECT_TRUE(report(t, "streaming", "", 200, {{"lost", 15}, {"late", 6}}));
    EXPECT_TRUE(at("a").dropping);
    now += seconds(9);
    EXPECT_TRUE(report(t, "streaming", "", 290, {{"lost", 15}, {"late", 6}}));
    EXPECT_TRUE(at("a").dropping);
    now += seconds(1);
    EXPECT_TRUE(report(t, "streaming", "", 300, {{"lost", 15}, {"late", 6}}));
    EXPECT_FALSE(at("a").dropping);
    EXPECT_THAT(events("camera.a"),
                ElementsAre("camera.set", "camera.online", "camera.dropping", "camera.recovered"));
}

TEST_F(CameraTableTest, WhoFailsOrDiesOfItLeavesItResting) {
    set("a");
    Token t = lease_camera("a");
    run([&](Journal& j) { table.fail(t, "no room", now, j); });
    EXPECT_FALSE(table.current(t));
    EXPECT_EQ(at("a").connection.trouble.not_before, now + seconds(1));
    EXPECT_EQ(at("a").last_error, "no room");
    t = lease_camera("a");
    const Token other = lease_watch("a");
    run([&](Journal& j) { table.strike(t, "signal 11", now, j); });
    EXPECT_EQ(at("a").connection.trouble.not_before, now + seconds(2));
    EXPECT_TRUE(table.current(other));
    for (int i = 0; i < 20; ++i) {
        t = lease_camera("a");
        run([&](Journal& j) { table.fail(t, "no room", now, j); });
    }
    EXPECT_EQ(at("a").connection.trouble.not_before, now + seconds(60));
    run([&](Journal& j) { table.fail(t, "no room", now + seconds(9), j); });  // void: nothing
    EXPECT_EQ(at("a").connection.trouble.not_before, now + seconds(60));
    t = lease_camera("a");
    EXPECT_TRUE(report(t, "streaming"));
    now += seconds(61);
    EXPECT_TRUE(report(t, "streaming"));
    EXPECT_EQ(at("a").connection.trouble.waits, 0);
}

TEST_F(CameraTableTest, TheFrameRateIsMeasuredBetweenReports) {
    set("a");
    const Token t = lease_camera("a");
    EXPECT_TRUE(report(t, "streaming", "", 0));
    now += seconds(2);
    EXPECT_TRUE(report(t, "streaming", "", 10));
    EXPECT_DOUBLE_EQ(at("a").fps, 5);
    lease_camera("a", "i2");
    EXPECT_EQ(at("a").fps, 0);
    EXPECT_FALSE(at("a").report);
}

TEST_F(CameraTableTest, AUrlThatIsNoneOfItsOwnIsNotShown) {
    set("a", [](auto& c) { c.backup_url = "rtsp://10.0.0.2/b"; });
    const Token t = lease_camera("a");
    schema::CameraReport m;
    m.token = t;
    m.state = "streaming";
    m.url = "rtsp://10.0.0.2/b";
    ASSERT_TRUE(run([&](Journal& j) { return table.report(m, now, j); }));
    EXPECT_EQ(at("a").report->url, "rtsp://10.0.0.2/b");
    m.url = "rtsp://user:secret@10.0.0.2/b";
    ASSERT_TRUE(run([&](Journal& j) { return table.report(m, now, j); }));
    EXPECT_EQ(at("a").report->url, "");
}

TEST_F(CameraTableTest, ATrailThatBeginsToKeepTheRegistryIsToldWhatItLacks) {
    set("a");
    set("b");
    run([&](Journal& j) { table.set_zones("b", zone("yard"), j); });
    const auto before = kit.log.size();
    run([&](Journal& j) { table.tell_registry({"a"}, {}, j); });
    ASSERT_EQ(kit.log.size(), before + 2);
    EXPECT_EQ(kit.log[before].topic, "camera.b");
    EXPECT_EQ(kit.log[before + 1].topic, "zones.b");
    EXPECT_FALSE(table.registry_known());
    run([&](Journal& j) { table.know_registry(j); });
    CameraTable again(kit.table);
    ASSERT_TRUE(again.load(kit.records, now));
    EXPECT_TRUE(again.registry_known());
}

}  // namespace
}  // namespace sl::broker
