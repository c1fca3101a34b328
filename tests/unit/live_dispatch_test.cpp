// Who serves which camera: fewest first, labels, those that leave, balance.
#include "broker/live_dispatch.hpp"

#include <gmock/gmock.h>

namespace sl::broker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Labels = std::map<std::string, std::string>;

class LiveDispatchTest : public ::testing::Test {
protected:
    JobTable log{1, {}};
    CameraTable table{log};
    Members members;
    Journal j;
    Clock::time_point now{seconds(1000)};

    void worker(const std::string& id, const std::string& stage, const Labels& labels = {},
                const std::string& pool = "") {
        schema::Hello h;
        h.worker = id;
        h.stage = stage;
        h.pool = pool.empty() ? stage : pool;
        h.endpoints = {"ipc:///x"};
        h.labels = labels;
        h.engine = id;  // of live work nobody compares them, nor roots
        if (!stage.starts_with("live/")) h.roots = {"media"};
        const auto ok = members.hello(h, {"media"}, now);
        ASSERT_TRUE(ok) << ok.error().text();
        members.find(id)->listed = true;
    }
    void camera(const std::string& id, const Labels& labels = {}) {
        schema::Camera c;
        c.camera = id;
        c.url = "rtsp://h/" + id;
        c.labels = labels;
        schema::JobSpec spec;
        spec.pools = {{"detect/m@1", 1, 1, "bgr", "stretch", 0, {}}};
        table.set(c, spec, now, j);
    }
    void cameras(int n) {
        for (int i = 0; i < n; ++i) camera("c" + std::to_string(100 + i));
    }
    void lose(const std::string& worker) {
        members.erase(worker, now);
        for (const auto& [token, holder] : table.leases())
            if (holder == worker) table.lost(token, j);
    }
    // Carries out every grant that is possible now, as the broker does.
    std::vector<LiveGrant> all(bool balance = false) {
        std::vector<LiveGrant> out;
        LiveDispatch dispatch(table, members, now, balance);
        while (const auto g = dispatch.next()) {
            out.push_back(*g);
            LiveCamera& c = *table.find(g->camera);
            g->unit == "watch" ? table.lease_watch(c, g->worker, j) : table.lease_camera(c, g->worker, j);
            if (out.size() > 1000) break;
        }
        return out;
    }
    // Every camera streams, and its home has stepped.
    void work() {
        for (auto& [id, c] : table.cameras()) {
            schema::CameraReport r;
            r.token = c.connection.token;
            r.state = "streaming";
            (void)table.report(r, now, j);
            schema::LiveStep s;
            s.token = c.watch.token;
            s.step = c.step + 1;
            (void)table.step(s, {}, j);
        }
    }
    std::map<std::string, int> loads(const std::string& unit) const {
        std::map<std::string, int> n;
        for (const auto& [token, holder] : table.leases())
            if (token.unit == unit) ++n[holder];
        return n;
    }
};

std::vector<std::string> units(const std::vector<LiveGrant>& grants) {
    std::vector<std::string> out;
    for (const auto& g : grants) out.push_back(g.unit + " " + g.camera + " " + g.worker);
    return out;
}

TEST_F(LiveDispatchTest, TheHomeComesFirstThenTheConnection) {
    worker("i", "live/ingest");
    worker("h", "live/annotate");
    camera("a");
    EXPECT_THAT(units(all()), ElementsAre("watch a h", "camera a i"));
    EXPECT_THAT(all(), IsEmpty());
}

TEST_F(LiveDispatchTest, WorkersOfBatchStagesGetNothing) {
    worker("i", "ingest");
    worker("h", "annotate");
    camera("a");
    EXPECT_THAT(all(), IsEmpty());
    EXPECT_THAT(waiting_for(*table.find("a"), members),
                ElementsAre("live/ingest", "live/annotate", "live/preprocess", "live/detect/m@1"));
}

TEST_F(LiveDispatchTest, FiftyCamerasSpreadOverThreeWorkers) {
    for (const char* id : {"i1", "i2", "i3"}) worker(id, "live/ingest");
    for (const char* id : {"h1", "h2", "h3"}) worker(id, "live/annotate");
    cameras(50);
    EXPECT_EQ(all().size(), 100u);
    for (const char* unit : {"camera", "watch"})
        for (const auto& [worker, n] : loads(unit))
            EXPECT_THAT(n, ::testing::AllOf(::testing::Ge(16), ::testing::Le(17))) << worker;
}

