// cameras, zones, explain as a shell sees them: what goes to a scripted broker, what comes on stdout, the
// exit status.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "broker/cli/cli.hpp"
#include "common/ids.hpp"
#include "tests/support/fake_broker.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;
using test::FakeBroker;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
    int status = -1;
    std::string out, err;
};

struct CameraCommands : ::testing::Test {
    const std::string dir = ::testing::TempDir() + "cli_cameras_test-" + std::to_string(::getpid());
    json reply;  // to the next requests
    FakeBroker broker{[this](const json&) { return std::optional(reply); }, dir + "/broker", ""};

    CameraCommands() : reply(json::object()) {}
    static void SetUpTestSuite() {
        std::filesystem::create_directories(::testing::TempDir() + "cli_cameras_test-" +
                                            std::to_string(::getpid()));
    }
    static void TearDownTestSuite() {
        std::filesystem::remove_all(::testing::TempDir() + "cli_cameras_test-" + std::to_string(::getpid()));
    }

    Ran command(std::vector<std::string> words) {
        std::ofstream(dir + "/c.yaml") << "{}\n";
        words.insert(words.begin(), "sightline");
        words.insert(words.end(), {"--config", dir + "/c.yaml", "--broker", broker.endpoint()});
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        ::testing::internal::CaptureStdout();
        ::testing::internal::CaptureStderr();
        Ran ran;
        {
            CLI::App app{"test", "sightline"};
            Context context;
            add_global_options(app, context);
            add_client_commands(app, context);
            ran.status = run(app, context, static_cast<int>(argv.size()), argv.data());
        }
        ran.out = ::testing::internal::GetCapturedStdout();
        ran.err = ::testing::internal::GetCapturedStderr();
        return ran;
    }
    json asked() const {
        json last = broker.requests().back();
        last.erase("req");
        return last;
    }
};

