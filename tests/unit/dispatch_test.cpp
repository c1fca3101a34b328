// Who gets what next: priority, fairness, turns, the reserved slot, credit, pools without workers.
#include "broker/dispatch.hpp"

#include <gtest/gtest.h>

namespace sl::broker {
namespace {

class Fleet {
public:
    JobTable table{1, {}};
    Members members;
    DispatchLimits limits;
    Journal j;

    void worker(const std::string& id, const std::string& stage, const std::string& pool, int slots = 0) {
        schema::Hello h;
        h.worker = id;
        h.stage = stage;
        h.pool = pool;
        h.endpoints = {"ipc:///x"};
        h.slots = slots;
        ASSERT_TRUE(members.hello(h, {}, Clock::now()));
        members.find(id)->listed = true;
    }
    void standard(int slots = 4) {
        worker("i", "ingest", "ingest");
        worker("p", "preprocess", "preprocess");
        worker("d", "detect", "detect/m@1");
        worker("a", "annotate", "annotate", slots);
    }
    void job(const std::string& id, int chunks, int priority = 0) {
        schema::JobSpec spec;
        spec.job = id;
        spec.priority = priority;
        spec.pools = {{"detect/m@1", 1, 1, "bgr", "stretch", 0, {}}};
        ASSERT_TRUE(table.submit(spec, "", j));
        const auto t = table.lease_scan(*table.find(id), "i", j);
        ASSERT_TRUE(table.found(t, {"s"}, j));
        schema::Scanned m;
        m.token = t;
        m.rows.resize(std::size_t(chunks));
        ASSERT_TRUE(table.scanned(m, j));
    }
    // Carries out every grant that is possible now, as the broker does.
    std::vector<Grant> all() {
        std::vector<Grant> out;
        while (const auto g = next_grant(table, members, limits, Clock::now())) {
            out.push_back(*g);
            if (g->unit == "chunk") {
                const auto t = table.lease_chunk(*table.find(g->job), g->stream, g->seq, g->worker, j);
                members.find(g->worker)->slots[t] = 1;
            } else if (g->unit == "scan") {
                table.lease_scan(*table.find(g->job), g->worker, j);
            } else {
                break;
            }
            if (out.size() > 1000) break;
        }
        return out;
    }
};

TEST(Dispatch, TheLastSlotOfAHomeIsForATurnChunk) {
    Fleet f;
    f.standard(3);
    f.job("a", 9);
    const auto grants = f.all();
    ASSERT_EQ(grants.size(), 2u);  // the turn chunk and one ahead: the third slot stays free
    EXPECT_EQ(grants[0].seq, 0);
    EXPECT_EQ(grants[1].seq, 1);
    f.job("b", 1);
    const auto more = f.all();
    ASSERT_EQ(more.size(), 1u);
    EXPECT_EQ(more[0].job, "b");
}

TEST(Dispatch, EqualJobsTakeTurnsAndPriorityGoesFirst) {
    Fleet f;
    f.standard(7);
    f.job("a", 9);
    f.job("b", 9);
    std::map<std::string, int> n;
    for (const auto& g : f.all()) ++n[g.job];
    EXPECT_EQ(n["a"], 3);
    EXPECT_EQ(n["b"], 3);

    Fleet g;
    g.standard(4);
    g.job("low", 9, 0);
    g.job("high", 9, 5);
    const auto grants = g.all();
    ASSERT_EQ(grants.size(), 4u);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(grants[std::size_t(i)].job, "high");
    EXPECT_EQ(grants[3].job, "low");  // its turn chunk, in the slot that no other may take
}

TEST(Dispatch, CreditBoundsWhatOneJobHasInFlight) {
    Fleet f;
    f.standard(100);
    f.limits.chunks_in_flight = 5;
    f.job("a", 50);
    EXPECT_EQ(f.all().size(), 5u);
}

TEST(Dispatch, NothingIsLeasedWhileAPoolHasNobody) {
    Fleet f;
    f.worker("i", "ingest", "ingest");
    f.worker("p", "preprocess", "preprocess");
    f.worker("a", "annotate", "annotate", 4);
    f.job("a", 3);
    EXPECT_TRUE(f.all().empty());
    f.worker("d", "detect", "detect/m@1");
    EXPECT_FALSE(f.all().empty());
}

TEST(Dispatch, JobsThatWaitForAPoolHoldNobodyUp) {
    Fleet f;
    f.standard(4);
    f.limits.running_jobs = 1;
    schema::JobSpec spec;
    spec.job = "a";
    spec.pools = {{"detect/nobody@1", 1, 1, "bgr", "stretch", 0, {}}};
    ASSERT_TRUE(f.table.submit(spec, "", f.j));
    spec.job = "b";
    spec.pools.clear();
    ASSERT_TRUE(f.table.submit(spec, "", f.j));
    const auto grants = f.all();
    ASSERT_EQ(grants.size(), 1u);
    EXPECT_EQ(grants[0].job, "b");
}

TEST(Dispatch, AJobIsPinnedToTheEngineOfItsFirstChunk) {
    Fleet f;
    f.standard(4);
    f.job("a", 3);
    f.table.pin(*f.table.find("a"), "detect/m@1", "another engine", f.j);
    EXPECT_TRUE(f.all().empty());
    EXPECT_EQ(f.members.missing(f.table.find("a")->spec, f.table.find("a")->engines),
              std::vector<std::string>{"detect/m@1 with another engine"});
}

TEST(Dispatch, DrainingAndUnheardHomesGetNothing) {
    Fleet f;
    f.standard(4);
    f.job("a", 3);
    f.members.find("a")->draining = true;
    EXPECT_TRUE(f.all().empty());
    f.members.find("a")->draining = false;
    f.members.find("a")->listed = false;
    EXPECT_TRUE(f.all().empty());
}

TEST(Dispatch, OneScanAWorkerAndNoMoreJobsThanMayRun) {
    Fleet f;
    f.standard();
    f.limits.running_jobs = 1;
    for (const char* id : {"a", "b"}) {
        schema::JobSpec spec;
        spec.job = id;
        ASSERT_TRUE(f.table.submit(spec, "", f.j));
    }
    const auto grants = f.all();
    ASSERT_EQ(grants.size(), 1u);
    EXPECT_EQ(grants[0].unit, "scan");
    EXPECT_EQ(grants[0].job, "a");
}

TEST(Members, APoolComputesWithOneEngine) {
    Members m;
    schema::Hello h;
    h.worker = "1";
    h.stage = "detect";
    h.pool = "detect/m@1";
    h.endpoints = {"ipc:///x"};
    h.engine = "ort avx512";
    EXPECT_TRUE(m.hello(h, {}, Clock::now()));
    h.worker = "2";
    h.engine = "ort avx2";
    EXPECT_EQ(m.hello(h, {}, Clock::now()).error().code, Errc::conflict);
    h.stage = "ingest";
    h.pool = "ingest";
    EXPECT_EQ(m.hello(h, {"media"}, Clock::now()).error().code, Errc::invalid_argument);
    h.roots = {"media"};
    EXPECT_TRUE(m.hello(h, {"media"}, Clock::now()));
    h.pool = "preprocess";
    EXPECT_FALSE(m.hello(h, {"media"}, Clock::now()));  // a pool of another stage
    h.stage = "nonsense";
    EXPECT_FALSE(m.hello(h, {}, Clock::now()));
}

}  // namespace
}  // namespace sl::broker