TEST_F(LiveDispatchTest, LabelsBindCamerasToWorkersThatCarryThemAll) {
    worker("north", "live/ingest", {{"site", "north"}, {"gpu", "no"}});
    worker("south", "live/ingest", {{"site", "south"}});
    worker("h", "live/annotate");
    camera("n", {{"site", "north"}});
    camera("n2", {{"site", "north"}, {"gpu", "no"}});
    camera("none", {{"site", "west"}});
    camera("s", {{"site", "south"}});
    all();
    EXPECT_EQ(table.find("n")->connection.holder, "north");
    EXPECT_EQ(table.find("n2")->connection.holder, "north");
    EXPECT_EQ(table.find("s")->connection.holder, "south");
    EXPECT_EQ(table.find("none")->connection.state, Unit::State::pending);
    EXPECT_EQ(table.find("none")->watch.holder, "h");
    worker("p", "live/preprocess");
    worker("d", "live/detect", {}, "live/detect/m@1");
    EXPECT_THAT(waiting_for(*table.find("none"), members), ElementsAre("live/ingest with site=west"));
    EXPECT_THAT(waiting_for(*table.find("n"), members), IsEmpty());
}

TEST_F(LiveDispatchTest, AWorkerIsGivenNothingBeforeItsFirstListing) {
    worker("h", "live/annotate");
    members.find("h")->listed = false;
    camera("a");
    EXPECT_THAT(all(), IsEmpty());
    members.find("h")->listed = true;
    EXPECT_THAT(units(all()), ElementsAre("watch a h"));
}

TEST_F(LiveDispatchTest, ADeadWorkersCamerasMoveAndTheOthersStay) {
    for (const char* id : {"i1", "i2", "i3"}) worker(id, "live/ingest");
    worker("h", "live/annotate");
    cameras(30);
    all();
    work();
    std::map<std::string, std::string> before;
    for (const auto& [id, c] : table.cameras()) before[id] = c.connection.holder;
    lose("i2");
    const auto moved = all();
    EXPECT_EQ(moved.size(), 10u);
    for (const auto& [id, c] : table.cameras()) {
        if (before[id] == "i2")
            EXPECT_NE(c.connection.holder, "i2");
        else
            EXPECT_EQ(c.connection.holder, before[id]);
    }
    EXPECT_EQ(loads("camera"), (std::map<std::string, int>{{"i1", 15}, {"i3", 15}}));
}

TEST_F(LiveDispatchTest, CamerasOfAWorkerThatDrainsMoveBeforeItLeaves) {
    worker("i1", "live/ingest");
    worker("h1", "live/annotate");
    cameras(2);
    all();
    work();
    members.find("i1")->draining = members.find("h1")->draining = true;
    EXPECT_THAT(all(), IsEmpty());  // nobody else: better served than not
    worker("i2", "live/ingest");
    worker("h2", "live/annotate");
    EXPECT_EQ(all().size(), 4u);
    EXPECT_EQ(loads("camera"), (std::map<std::string, int>{{"i2", 2}}));
    EXPECT_EQ(loads("watch"), (std::map<std::string, int>{{"h2", 2}}));
}

TEST_F(LiveDispatchTest, WhatWorksMovesForBalanceOneAtATimeAndOnlyWhenClearlyUneven) {
    worker("i1", "live/ingest");
    worker("h", "live/annotate");
    cameras(4);
    all();
    work();
    worker("i2", "live/ingest");
    EXPECT_THAT(all(false), IsEmpty());
    auto moved = all(true);
    ASSERT_EQ(moved.size(), 1u);  // 4:0 → 3:1
    EXPECT_TRUE(moved[0].moves);
    EXPECT_EQ(moved[0].worker, "i2");
    work();
    EXPECT_EQ(all(true).size(), 1u);  // 3:1 → 2:2
    work();
    EXPECT_THAT(all(true), IsEmpty());
    camera("c200");
    all();
    work();
    EXPECT_THAT(all(true), IsEmpty());  // 3:2 is even enough
}

TEST_F(LiveDispatchTest, WhatDoesNotWorkYetMovesAtOnce) {
    worker("i1", "live/ingest");
    worker("h1", "live/annotate");
    cameras(10);
    all();
    worker("i2", "live/ingest");
    worker("h2", "live/annotate");
    const auto moved = all(false);
    EXPECT_EQ(moved.size(), 10u);
    EXPECT_EQ(loads("camera"), (std::map<std::string, int>{{"i1", 5}, {"i2", 5}}));
    EXPECT_EQ(loads("watch"), (std::map<std::string, int>{{"h1", 5}, {"h2", 5}}));
    EXPECT_THAT(all(false), IsEmpty());
}

TEST_F(LiveDispatchTest, BalanceKeepsToLabels) {
    worker("i1", "live/ingest", {{"site", "a"}});
    worker("h", "live/annotate");
    for (int i = 0; i < 4; ++i) camera("c" + std::to_string(i), {{"site", "a"}});
    all();
    work();
    worker("i2", "live/ingest");
    EXPECT_THAT(all(true), IsEmpty());
}

TEST_F(LiveDispatchTest, ACameraThatRestsIsNotGranted) {
    worker("i", "live/ingest");
    worker("h", "live/annotate");
    camera("a");
    camera("b");
    all();
    table.fail(table.find("a")->connection.token, "x", now, j);
    EXPECT_THAT(all(), IsEmpty());
    now += seconds(1);
    EXPECT_THAT(units(all()), ElementsAre("camera a i"));
}

}  // namespace
}  // namespace sl::broker
