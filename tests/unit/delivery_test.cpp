// When one target's alerts are sent: order, rate, rests, breaker, when one is given up; and a target that was
// down for an hour, by the injected clock.
#include "workers/alert/delivery.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <map>

#include "tests/support/job_table_kit.hpp"

namespace sl::alert {
namespace {

using schema::Alert;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using Fate = Delivery::Fate;

constexpr std::int64_t second = 1'000'000'000, ms = 1'000'000;

// A sink of the test: keeps what it is sent, answers what `answer` says.
struct Receiver {
    std::vector<std::string> got;  // keys
    Result<void> answer;
    int asked = 0;
};
class TestSink final : public Sink {
public:
    explicit TestSink(Receiver& receiver) : receiver_(receiver) {}
    Result<void> send(const Alert& alert) override {
        ++receiver_.asked;
        if (receiver_.answer) receiver_.got.push_back(alert.key());
        return receiver_.answer;
    }

private:
    Receiver& receiver_;
};

Alert alert(const std::string& id, const std::string& kind = "new") {
    Alert a;
    a.alert = id;
    a.kind = kind;
    return a;
}
Target target() {
    Target t;
    t.name = "t";
    t.sink = "test";
    return t;
}

class DeliveryTest : public testing::Test {
protected:
    Delivery open(const Target& t = target()) { return {t, std::make_unique<TestSink>(receiver_), 1}; }
    void break_down(Errc code) { receiver_.answer = Error{code, "no", ""}; }

