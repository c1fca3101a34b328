// Who gets what next: priority, fairness, turns, the reserved slot, credit, pools without workers.
#include "broker/dispatch.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sl::broker {
namespace {

class Fleet {
public:
    std::vector<schema::Token> held;  // chunks that are leased
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
    void job(const std::string& id, int chunks, int priority = 0, const std::string& tenant = "") {
        schema::JobSpec spec;
        spec.job = id;
        spec.priority = priority;
        spec.tenant = tenant;
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
        Dispatch dispatch(table, members, limits, Clock::now());
        while (const auto g = dispatch.next()) {
            out.push_back(*g);
            if (g->unit == "chunk") {
                const auto t = table.lease_chunk(*table.find(g->job), g->stream, g->seq, g->worker, j);
                members.find(g->worker)->slots[t] = 1;
                held.push_back(t);
            } else if (g->unit == "scan") {
                table.lease_scan(*table.find(g->job), g->worker, j);
            } else {
                break;
            }
            if (out.size() > 1000) break;
        }
        return out;
    }
    // The held chunk at this place is finished; earlier ones of its stream are, or are not.
    void finish(std::size_t i) {
        const auto t = held[i];
        held.erase(held.begin() + std::ptrdiff_t(i));
        members.find("a")->slots.erase(t);
        Job& job = *table.find(t.job);
        (void)table.gathered(t, schema::encode(schema::Detections{}), j);
        // Its turn has come when the earlier ones have stepped; here they step without waiting to be done.
        for (std::int64_t k = job.streams[0].next; k <= t.seq; ++k) {
            const auto& c = job.streams[0].chunks[std::size_t(k)];
            (void)table.gathered(c.token, schema::encode(schema::Detections{}), j);
            schema::StreamState s;
            s.detected = k + 1;
            ASSERT_TRUE(table.step(c.token, schema::encode(s), {}, j));
        }
        ASSERT_TRUE(table.done(t, {}, {}, j));
        j = {};
    }
    std::int64_t finished(const std::string& id) { return table.find(id)->done(); }
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

TEST(Dispatch, OfTenEqualJobsFinishedChunksNeverDifferByMoreThanTwo) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 rng(seed);
        Fleet f;
        f.standard(int(2 + seed % 16));
        std::vector<std::string> ids;
        for (int i = 0; i < 10; ++i) {
            ids.push_back("job" + std::to_string(i));
            f.job(ids.back(), 30);
        }
        f.all();
        std::int64_t most = 0, least = 0;
        while (least < 28) {
            ASSERT_FALSE(f.held.empty()) << "seed " << seed << " stands still at " << least;
            f.finish(rng() % f.held.size());
            f.all();
            most = 0, least = 99;
            for (const auto& id : ids) {
                most = std::max(most, f.finished(id));
                least = std::min(least, f.finished(id));
            }
            ASSERT_LE(most - least, 2) << "seed " << seed;
        }
    }
}

TEST(Dispatch, TenantsShareAndNotTheirJobs) {
    std::mt19937 rng(1);
    Fleet f;
    f.standard(8);
    f.job("alone", 200, 0, "small");
    for (int i = 0; i < 9; ++i) f.job("job" + std::to_string(i), 200, 0, "large");
    f.all();
    while (f.finished("alone") < 90) {
        ASSERT_FALSE(f.held.empty());
        f.finish(rng() % f.held.size());
        f.all();
    }
    std::int64_t large = 0;
    for (int i = 0; i < 9; ++i) large += f.finished("job" + std::to_string(i));
    // Not nine times as much. (A last free slot goes to a turn chunk, of which nine jobs have more than one.)
    EXPECT_GT(large, 45);
    EXPECT_LT(large, 200);
}

TEST(Dispatch, WhoComesLaterIsNotOwedWhatOthersHad) {
    Fleet f;
    f.standard(4);
    f.job("old", 100);
    f.all();
    while (f.finished("old") < 40) {
        f.finish(0);
        f.all();
    }
    f.job("new", 100);
    const auto before = f.finished("old");
    for (int i = 0; i < 40; ++i) {
        f.all();
        f.finish(0);
    }
    EXPECT_GE(f.finished("old") - before, 17);
    EXPECT_GE(f.finished("new"), 17);
}

TEST(Dispatch, TwoJobsUseEverySlotOfALargeFleet) {
    Fleet f;
    f.standard(15);
    f.job("a", 50);
    f.job("b", 50);
    EXPECT_EQ(f.all().size(), 14u);  // the last one is for a turn chunk
}

TEST(Dispatch, AJobThatRestsHoldsNobodyUp) {
    Fleet f;
    f.standard(4);
    f.job("a", 50);
    f.job("b", 50);
    f.all();
    const auto t = *std::find_if(f.held.begin(), f.held.end(), [](const auto& x) { return x.job == "a"; });
    for (int i = 0; i < 4; ++i)
        ASSERT_TRUE(f.table.strike(t, "detect", {{0, 0}}, "signal 11", "w" + std::to_string(i), f.j));
    for (int i = 0; i < 10; ++i) {
        const auto b = std::find_if(f.held.begin(), f.held.end(), [](const auto& x) { return x.job == "b"; });
        ASSERT_NE(b, f.held.end()) << i;
        f.finish(std::size_t(b - f.held.begin()));
        f.all();
    }
    EXPECT_EQ(f.finished("b"), 10);
}

TEST(Dispatch, ARestingChunkIsNotLeased) {
    Fleet f;
    f.standard(4);
    f.job("a", 1);
    f.all();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(f.table.fail(f.held[0], "UNAVAILABLE", "no space", f.j));
        f.members.find("a")->slots.clear();
        f.held.clear();
        EXPECT_TRUE(f.all().empty());
        f.table.find("a")->streams[0].chunks[0].trouble.not_before = {};
        EXPECT_EQ(f.all().size(), 1u);
    }
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
