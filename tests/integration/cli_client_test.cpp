// The client of the broker, against a scripted one:  client (DEALER) → ROUTER | events (SUB) ← XPUB
// What the network may do to it: nobody there, an answer lost, a broker that dies, another protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/cli/client.hpp"
#include "broker/cli/events.hpp"
#include "tests/support/fake_broker.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using test::FakeBroker;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr milliseconds patient{20000};

TEST(Client, ReplyComesBack) {
    FakeBroker broker([](const json& ask) { return json{{"echo", ask.at("text")}}; });
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, patient});
    const auto reply = client.request({{"type", "ping"}, {"text", "hé"}});
    ASSERT_TRUE(reply) << reply.error().text();
    EXPECT_EQ((*reply)["echo"], "hé");
}

TEST(Client, LostAnswerIsAskedForAgainUnderTheSameName) {
    std::atomic<int> asked = 0;
    FakeBroker broker(
        [&](const json&) { return ++asked == 1 ? std::nullopt : std::optional(json::object()); });
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, patient, milliseconds(50)});
    ASSERT_TRUE(client.request({{"type", "submit"}, {"key", "k"}}));
    const auto requests = broker.requests();
    ASSERT_GE(requests.size(), 2u);
    EXPECT_EQ(requests[0], requests[1]);
}

TEST(Client, AnswersToEarlierRequestsArePassedOver) {
    FakeBroker broker([](const json& ask) {
        return ask.at("type") == "late" ? json{{"req", "another"}} : json{{"for", ask.at("type")}};
    });
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, milliseconds(300), milliseconds(100)});
    EXPECT_EQ(client.request({{"type", "late"}}).error().code, Errc::unavailable);
    EXPECT_EQ((*client.request({{"type", "ping"}}))["for"], "ping");
}

TEST(Client, RefusalKeepsCodeMessageAndHint) {
    FakeBroker broker([](const json&) {
        return json{
            {"ok", false}, {"code", "NOT_FOUND"}, {"message", "there is no job x"}, {"hint", "see jobs"}};
    });
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, patient});
    const auto reply = client.request({{"type", "job"}, {"job", "x"}});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Errc::not_found);
    EXPECT_EQ(reply.error().text(), "there is no job x; see jobs");
}

TEST(Client, FullQueueIsUnavailableAndSaysWhenToComeBack) {
    const Error error = refusal({{"code", "ADMISSION_REJECT"}, {"message", "full"}, {"retry_after_s", 2.5}});
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_EQ(error.hint, "try again in 3 s");
}

TEST(Client, NobodyThereIsSaidWithTheEndpoint) {
    zmq::context_t context;
    Client client(context, {{"ipc:///nonexistent/broker"}, milliseconds(200), milliseconds(50)});
    const auto reply = client.request({{"type", "ping"}});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Errc::unavailable);
    EXPECT_THAT(reply.error().text(), AllOf(HasSubstr("ipc:///nonexistent/broker: nobody listens there"),
                                            HasSubstr("sightline up")));
}

TEST(Client, NextEndpointIsTriedWhenOneIsSilent) {
    FakeBroker broker([](const json&) { return json::object(); });
    zmq::context_t context;
    Client client(context, {{"ipc:///nonexistent/broker", broker.endpoint()}, patient, milliseconds(50)});
    EXPECT_TRUE(client.request({{"type", "ping"}}));
}

TEST(Client, AnotherProtocolIsNamed) {
    FakeBroker broker([](const json&) { return json::object(); });
    broker.protocol = "SL9";
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, patient});
    EXPECT_EQ(client.request({{"type", "ping"}}).error().code, Errc::unsupported_version);
}

json event(const std::string& id, int n) {
    return {{"id", id}, {"kind", "alert"}, {"body", {{"n", n}}}};
}

std::vector<int> take(Events& events, std::size_t count) {
    std::vector<int> out;
    while (out.size() < count) {
        auto next = events.next(patient);
        if (!next || !*next) break;
        out.push_back((**next)["body"]["n"]);
    }
    return out;
}

TEST(Events, StartWaitsForTheWelcomeAndThenMissesNothing) {
    FakeBroker broker([](const json&) { return json::object(); });
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, patient});
    Events events(client, {"alert.", "job.x."});
    ASSERT_TRUE(events.start(patient));
    broker.publish("alert.a", event("1-11", 1));
    broker.publish("job.y.state", event("1-12", 2));  // not ours
    broker.publish("job.x.state", event("1-13", 3));
    EXPECT_THAT(take(events, 2), ElementsAre(1, 3));
}

