#include "workers/alert/router.hpp"

#include <gmock/gmock.h>

namespace sl::alert {
namespace {

using schema::Alert;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t second = 1'000'000'000;

// A sink of the test: keeps what it is sent, answers what `answer` says.
struct Receiver {
    std::vector<std::string> got;
    Result<void> answer;
    int asked = 0;
};
std::map<std::string, Receiver> receivers;  // by target name

class TestSink final : public Sink {
public:
    explicit TestSink(Receiver& receiver) : receiver_(receiver) {}
    Result<void> send(const Alert& alert) override {
        ++receiver_.asked;
        if (receiver_.answer) receiver_.got.push_back(alert.alert);
        return receiver_.answer;
    }

private:
    Receiver& receiver_;
};

Result<std::unique_ptr<Sink>> open_test(const Target& target) {
    if (target.options == "bad") return Error{Errc::invalid_argument, "bad options", "mend them"};
    return std::unique_ptr<Sink>(std::make_unique<TestSink>(receivers[target.name]));
}
const SinkPlugin plugin{"test", "for tests", &open_test};
const SinkPlugin* const table[] = {&plugin};

Target target(const std::string& name) {
    return {name, "test", {}, 0, 0, ""};
}
Alert alert(const std::string& id, const std::string& class_name = "person", float score = 0.9f) {
    Alert out;
    out.alert = id;
    out.class_name = class_name;
    out.box.score = score;
    return out;
}

class RouterTest : public testing::Test {
protected:
    RouterTest() { receivers.clear(); }
    static Router open(const std::vector<Target>& targets, int max_attempts = 20) {
        auto router = Router::open(targets, {max_attempts}, table);
        if (!router) throw std::runtime_error(router.error().text());
        return std::move(*router);
    }
    static void break_down(const std::string& name, Errc code) {
        receivers[name].answer = Error{code, "no", ""};
    }
    static Delivery one(Router& router, const Alert& what, std::int64_t now_ns) {
        return router.deliver(std::span(&what, 1), now_ns);
    }
};

TEST_F(RouterTest, EachTargetGetsWhatItAskedFor) {
    Target dogs = target("dogs"), sure = target("sure");
    dogs.classes = {"dog", "cat"};
    sure.min_score = 0.5;
    Router router = open({target("all"), dogs, sure});
    const std::vector<Alert> alerts{alert("1"), alert("2", "dog", 0.3f), alert("3", "cat", 0.5f)};
    const Delivery out = router.deliver(alerts, 0);
    EXPECT_THAT(receivers["all"].got, ElementsAre("1", "2", "3"));
    EXPECT_THAT(receivers["dogs"].got, ElementsAre("2", "3"));
    EXPECT_THAT(receivers["sure"].got, ElementsAre("1", "3"));
    EXPECT_EQ(out.targets.at("all"), (Outcome{3, 0, 0, 0, 0, ""}));
    EXPECT_EQ(out.targets.at("dogs"), (Outcome{2, 1, 0, 0, 0, ""}));
    EXPECT_EQ(out.targets.at("sure"), (Outcome{2, 1, 0, 0, 0, ""}));
    EXPECT_THAT(out.retry, IsEmpty());
}

TEST_F(RouterTest, RateHoldsInAnyMinute) {
    Target few = target("few");
    few.max_per_minute = 2;
    Router router = open({few});
    std::vector<std::int64_t> sent;
    for (std::int64_t t = 0; t <= 150; t += 10)
        if (one(router, alert(std::to_string(t)), t * second).targets.at("few").sent == 1) sent.push_back(t);
    EXPECT_THAT(sent, ElementsAre(0, 10, 60, 70, 120, 130));
}

TEST_F(RouterTest, RateBelowOneAMinute) {
    Target rare = target("rare");
    rare.max_per_minute = 0.5;
    Router router = open({rare});
    EXPECT_EQ(one(router, alert("1"), 0).targets.at("rare").sent, 1);
    EXPECT_EQ(one(router, alert("2"), 119 * second).targets.at("rare").limited, 1);
    EXPECT_EQ(one(router, alert("3"), 120 * second).targets.at("rare").sent, 1);
}

TEST_F(RouterTest, FilteredAlertsCostNoRate) {
    Target few = target("few");
    few.max_per_minute = 1;
    few.classes = {"dog"};
    Router router = open({few});
    EXPECT_EQ(one(router, alert("1"), 0).targets.at("few").filtered, 1);
    EXPECT_EQ(one(router, alert("2", "dog"), 0).targets.at("few").sent, 1);
}

TEST_F(RouterTest, AwayTargetRestsLongerAndLonger) {
    Router router = open({target("away"), target("here")});
    break_down("away", Errc::unavailable);
    Delivery out = one(router, alert("1"), 0);
    EXPECT_EQ(out.targets.at("here").sent, 1) << "the others do not wait";
    std::vector<std::int64_t> rests;
    std::int64_t now = 0;
    for (int i = 0; i < 9; ++i) {
        ASSERT_EQ(out.retry.size(), 1u);
        EXPECT_EQ(out.retry[0].attempts, i + 1);
        EXPECT_EQ(out.targets.at("away").retry, 1);
        rests.push_back((out.retry[0].due_ns - now) / 1'000'000);
        now = out.retry[0].due_ns;
        out = router.deliver(out.retry, now);
    }
    EXPECT_THAT(rests, ElementsAre(250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000));
    receivers["away"].answer = {};
    out = router.deliver(out.retry, out.retry[0].due_ns);
    EXPECT_EQ(out.targets.at("away").sent, 1);
    EXPECT_THAT(receivers["away"].got, ElementsAre("1"));
    break_down("away", Errc::timeout);
    EXPECT_EQ(one(router, alert("2"), now * 2).retry[0].due_ns, now * 2 + 250'000'000)
        << "success begins anew";
}

TEST_F(RouterTest, RestingTargetIsNotAsked) {
    Router router = open({target("away")});
    break_down("away", Errc::io);
    const std::vector<Alert> alerts{alert("1"), alert("2"), alert("3")};
    Delivery out = router.deliver(alerts, 0);
    EXPECT_EQ(receivers["away"].asked, 1);
    EXPECT_EQ(out.targets.at("away").retry, 3);
    EXPECT_EQ(out.retry[1].attempts, 0) << "what was not tried has not failed";
    out = router.deliver(out.retry, 1);
    EXPECT_EQ(receivers["away"].asked, 1) << "not due yet";
    EXPECT_EQ(out.retry.size(), 3u);
    receivers["away"].answer = {};
    out = router.deliver(out.retry, second);
    EXPECT_THAT(receivers["away"].got, ElementsAre("1", "2", "3"));
    EXPECT_THAT(out.retry, IsEmpty());
}

TEST_F(RouterTest, RetriesPassNoRateAgain) {
    Target few = target("few");
    few.max_per_minute = 1;
    Router router = open({few});
    break_down("few", Errc::unavailable);
    Delivery out = one(router, alert("1"), 0);
    receivers["few"].answer = {};
    EXPECT_EQ(router.deliver(out.retry, second).targets.at("few").sent, 1);
    EXPECT_EQ(one(router, alert("2"), 2 * second).targets.at("few").limited, 1);
}

TEST_F(RouterTest, RefusalIsADeadLetterAtOnce) {
    Router router = open({target("strict")});
    for (const Errc code : {Errc::invalid_argument, Errc::not_found, Errc::internal, Errc::bad_message}) {
        break_down("strict", code);
        const Delivery out = one(router, alert("1"), 0);
        EXPECT_EQ(out.targets.at("strict"), (Outcome{0, 0, 0, 0, 1, "no"}));
        EXPECT_THAT(out.retry, IsEmpty());
    }
    receivers["strict"].answer = {};
    EXPECT_EQ(one(router, alert("2"), 0).targets.at("strict").sent, 1) << "it does not rest";
}

TEST_F(RouterTest, AttemptsAreBounded) {
    Router bounded = open({target("away")}, 3);
    break_down("away", Errc::unavailable);
    Delivery out = one(bounded, alert("1"), 0);
    for (std::int64_t now = 100; !out.retry.empty(); now += 100)
        out = bounded.deliver(out.retry, now * second);
    EXPECT_EQ(receivers["away"].asked, 3);
    EXPECT_EQ(out.targets.at("away").dead, 1);

    Router patient = open({target("away")}, 0);
    out = one(patient, alert("1"), 0);
    for (std::int64_t now = 100; now < 10'000; now += 100) out = patient.deliver(out.retry, now * second);
    EXPECT_EQ(out.retry.size(), 1u);
}

TEST_F(RouterTest, RetryOfATargetThatIsGoneIsDead) {
    Router router = open({target("a")});
    const std::vector<Retry> old{{alert("1"), "b", 1, 0}};
    const Delivery out = router.deliver(old, 0);
    EXPECT_EQ(out.targets.at("b").dead, 1);
    EXPECT_EQ(receivers["a"].asked, 0);
}

TEST_F(RouterTest, WrongTargetsAreRefused) {
    Target unknown = target("x"), bad = target("y");
    unknown.sink = "pigeon";
    bad.options = "bad";
    const auto refusal = [](const std::vector<Target>& targets) {
        return Router::open(targets, {}, table).error();
    };
    EXPECT_THAT(refusal({unknown}).text(), HasSubstr("pigeon"));
    EXPECT_THAT(refusal({unknown}).hint, HasSubstr("test"));
    EXPECT_THAT(refusal({target("a"), target("a")}).message, HasSubstr("two of that name"));
    EXPECT_EQ(refusal({bad}).message, "bad options");
    EXPECT_TRUE(Router::open({}));
}

}  // namespace
}  // namespace sl::alert
