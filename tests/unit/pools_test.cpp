// The breaker of a pool, and its reload, by an injected clock.
#include "broker/pools.hpp"

#include <gtest/gtest.h>

namespace sl::broker {
namespace {

using namespace std::chrono_literals;

class PoolsTest : public ::testing::Test {
protected:
    Pools pools;
    Members members;
    Clock::time_point now = Clock::now();

    void fail(int chunk) { pools.failed("detect/m@1", {"job", "chunk", 0, chunk, 1, 1}, "no engine", now); }
    bool open() { return pools.open(now).contains("detect/m@1"); }
    void join(const std::string& id) {
        schema::Hello h;
        h.worker = id;
        h.stage = "detect";
        h.pool = "detect/m@1";
        h.endpoints = {"ipc:///x"};
        ASSERT_TRUE(members.hello(h, {}, now));
    }
};

TEST_F(PoolsTest, OpensAfterFiveDifferentChunksInARowAndRestsLongerEachTime) {
    for (int i = 0; i < 10; ++i) fail(0);  // one bad chunk is the chunk's own business
    EXPECT_FALSE(open());
    for (int i = 1; i < 4; ++i) fail(i);
    EXPECT_FALSE(open());
    fail(4);
    EXPECT_TRUE(open());
    EXPECT_STREQ(pools.state("detect/m@1", members, now), "open");
    EXPECT_EQ(pools.last_error("detect/m@1"), "no engine");
    now += 501ms;
    EXPECT_FALSE(open());  // tried again
    fail(5);
    EXPECT_TRUE(open());
    now += 501ms;
    EXPECT_TRUE(open());  // a second this time
    now += 500ms;
    EXPECT_FALSE(open());
    for (int i = 0; i < 20; ++i) {
        fail(6);
        now += 31s;  // never longer than thirty seconds
        EXPECT_FALSE(open());
    }
    pools.worked("detect/m@1");
    fail(7);
    EXPECT_FALSE(open());
}

TEST_F(PoolsTest, AnOpenPoolIsAsIfNobodyServedIt) {
    join("a");
    EXPECT_TRUE(members.serves("detect/m@1"));
    members.open_pools = {"detect/m@1"};
    EXPECT_FALSE(members.serves("detect/m@1"));
}

TEST_F(PoolsTest, ReloadsOneWorkerAfterTheOther) {
    EXPECT_EQ(pools.reload("detect/m@1", 1000, members, now).error().code, Errc::not_found);
    join("a");
    join("b");
    ASSERT_EQ(pools.reload("detect/m@1", 1000, members, now)->size(), 2u);
    EXPECT_EQ(pools.reload("detect/m@1", 1000, members, now).error().code, Errc::conflict);
    auto due = pools.due(members, now);
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0].worker, "a");
    EXPECT_EQ(due[0].message.deadline_ms, 1000);
    EXPECT_TRUE(pools.due(members, now).empty());
    members.erase("a", now);
    EXPECT_TRUE(pools.due(members, now).empty());  // not back yet: the pool never has two away
    join("a2");
    due = pools.due(members, now);
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0].worker, "b");
    members.erase("b", now);
    join("b2");
    EXPECT_TRUE(pools.due(members, now).empty());
    EXPECT_STREQ(pools.state("detect/m@1", members, now), "ready");
}

TEST_F(PoolsTest, AReloadEndsWithTheWorkerThatRefusesOrStaysAway) {
    join("a");
    ASSERT_TRUE(pools.reload("detect/m@1", 1000, members, now));
    pools.due(members, now);
    pools.refused("detect/m@1", "a", "line 7: no such key");
    EXPECT_FALSE(pools.reloading("detect/m@1"));
    EXPECT_NE(pools.last_error("detect/m@1").find("line 7"), std::string::npos);
    ASSERT_TRUE(pools.reload("detect/m@1", 1000, members, now));
    pools.due(members, now);
    members.erase("a", now);
    now += 32s;
    EXPECT_TRUE(pools.due(members, now).empty());
    EXPECT_FALSE(pools.reloading("detect/m@1"));
    EXPECT_NE(pools.last_error("detect/m@1").find("did not come back"), std::string::npos);
}

}  // namespace
}  // namespace sl::broker