TEST_F(CameraCommands, AddSaysWhatWasGivenAndNothingElse) {
    reply = {{"camera", {{"camera", "gate"}, {"revision", 1}, {"waiting_for", {"live/ingest with site=n"}}}}};
    auto ran = command({"cameras", "add", "gate", "rtsp://10.0.0.9/s", "--secret", "gate", "--fps", "2",
                        "--label", "site=n", "--label", "floor=1", "--no-motion", "--set", "confidence=0.4",
                        "--policy", "deadline", "--deadline", "0.5"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    EXPECT_EQ(asked(), json::parse(R"({"type":"camera_set","camera":"gate","url":"rtsp://10.0.0.9/s",
        "create":true,"secret":"gate","fps":2.0,"labels":{"site":"n","floor":"1"},"motion":{"on":false},
        "params":{"confidence":0.4},"policy":"deadline","deadline_s":0.5})"));
    EXPECT_THAT(ran.out, AllOf(HasSubstr("camera gate is registered (revision 1)"),
                               HasSubstr("waits for a worker of live/ingest with site=n")));
    command({"cameras", "set", "gate", "--disable"});
    EXPECT_EQ(asked(),
              json::parse(R"({"type":"camera_set","camera":"gate","create":false,"enabled":false})"));
    command({"cameras", "set", "gate", "--label", "", "--motion-full", "5", "--set", "confidence=null"});
    EXPECT_EQ(asked(), json::parse(R"({"type":"camera_set","camera":"gate","create":false,"labels":{},
        "motion":{"full_every_s":5.0},"params":{"confidence":null}})"));
}

TEST_F(CameraCommands, ZonesOfAFileGoIntoTheParameters) {
    std::ofstream(dir + "/zones.yaml") << "zones:\n  - {name: yard, points: [[0, 0], [1, 0], [1, 1]]}\n"
                                       << "rules:\n  - {name: r, zone: yard}\n";
    auto ran = command({"cameras", "add", "gate", "rtsp://h", "--zones", dir + "/zones.yaml"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    EXPECT_EQ(asked()["params"]["zones"][0]["name"], "yard");
    EXPECT_EQ(asked()["params"]["rules"][0]["zone"], "yard");
    const auto before = broker.requests().size();
    ran = command({"zones", "set", "gate", dir + "/zones.yaml"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    ASSERT_EQ(broker.requests().size(), before + 2);
    EXPECT_EQ(broker.requests()[before]["type"], "zone_set");
    EXPECT_EQ(asked()["type"], "rule_set");
    EXPECT_EQ(asked()["of"], "gate");
    command({"zones", "remove", "gate", "--zone", "yard", "--rule", "r"});
    EXPECT_EQ(broker.requests()[before + 2]["type"], "rule_remove");
    EXPECT_EQ(asked()["type"], "zone_remove");
    ran = command({"zones", "set", "gate", dir + "/none.yaml"});
    EXPECT_EQ(ran.status, exit_not_found);
}

TEST_F(CameraCommands, ListShowsWhoServesThemAndWhatIsWrong) {
    reply = {{"cameras",
              {{{"camera", "gate"},
                {"state", "streaming"},
                {"fps", 4.96},
                {"sampled", 1200},
                {"saving", 0.75},
                {"latency_ms", 41.4},
                {"worker", "W1"},
                {"home", "H1"},
                {"dropped", {{"lost", 3}}},
                {"waiting_for", json::array()}},
               {{"camera", "yard"},
                {"state", "waiting"},
                {"error", "auth_failed"},
                {"message", "401 Unauthorized"},
                {"waiting_for", json::array()}}}}};
    const auto ran = command({"cameras"});
    EXPECT_EQ(ran.status, exit_ok);
    EXPECT_THAT(ran.out, AllOf(HasSubstr("gate"), HasSubstr("5.0"), HasSubstr("75%"), HasSubstr("41 ms"),
                               HasSubstr("W1"), HasSubstr("H1"), HasSubstr("lost 3"),
                               HasSubstr("auth_failed: 401 Unauthorized")));
    EXPECT_EQ(json::parse(command({"cameras", "list", "--json"}).out)["cameras"], reply["cameras"]);
    reply = {{"cameras", json::array()}};
    EXPECT_THAT(command({"cameras", "list"}).out, HasSubstr("no camera is registered"));
}

TEST_F(CameraCommands, RefusalsHaveTheirExitStatus) {
    reply = {{"ok", false}, {"code", "CONFLICT"}, {"message", "there is one"}, {"hint", "set it"}};
    auto ran = command({"cameras", "add", "gate", "rtsp://h"});
    EXPECT_EQ(ran.status, exit_conflict);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("there is one"), HasSubstr("set it")));
    reply["code"] = "NOT_FOUND";
    EXPECT_EQ(command({"cameras", "show", "gate"}).status, exit_not_found);
    EXPECT_EQ(command({"cameras", "remove", "gate"}).status, exit_not_found);
    EXPECT_EQ(command({"explain", "gate"}).status, exit_not_found);
    EXPECT_EQ(command({"cameras", "add", "gate"}).status, exit_usage);
    EXPECT_EQ(command({"cameras", "set", "gate", "--transport", "pigeon"}).status, exit_usage);
}

TEST_F(CameraCommands, ExplainPrintsDecisionsAndWhereTheLogBegins) {
    reply = {{"tracks",
              {{{"track", 7},
                {"class_name", "person"},
                {"from_ns", 1'000'000'000},
                {"to_ns", 3'500'000'000},
                {"decisions", {"seen at 0.62", "14 px outside of yard"}}},
               {{"track", 8}, {"class_name", "car"}, {"decisions", json::array()}}}},
             {"since_ns", now_ns()}};
    auto ran = command({"explain", "gate", "--since", "30m", "--track", "7"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    EXPECT_THAT(ran.out, AllOf(HasSubstr("track 7  person"), HasSubstr("2.5 s"),
                               HasSubstr("14 px outside of yard"), Not(HasSubstr("track 8"))));
    const json ask = asked();
    EXPECT_EQ(ask["to_ns"].get<std::int64_t>() - ask["from_ns"].get<std::int64_t>(), 1'800'000'000'000);
    reply["since_ns"] = 0;
    EXPECT_THAT(command({"explain", "gate"}).out, Not(HasSubstr("is kept since")));
    EXPECT_EQ(command({"explain", "gate", "--since", "soon"}).status, exit_usage);
}

}  // namespace
}  // namespace sl::cli