    Receiver receiver_;
};

TEST_F(DeliveryTest, RateHoldsInAnyMinute) {
    Target few = target();
    few.max_per_minute = 2;
    Delivery d = open(few);
    std::vector<std::int64_t> sent;
    for (std::int64_t t = 0; t <= 150; t += 10)
        if (d.offer(alert(std::to_string(t)), t * second).fate == Fate::sent) sent.push_back(t);
    EXPECT_THAT(sent, ElementsAre(0, 10, 60, 70, 120, 130));
}

TEST_F(DeliveryTest, RateBelowOneAMinute) {
    Target rare = target();
    rare.max_per_minute = 0.5;
    Delivery d = open(rare);
    EXPECT_EQ(d.offer(alert("1"), 0).fate, Fate::sent);
    EXPECT_EQ(d.offer(alert("2"), 119 * second).fate, Fate::limited);
    EXPECT_EQ(d.offer(alert("3"), 120 * second).fate, Fate::sent);
}

TEST_F(DeliveryTest, AnIncidentIsToldWholeOrNotAtAll) {
    Target few = target();
    few.max_per_minute = 1;
    Delivery d = open(few);
    EXPECT_EQ(d.offer(alert("1"), 0).fate, Fate::sent);
    EXPECT_EQ(d.offer(alert("2"), 1).fate, Fate::limited);
    EXPECT_EQ(d.offer(alert("1", "end"), 2).fate, Fate::sent) << "the end costs no rate";
    EXPECT_EQ(d.offer(alert("2", "update"), 70 * second).fate, Fate::limited);
    EXPECT_EQ(d.offer(alert("2", "end"), 71 * second).fate, Fate::limited);
    EXPECT_EQ(d.offer(alert("3"), 72 * second).fate, Fate::sent);
}

TEST_F(DeliveryTest, ARetryPassesNoRateAgain) {
    Target few = target();
    few.max_per_minute = 1;
    Delivery d = open(few);
    break_down(Errc::unavailable);
    EXPECT_EQ(d.offer(alert("1"), 0).fate, Fate::wait);
    receiver_.answer = {};
    EXPECT_EQ(d.offer(alert("1"), second).fate, Fate::sent);
    EXPECT_EQ(d.offer(alert("2"), 2 * second).fate, Fate::limited);
}

TEST_F(DeliveryTest, ATargetThatIsAwayRestsLongerAndLonger) {
    Delivery d = open();
    break_down(Errc::unavailable);
    std::int64_t now = 0;
    std::vector<double> of_whole;
    for (const int whole : {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
        const auto out = d.offer(alert("1"), now);
        ASSERT_EQ(out.fate, Fate::wait);
        EXPECT_TRUE(out.tried);
        of_whole.push_back(double(out.due_ns - now) / double(whole * ms));
        const auto early = d.offer(alert("1"), out.due_ns - 1);
        EXPECT_FALSE(early.tried);
        EXPECT_EQ(early.due_ns, out.due_ns);
        now = out.due_ns;
    }
    EXPECT_THAT(of_whole, Each(AllOf(Ge(0.5), Le(1.0))));
    EXPECT_NE(of_whole[7], of_whole[8]) << "jitter";
    receiver_.answer = {};
    EXPECT_EQ(d.offer(alert("1"), now).fate, Fate::sent);
    break_down(Errc::timeout);
    EXPECT_LE(d.offer(alert("2"), now).due_ns, now + 250 * ms) << "success begins anew";
}

TEST_F(DeliveryTest, BreakerOpensHalfOpensAndCloses) {
    Delivery d = open();
    break_down(Errc::timeout);
    std::int64_t now = 0;
    for (int i = 0; i < 3; ++i) {
        EXPECT_STREQ(d.state(now), "closed");
        now = d.offer(alert("1"), now).due_ns;
    }
    EXPECT_STREQ(d.state(now - 1), "open");
    EXPECT_STREQ(d.state(now), "half_open");
    now = d.offer(alert("1"), now).due_ns;
    EXPECT_STREQ(d.state(now - 1), "open");
    EXPECT_EQ(d.last_error(), "no");
    receiver_.answer = {};
    EXPECT_EQ(d.offer(alert("1"), now).fate, Fate::sent);
    EXPECT_STREQ(d.state(now), "closed");
    EXPECT_EQ(d.last_error(), "");
}

TEST_F(DeliveryTest, ARefusalIsADeadLetterAtOnce) {
    Delivery d = open();
    for (const Errc code : {Errc::invalid_argument, Errc::not_found, Errc::internal, Errc::bad_message}) {
        break_down(code);
        const auto out = d.offer(alert("1"), 0);
        EXPECT_EQ(out.fate, Fate::dead);
        EXPECT_EQ(out.attempts, 1);
        EXPECT_EQ(out.error, "no");
    }
    receiver_.answer = {};
    EXPECT_EQ(d.offer(alert("2"), 0).fate, Fate::sent) << "it does not rest";
}

TEST_F(DeliveryTest, NotNowIsAskedSoManyTimesAndNoMore) {
    Target t = target();
    t.max_attempts = 3;
    Delivery d = open(t);
    break_down(Errc::io);
    std::int64_t now = 0;
    Delivery::Outcome out;
    while ((out = d.offer(alert("1"), now)).fate == Fate::wait) now = out.due_ns;
    EXPECT_EQ(out.fate, Fate::dead);
    EXPECT_EQ(receiver_.asked, 3);
    EXPECT_EQ(d.offer(alert("2"), now).fate, Fate::wait) << "the next begins with none";
}

TEST_F(DeliveryTest, ATargetThatIsAwayIsAskedUntilTheAlertIsTooOld) {
    Target t = target();
    t.max_attempts = 3;
    t.max_age_ns = 3600 * second;
    Delivery d = open(t);
    break_down(Errc::unavailable);
    Alert a = alert("1");
    a.decided_ns = 1000 * second;
    std::int64_t now = a.decided_ns;
    Delivery::Outcome out;
    while ((out = d.offer(a, now)).fate == Fate::wait) now = out.due_ns;
    EXPECT_EQ(out.fate, Fate::dead);
    EXPECT_GT(now, a.decided_ns + 3600 * second);
    EXPECT_GT(out.attempts, 100);
    EXPECT_THAT(out.error, AllOf(HasSubstr("3600 s"), HasSubstr("no")));
}

// The broker's outbox, two targets, alerts each second for two hours. One target is down for an hour.
TEST(Outage, ATargetThatWasDownForAnHourGetsEverythingOnceAndDelaysNoOther) {
    broker::Kit kit({{"down", "test", {}}, {"here", "test", {}}});
    struct Side {
        Receiver receiver;
        std::unique_ptr<Delivery> delivery;
        schema::Token token;
        std::vector<Alert> alerts;
        std::size_t at = 0;
    };
    std::map<std::string, Side> sides;
    for (const char* name : {"down", "here"}) {
        Target t = target();
        t.name = name;
        t.max_age_ns = 24 * 3600 * second;
        sides[name].delivery =
            std::make_unique<Delivery>(t, std::make_unique<TestSink>(sides[name].receiver), 7);
    }
    const auto step = [&](Side& side, const std::string& name, std::int64_t now) {
        if (side.at == side.alerts.size()) {
            if (!broker::Outbox::pending(*kit.table.outbox().find(name))) return false;
            std::tie(side.token, side.alerts) = kit.deliver(name);
            side.at = 0;
        }
        const auto out = side.delivery->offer(side.alerts[side.at], now);
        if (out.fate == Fate::wait) return false;
        EXPECT_EQ(out.fate, Fate::sent) << out.error;
        if (++side.at == side.alerts.size()) EXPECT_TRUE(kit.delivered(side.token, int(side.at)));
        return true;
    };
    constexpr int seconds = 7200;
    std::vector<std::string> all;
    std::int64_t behind = 0;
    for (int t = 1; t <= seconds; ++t) {
        const std::int64_t now = now_ns() + t * second;
        if (t == 600) sides["down"].receiver.answer = Error{Errc::unavailable, "refused", ""};
        if (t == 4200) sides["down"].receiver.answer = {};
        Alert a = alert(std::to_string(t));
        a.camera = a.stream = "cam" + std::to_string(t % 3);
        all.push_back(a.key());
        kit([&](broker::Journal& j) { kit.table.record_alert(a, j); });
        for (auto& [name, side] : sides)
            while (step(side, name, now)) {
            }
        EXPECT_EQ(sides["here"].receiver.got.size(), std::size_t(t)) << "the other is never behind";
        behind = std::max<std::int64_t>(behind, t - std::int64_t(sides["down"].receiver.got.size()));
        if (t == 4231) EXPECT_EQ(sides["down"].receiver.got.size(), std::size_t(t)) << "within its rest";
    }
    EXPECT_GT(behind, 3599);
    EXPECT_EQ(sides["down"].receiver.got, all) << "in order, each once";
    EXPECT_EQ(sides["here"].receiver.got, all);
    EXPECT_LT(sides["down"].receiver.asked, seconds + 300) << "it was asked now and then, no more";
    EXPECT_EQ(kit.table.outbox().dead_letters(), 0u);
    EXPECT_EQ(kit.table.outbox().undelivered(), 0u);
}

}  // namespace
}  // namespace sl::alert
