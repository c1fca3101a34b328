// The outbox: each target's own place, lease, filter and bounds; dead letters; what a restart finds.
#include "broker/outbox.hpp"

#include <gmock/gmock.h>

#include "tests/support/job_table_kit.hpp"

namespace sl::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t second = 1'000'000'000, hour = 3600 * second;

schema::Alert alert(const std::string& id, const std::string& kind = "new", float score = 0.9f) {
    schema::Alert a;
    a.alert = id;
    a.stream = a.camera = "gate-1";
    a.rule = "watch";
    a.class_name = "person";
    a.kind = kind;
    a.box.score = score;
    return a;
}

class OutboxTest : public testing::Test {
protected:
    static Kit kit(OutboxOptions options) {
        Kit k(options.targets);
        k.alerts = std::move(options);
        k([&](Journal& j) { k.table.deliver_to(k.alerts, j); });
        return k;
    }
    static Kit kit(const std::vector<std::string>& names) {
        OutboxOptions o;
        for (const auto& name : names) o.targets.push_back({name, "log", {}});
        return kit(o);
    }
    static void record(Kit& k, const schema::Alert& a) {
        k([&](Journal& j) { k.table.record_alert(a, j); });
    }
    static void record(Kit& k, int from, int to) {
        for (int n = from; n <= to; ++n) record(k, alert(std::to_string(n)));
    }
    static void tend(Kit& k, std::int64_t at_ns) {
        k([&](Journal& j) { k.table.outbox().tend(at_ns, j); });
    }
    static std::vector<std::string> ids(const std::vector<schema::Alert>& alerts) {
        std::vector<std::string> out;
        for (const auto& a : alerts) out.push_back(a.alert);
        return out;
    }
    static std::vector<std::string> dead(const Kit& k, const std::string& target = "") {
        std::vector<std::string> out;
        for (const auto* letter : k.table.outbox().dead(target, 1000))
            out.push_back(letter->target + " " + letter->alert.alert + ": " + letter->error);
        return out;
    }
    static std::size_t waiting(Kit& k, const std::string& target) {
        return k.table.outbox().find(target)->waiting.size();
    }
};

TEST_F(OutboxTest, EachTargetHasAPlaceOfItsOwn) {
    Kit k = kit({"fast", "slow"});
    record(k, 1, 3);
    const auto [slow, held] = k.deliver("slow");
    EXPECT_THAT(ids(held), ElementsAre("1", "2", "3"));
    const auto [fast, got] = k.deliver("fast");
    EXPECT_TRUE(k.delivered(fast, 3));
    EXPECT_EQ(waiting(k, "fast"), 0u);
    EXPECT_EQ(waiting(k, "slow"), 3u);
    record(k, 4, 4);
    EXPECT_THAT(ids(k.deliver("fast").second), ElementsAre("4")) << "while the other still has its lease";
    EXPECT_TRUE(k.table.current(slow));

    JobTable again = k.reloaded();
    EXPECT_EQ(again.outbox().find("fast")->waiting.size(), 1u);
    EXPECT_EQ(again.outbox().find("slow")->waiting.size(), 4u);
}

TEST_F(OutboxTest, DeliveredInOrderAndALostLeaseBeginsWithTheFirstUnfinished) {
    Kit k = kit({"log"});
    record(k, 1, 70);
    auto [t, got] = k.deliver();
    EXPECT_EQ(got.size(), 64u) << "no more than a lease holds";
    EXPECT_TRUE(k.delivered(t, 10, false));
    EXPECT_TRUE(k.delivered(t, 10, false)) << "a report may come twice";
    EXPECT_TRUE(k.delivered(t, 7, false)) << "or late";
    EXPECT_TRUE(k.table.current(t));
    EXPECT_EQ(waiting(k, "log"), 60u);
    EXPECT_EQ(k.reloaded().outbox().find("log")->waiting.size(), 60u);
    k([&](Journal& j) { k.table.lost(t, j); });
    EXPECT_EQ(k.delivered(t, 64).error().code, Errc::stale);
    auto [again, rest] = k.deliver();
    EXPECT_EQ(rest.front().alert, "11");
    EXPECT_EQ(rest.size(), 60u);
    EXPECT_TRUE(k.delivered(again, 59)) << "handed back before the last";
    EXPECT_THAT(ids(k.deliver().second), ElementsAre("70"));
    EXPECT_EQ(k.table.outbox().find("log")->counts.sent, 69);
}