TEST(Events, DoublesAreDroppedPerTopic) {
    FakeBroker broker([](const json&) { return json::object(); });
    zmq::context_t context;
    Client client(context, {{broker.endpoint()}, patient});
    Events events(client, {"alert."});
    ASSERT_TRUE(events.start(patient));
    for (const auto& [topic, id, n] :
         std::vector<std::tuple<std::string, std::string, int>>{{"alert.a", "1-9", 1},
                                                                {"alert.a", "1-10", 2},
                                                                {"alert.b", "1-8", 3},
                                                                {"alert.a", "1-9", 4},
                                                                {"alert.a", "2-1", 5}})
        broker.publish(topic, event(id, n));
    EXPECT_THAT(take(events, 4), ElementsAre(1, 2, 3, 5));
}

TEST(Events, NoWelcomeIsAnError) {
    zmq::context_t context;
    Client client(context, {{"ipc:///nonexistent/broker"}, patient});
    Events events(client, {"alert."});
    const auto ok = events.start(milliseconds(100));
    ASSERT_FALSE(ok);
    EXPECT_EQ(ok.error().code, Errc::unavailable);
}

TEST(Events, WhatABrokenConnectionMissedComesFromTheLog) {
    const auto log = [](const json& ask) -> std::optional<json> {
        json entries = json::array();
        if (ask.value("since", "") == "1-11")
            for (int n = 2; n <= 3; ++n) {
                entries.push_back(event("1-1" + std::to_string(n), n));
                entries.back()["topic"] = "alert.a";
            }
        return json{{"entries", entries}};
    };
    zmq::context_t context;
    std::optional<FakeBroker> broker(std::in_place, log);
    Client client(context, {{broker->endpoint()}, patient, milliseconds(100)});
    Events events(client, {"alert."});
    ASSERT_TRUE(events.start(patient));
    broker->publish("alert.a", event("1-11", 1));
    EXPECT_THAT(take(events, 1), ElementsAre(1));
    broker.reset();
    broker.emplace(log);  // events 2 and 3 were published to nobody
    EXPECT_THAT(take(events, 2), ElementsAre(2, 3));
    broker->publish("alert.a", event("1-13", 3));  // comes twice
    broker->publish("alert.a", event("1-14", 4));
    EXPECT_THAT(take(events, 1), ElementsAre(4));
}

// A standby takes over while the old leader is still connected, and publishes before its welcome comes.
TEST(Events, WhatANewLeaderSaysBeforeItsWelcomeWaitsForTheLog) {
    const auto path = (std::filesystem::temp_directory_path() / "broker").string();
    FakeBroker first([](const json&) -> std::optional<json> { return std::nullopt; });
    zmq::context_t context;
    const std::string second_path = path + std::to_string(::getpid()) + "b";
    Client client(context, {{first.endpoint(), "ipc://" + second_path}, patient, milliseconds(50)});
    Events events(client, {"alert."});
    ASSERT_TRUE(events.start(patient));
    first.publish("alert.a", event("1-11", 1));
    EXPECT_THAT(take(events, 1), ElementsAre(1));
    FakeBroker second(
        [&](const json& ask) -> std::optional<json> {
            EXPECT_EQ(ask["since"], "1-11");
            json missed = event("1-12", 2), early = event("2-1", 3);
            missed["topic"] = early["topic"] = "alert.a";
            return json{{"entries", {missed, early}}};
        },
        second_path, "");
    second.before_welcome = event("2-1", 3);
    second.before_welcome["topic"] = "alert.a";
    EXPECT_THAT(take(events, 2), ElementsAre(2, 3));
}

TEST(Client, SeveralEndpointsOneLeaderAndItMoves) {
    const auto path =
        (std::filesystem::temp_directory_path() / "broker").string() + std::to_string(::getpid());
    zmq::context_t context;
    Client client(context, {{"ipc://" + path + "x", "ipc://" + path + "y"}, patient});
    const auto said = [](const char* name) {
        return [=](const json&) { return std::optional(json{{"by", name}}); };
    };
    std::optional<FakeBroker> x(std::in_place, said("x"), path, "x");
    for (int i = 0; i < 3; ++i) EXPECT_EQ((*client.request({{"type", "ping"}}))["by"], "x");
    x.reset();
    FakeBroker y(said("y"), path, "y");
    for (int i = 0; i < 3; ++i) EXPECT_EQ((*client.request({{"type", "ping"}}))["by"], "y");
}

}  // namespace
}  // namespace sl::cli