TEST_F(OutboxTest, AForgedReportTakesNoMoreThanTheLeaseHas) {
    Kit k = kit({"log"});
    record(k, 1, 2);
    auto [t, got] = k.deliver();
    record(k, 3, 3);
    EXPECT_TRUE(k.delivered(t, 2'000'000'000, true, {{-5, 1, "x"}, {7, 1, "y"}, {1, 2, "no"}}));
    EXPECT_EQ(waiting(k, "log"), 1u);
    EXPECT_THAT(dead(k), ElementsAre("log 2: no"));
}

TEST_F(OutboxTest, FilterIsPerTarget) {
    OutboxOptions o;
    o.targets = {{"all", "log", {}},
                 {"gates", "log", {{}, 0, {"gate-*", "yard"}, {}, {}}},
                 {"dogs", "log", {{"dog"}, 0, {}, {}, {}}},
                 {"ends", "log", {{}, 0, {}, {"watch"}, {"end"}}}};
    Kit k = kit(o);
    record(k, alert("1"));
    auto other = alert("2", "end");
    other.stream = "door";
    other.class_name = "dog";
    record(k, other);
    other = alert("3", "end");
    other.rule = "other";
    record(k, other);
    EXPECT_THAT(ids(k.deliver("all").second), ElementsAre("1", "2", "3"));
    EXPECT_THAT(ids(k.deliver("gates").second), ElementsAre("1", "3"));
    EXPECT_THAT(ids(k.deliver("dogs").second), ElementsAre("2"));
    EXPECT_THAT(ids(k.deliver("ends").second), ElementsAre("2"));
    EXPECT_EQ(k.table.outbox().find("dogs")->counts.filtered, 2);
}

TEST_F(OutboxTest, WhatFollowsInAnIncidentGoesWhereItsBeginningWent) {
    OutboxOptions o;
    o.targets = {{"sure", "log", {{}, 0.5, {}, {}, {}}}};
    Kit k = kit(o);
    record(k, alert("weak", "new", 0.4f));
    record(k, alert("weak", "update", 0.9f));
    record(k, alert("strong", "new", 0.5f));
    record(k, alert("strong", "end", 0.1f));
    record(k, alert("weak", "end", 0.9f));
    EXPECT_THAT(ids(k.deliver("sure").second), ElementsAre("strong", "strong"));
}

TEST_F(OutboxTest, FilteredAlertsMoveTheCursorOfAnIdleTarget) {
    OutboxOptions o;
    o.targets = {{"dogs", "log", {{"dog"}, 0, {}, {}, {}}}};
    Kit k = kit(o);
    record(k, 1, 3);
    tend(k, now_ns());
    k.alerts.targets[0].filter = {};
    EXPECT_EQ(k.reloaded().outbox().undelivered(), 0u) << "a wider filter does not bring back the past";
}

TEST_F(OutboxTest, ANewTargetBeginsNowAndOneThatIsGoneLosesItsPlace) {
    Kit k = kit({"old"});
    record(k, 1, 2);
    k.alerts.targets = {{"new", "log", {}}};
    JobTable next(2, {});
    ASSERT_TRUE(next.load(k.records));
    next.load_undelivered(k.log);
    EXPECT_THAT(k([&](Journal& j) { return next.deliver_to(k.alerts, j); }), ElementsAre("old"));
    EXPECT_EQ(next.outbox().undelivered(), 0u);
    EXPECT_FALSE(k.records["fleet"].contains("delivered/old"));
    EXPECT_TRUE(k.records["fleet"].contains("delivered/new"));
}

TEST_F(OutboxTest, TheOneCursorOfEarlierFleetsIsTakenOver) {
    Kit k = kit({"log"});
    record(k, 1, 3);
    const std::string second_id = k.log[1].id.text();
    k.records["fleet"] = {{"delivered", second_id}};
    JobTable next(2, {});
    ASSERT_TRUE(next.load(k.records));
    next.load_undelivered(k.log);
    EXPECT_THAT(k([&](Journal& j) { return next.deliver_to(k.alerts, j); }), IsEmpty());
    EXPECT_EQ(next.outbox().find("log")->waiting.size(), 1u);
    EXPECT_EQ(k.records["fleet"], (std::map<std::string, std::string>{{"delivered/log", second_id}}));
}

TEST_F(OutboxTest, AnAlertThatOutlivesItsLogEntryIsKeptByItself) {
    Kit k = kit({"log", "away"});
    record(k, 1, 3);
    EXPECT_TRUE(k.delivered(k.deliver("log").first, 3));
    k([&](Journal& j) { k.table.outbox().keep(k.log[1].id, j); });
    EXPECT_EQ(k.records["outbox"].size(), 2u);
    auto log = std::move(k.log);
    k.log = {log[2]};  // trimmed
    EXPECT_EQ(k.reloaded().outbox().find("away")->waiting.size(), 3u);
    k.log = log;  // or not yet
    EXPECT_EQ(k.reloaded().outbox().find("away")->waiting.size(), 3u);
    auto [t, got] = k.deliver("away");
    EXPECT_THAT(ids(got), ElementsAre("1", "2", "3"));
    EXPECT_TRUE(k.delivered(t, 3));
    EXPECT_TRUE(k.records["outbox"].empty());
}

TEST_F(OutboxTest, RefusedAlertsAreDeadLettersUntilAnOperatorSendsThemAgain) {
    Kit k = kit({"log"});
    record(k, 1, 3);
    auto [t, got] = k.deliver();
    EXPECT_TRUE(k.delivered(t, 3, true, {{0, 1, "no"}, {2, 20, "never"}}));
    EXPECT_THAT(dead(k), ElementsAre("log 3: never", "log 1: no"));
    EXPECT_EQ(k.reloaded().outbox().dead_letters(), 2u);
    EXPECT_EQ(k.table.outbox().undelivered(), 0u);

    record(k, 4, 4);
    const auto retry = [&](const std::string& target, const std::string& key = "") {
        return k([&](Journal& j) { return k.table.outbox().retry(target, key, j); });
    };
    EXPECT_EQ(*retry("log", "3:new"), 1u);
    EXPECT_EQ(*retry("log", "3:new"), 0u) << "it is on its way";
    EXPECT_EQ(retry("log", "4:new").error().code, Errc::not_found);
    EXPECT_EQ(retry("other").error().code, Errc::not_found);
    Kit before = k;
    auto [again, both] = k.deliver();
    EXPECT_THAT(ids(both), ElementsAre("3", "4")) << "before what waits";
    EXPECT_TRUE(k.delivered(again, 2));
    EXPECT_THAT(dead(k), ElementsAre("log 1: no"));
    EXPECT_EQ(k.reloaded().outbox().dead_letters(), 1u);
    EXPECT_EQ(before.reloaded().outbox().find("log")->again.size(), 1u) << "kept over a restart";

    EXPECT_EQ(*retry("log"), 1u);
    auto [third, one] = k.deliver();
    EXPECT_TRUE(k.delivered(third, 1, true, {{0, 2, "still no"}}));
    EXPECT_THAT(dead(k), ElementsAre("log 1: still no"));
    EXPECT_EQ(k.table.outbox().dead("log", 1)[0]->attempts, 3);
    EXPECT_FALSE(Outbox::pending(*k.table.outbox().find("log")));
}

TEST_F(OutboxTest, TooManyThatWaitMakeTheOldestThatNobodyHasInHandADeadLetter) {
    OutboxOptions o;
    o.targets = {{"away", "log", {}}, {"here", "log", {}}};
    o.waiting = 3;
    Kit k = kit(o);
    record(k, 1, 2);
    auto [t, held] = k.deliver("away");
    EXPECT_TRUE(k.delivered(k.deliver("here").first, 2));
    record(k, 3, 5);
    EXPECT_EQ(waiting(k, "away"), 3u);
    EXPECT_THAT(dead(k), ElementsAre("away 4: more than 3 alerts waited for it",
                                     "away 3: more than 3 alerts waited for it"));
    EXPECT_TRUE(k.table.current(t));
    EXPECT_TRUE(k.delivered(t, 2));
    EXPECT_THAT(ids(k.deliver("away").second), ElementsAre("5"));
    EXPECT_EQ(k.table.outbox().find("away")->counts.dead, 2);
    EXPECT_EQ(std::count_if(k.log.begin(), k.log.end(), [](const auto& e) { return e.kind == "alert"; }), 5)
        << "the log, and so the audit trail, has all";
    EXPECT_EQ(k.reloaded().outbox().find("away")->waiting.size(), 1u) << "a dead letter does not wait again";
}

TEST_F(OutboxTest, WhatWaitedTooLongIsADeadLetter) {
    OutboxOptions o;
    o.targets = {{"away", "log", {}}};
    o.age_ns = hour;
    Kit k = kit(o);
    record(k, 1, 2);
    tend(k, now_ns() + hour / 2);
    EXPECT_EQ(waiting(k, "away"), 2u);
    auto [t, held] = k.deliver("away");
    tend(k, now_ns() + 2 * hour);
    EXPECT_EQ(waiting(k, "away"), 2u) << "a worker that has it in hand gives it up itself";
    k([&](Journal& j) { k.table.lost(t, j); });
    tend(k, now_ns() + 3 * hour);
    EXPECT_THAT(dead(k), ElementsAre("away 2: it waited for more than 60 min",
                                     "away 1: it waited for more than 60 min"));
    EXPECT_EQ(k.table.outbox().undelivered(), 0u);
    EXPECT_EQ(k.reloaded().outbox().undelivered(), 0u);
}

TEST_F(OutboxTest, DeadLettersAreBoundedByNumberAndAge) {
    OutboxOptions o;
    o.targets = {{"log", "log", {}}};
    o.dead = 2;
    o.dead_ns = hour;
    Kit k = kit(o);
    record(k, 1, 4);
    const auto t = k.deliver().first;
    EXPECT_TRUE(k.delivered(t, 4, true, {{0, 1, "a"}, {1, 1, "b"}, {2, 1, "c"}, {3, 1, "d"}}));
    EXPECT_THAT(dead(k), ElementsAre("log 4: d", "log 3: c"));
    EXPECT_EQ(k.records["dead_letters"].size(), 2u);
    EXPECT_EQ(*k([&](Journal& j) { return k.table.outbox().retry("log", "4:new", j); }), 1u);
    tend(k, now_ns() + 2 * hour);
    EXPECT_THAT(dead(k), ElementsAre("log 4: d")) << "one that is being sent again stays";
}

}  // namespace
}  // namespace sl::broker
