// Commands as a shell sees them: what goes to a scripted broker, what comes on stdout, the exit status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "broker/cli/cli.hpp"
#include "broker/cli/location.hpp"
#include "broker/cli/process.hpp"
#include "broker/cli/progress.hpp"
#include "common/yaml.hpp"
#include "tests/support/fake_broker.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;
using test::FakeBroker;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ran {
    int status = -1;
    std::string out, err;
};

struct Commands : ::testing::Test {
    const std::string dir = ::testing::TempDir() + "cli_commands_test";
    std::string config;

    void SetUp() override {
        std::filesystem::create_directories(dir + "/media/cam 1");
        std::ofstream(dir + "/media/cam 1/a.mp4") << "x";
        std::ofstream(dir + "/outside.mp4") << "x";
        config = dir + "/c.yaml";
        std::ofstream(config) << "roots: {media: " << dir << "/media, deep: \"" << dir << "/media/cam 1\"}\n";
    }
    void TearDown() override { std::filesystem::remove_all(dir); }

    Ran command(std::vector<std::string> words) const {
        words.insert(words.begin(), "sightline");
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
            add_fleet_commands(app, context);
            ran.status = run(app, context, static_cast<int>(argv.size()), argv.data());
        }
        ran.out = ::testing::internal::GetCapturedStdout();
        ran.err = ::testing::internal::GetCapturedStderr();
        return ran;
    }
    Ran command_at(const FakeBroker& broker, std::vector<std::string> words) const {
        words.insert(words.end(), {"--config", config, "--broker", broker.endpoint()});
        return command(words);
    }
};

json job_in(const std::string& state) {
    return {{"job", "J1"},
            {"state", state},
            {"frames_done", 10},
            {"frames_total", 10},
            {"output", {{"root", "media"}, {"path", "out"}}}};
}

TEST_F(Commands, SubmitNamesFilesByTheDeepestRootAndTypesTheParameters) {
    FakeBroker broker([](const json& ask) -> json {
        if (ask["type"] == "ping") return {{"events_last", "1-1"}};
        return {{"job", "J1"}, {"state", "queued"}, {"queue_position", 2}};
    });
    const auto ran =
        command_at(broker, {"submit", dir + "/media/cam 1/a.mp4", "elsewhere:b/c.mp4", "--preset", "people",
                            "--set", "detect.confidence=0.4", "--set", "classes=person,car", "--set",
                            "exporters=[\"csv\"]", "--tag", "site=north", "--tag", "x", "--json"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    EXPECT_EQ(json::parse(ran.out), (json{{"job", "J1"}, {"state", "queued"}, {"queue_position", 2}}));
    const json ask = broker.requests().back();
    EXPECT_EQ(ask["inputs"],
              json::parse(R"([{"root":"deep","path":"a.mp4"},{"root":"elsewhere","path":"b/c.mp4"}])"));
    EXPECT_EQ(ask["params"],
              json::parse(R"({"detect.confidence":0.4,"classes":"person,car","exporters":["csv"]})"));
    EXPECT_EQ(ask["tags"], json::parse(R"({"site":"north","x":""})"));
    EXPECT_EQ(ask["preset"], "people");
    EXPECT_FALSE(ask["key"].get<std::string>().empty());
}

TEST_F(Commands, SubmitRefusesWhatLiesOutsideTheRootsAndWhatIsNotThere) {
    FakeBroker broker([](const json&) { return json::object(); });
    auto ran = command_at(broker, {"submit", dir + "/outside.mp4"});
    EXPECT_EQ(ran.status, exit_usage);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("outside.mp4"), HasSubstr("media = " + dir + "/media")));
    ran = command_at(broker, {"submit", dir + "/none.mp4", "--json"});
    EXPECT_EQ(ran.status, exit_not_found);
    EXPECT_EQ(json::parse(ran.out)["error"]["code"], "NOT_FOUND");
    EXPECT_TRUE(broker.requests().empty());
}

TEST_F(Commands, SubmitReadsRulesFromAFile) {
    FakeBroker broker([](const json&) { return json{{"job", "J1"}}; });
    std::ofstream(dir + "/rules.yaml") << "rules:\n  - {name: car, classes: [car], min_score: 0.6}\n";
    command_at(broker, {"submit", "media:a.mp4", "--rules", dir + "/rules.yaml"});
    EXPECT_EQ(broker.requests().back()["params"]["rules"],
              json::parse(R"([{"name":"car","classes":["car"],"min_score":0.6}])"));
}

struct End {
    const char* state;
    json error;
    int status;
};
struct WaitEnds : Commands, ::testing::WithParamInterface<End> {};

TEST_P(WaitEnds, WithTheJobsStatus) {
    FakeBroker* peer = nullptr;
    std::atomic<int> asked = 0;
    FakeBroker broker([&](const json& ask) -> json {
        if (ask["type"] == "ping") return {{"events_last", "1-1"}};
        if (ask["type"] == "submit") return {{"job", "J1"}, {"state", "queued"}};
        if (ask["type"] == "log") return {{"entries", json::array()}};
        if (++asked == 1) {  // the snapshot after the welcome: then the story goes on as events
            peer->publish("job.J1.state", {{"id", "1-11"}, {"kind", "job.started"}, {"job", "J1"}});
            peer->publish("alert.a.mp4", {{"id", "1-12"},
                                          {"kind", "alert"},
                                          {"job", "J1"},
                                          {"body", {{"rule", "person"}, {"stream", "a.mp4"}}}});
            peer->publish("alert.b.mp4",
                          {{"id", "1-13"}, {"kind", "alert"}, {"job", "J2"}, {"body", {{"rule", "other"}}}});
            peer->publish("job.J1.state",
                          {{"id", "1-14"}, {"kind", std::string("job.") + GetParam().state}, {"job", "J1"}});
            return {{"job", job_in("queued")}};
        }
        json job = job_in(GetParam().state);
        if (!GetParam().error.is_null()) job["error"] = GetParam().error;
        return {{"job", job}};
    });
    peer = &broker;
    const auto ran = command_at(broker, {"submit", "media:a.mp4", "--watch", "--json"});
    EXPECT_EQ(ran.status, GetParam().status) << ran.err;
    std::vector<std::string> kinds;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) kinds.push_back(json::parse(line).at("kind"));
    EXPECT_THAT(kinds, ElementsAre("submitted", "job.started", "alert",
                                   std::string("job.") + GetParam().state, "job"));
}
INSTANTIATE_TEST_SUITE_P(Each, WaitEnds,
                         ::testing::Values(End{"succeeded", nullptr, exit_ok},
                                           End{"failed", {{"code", "INTERNAL"}}, exit_job_failed},
                                           End{"failed", {{"code", "BAD_MEDIA"}}, exit_bad_media},
                                           End{"canceled", nullptr, exit_canceled}));

TEST_F(Commands, WatchOfAnEndedJobEndsAtOnce) {
    FakeBroker broker([](const json&) { return json{{"job", job_in("succeeded")}}; });
    const auto ran = command_at(broker, {"watch", "J1"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    EXPECT_THAT(ran.out, AllOf(HasSubstr("succeeded"), HasSubstr(dir + "/media/out/J1")));
}

TEST_F(Commands, WaitingTooLongIsATimeout) {
    FakeBroker broker([](const json&) { return json{{"job", job_in("running")}}; });
    const auto ran = command_at(broker, {"watch", "J1", "--limit", "0.2"});
    EXPECT_EQ(ran.status, exit_timeout);
    EXPECT_THAT(ran.err, HasSubstr("job J1 has not ended in time"));
}

TEST_F(Commands, ArtifactsAreNamedOnThisMachine) {
    FakeBroker broker([](const json&) {
        return json{
            {"root", "media"},
            {"path", "out/J1"},
            {"manifest",
             {{"outputs", {{"a.mp4", {{{"role", "annotated_video"}, {"path", "a.mp4/video.mp4"}}}}}}}}};
    });
    EXPECT_THAT(command_at(broker, {"artifacts", "J1"}).out,
                HasSubstr(dir + "/media/out/J1/a.mp4/video.mp4"));
    EXPECT_EQ(json::parse(command_at(broker, {"artifacts", "J1", "--json"}).out)["folder"],
              dir + "/media/out/J1");
}

TEST_F(Commands, LogsPrintWhatWasKeptEachOnce) {
    FakeBroker broker([](const json& ask) -> json {
        EXPECT_EQ(ask["topics"], json::parse(R"(["job.J1.","alert."])"));
        json mine{{"id", "1-1"}, {"topic", "job.J1.state"}, {"kind", "job.queued"}, {"job", "J1"}};
        json other{{"id", "1-2"}, {"topic", "alert.x"}, {"kind", "alert"}, {"job", "J2"}};
        return {{"entries", {mine, other, mine}}};
    });
    const auto ran = command_at(broker, {"logs", "J1", "--json"});
    EXPECT_EQ(ran.status, exit_ok);
    EXPECT_EQ(json::parse(ran.out)["id"], "1-1");
}

TEST_F(Commands, UnreachableBrokerWrongConfigurationAndWrongUsageDiffer) {
    EXPECT_EQ(command({"jobs", "--broker", "ipc:///nonexistent/b", "--timeout", "0.2"}).status,
              exit_unavailable);
    EXPECT_EQ(command({"jobs", "--config", dir + "/none.yaml"}).status, exit_usage);
    EXPECT_EQ(command({"jobs", "--state", "sleeping"}).status, exit_usage);
    EXPECT_EQ(command({"jbos"}).status, exit_usage);
    EXPECT_EQ(command({"down", "--state", dir + "/nofleet"}).status, exit_not_found);
    EXPECT_EQ(command({"models", "pull", "yolox_nan"}).status, exit_not_found);
    EXPECT_EQ(command({"--help"}).status, exit_ok);
}

TEST_F(Commands, EveryCommandHasHelpWithAnExample) {
    for (const char* name : {"submit", "jobs",   "job",       "watch",   "logs",   "cancel",   "artifacts",
                             "alerts", "pools",  "pipelines", "presets", "models", "doctor",   "up",
                             "down",   "status", "retry",     "health",  "scale",  "supervise"})
        EXPECT_THAT(command({name, "--help"}).out,
                    AllOf(HasSubstr("xample"), HasSubstr("sightline " + std::string(name))))
            << name;
}

TEST_F(Commands, JobsThatEndedAreForgottenOneByOneOrByAge) {
    FakeBroker broker([](const json& ask) -> json {
        if (ask["type"] == "prune") return {{"jobs", {"J1", "J2"}}};
        if (ask["job"] == "J3")
            return {{"ok", false}, {"code", "CONFLICT"}, {"message", "job J3 has not ended"}};
        return json::object();
    });
    auto ran = command_at(broker, {"jobs", "rm", "J1", "J3", "--results"});
    EXPECT_EQ(ran.status, exit_conflict);
    EXPECT_EQ(ran.out, "job J1 is being removed\n");
    EXPECT_TRUE(broker.requests().front()["results"]);
    ran = command_at(broker,
                     {"jobs", "prune", "--older-than", "7d", "--state", "failed", "--dry-run", "--json"});
    EXPECT_EQ(json::parse(ran.out), (json{{"jobs", {"J1", "J2"}}, {"dry_run", true}}));
    const json ask = broker.requests().back();
    EXPECT_EQ(ask["older_than_s"], 604800);
    EXPECT_EQ(ask["state"], "failed");
    EXPECT_TRUE(ask["dry_run"]);
    EXPECT_EQ(command_at(broker, {"jobs", "prune", "--older-than", "a week"}).status, exit_usage);
}

TEST_F(Commands, HealthIsTheExitStatus) {
    std::atomic<bool> ready = true;
    FakeBroker broker([&](const json&) {
        return json{{"ready", ready.load()},
                    {"parts", {{{"name", "store"}, {"ok", ready.load()}, {"detail", "Redis is away"}}}},
                    {"retained", {{"jobs", 7}}},
                    {"last_error", "disk full"}};
    });
    auto ran = command_at(broker, {"health"});
    EXPECT_EQ(ran.status, exit_ok);
    EXPECT_THAT(ran.out, AllOf(HasSubstr("ready\n"), HasSubstr("jobs 7"), HasSubstr("last error disk full")));
    ready = false;
    ran = command_at(broker, {"health"});
    EXPECT_EQ(ran.status, exit_unavailable);
    EXPECT_THAT(ran.out, AllOf(HasSubstr("not ready"), HasSubstr("Redis is away")));
    EXPECT_FALSE(json::parse(command_at(broker, {"health", "--json"}).out)["ready"]);
}

TEST_F(Commands, DrainNamesAPoolOrAWorkerAndWaitsUntilTheyAreGone) {
    std::atomic<int> looks = 0;
    const std::string worker = "01HX3W5T9Q2Z8Y6V4B7N1M0KJC";
    FakeBroker broker([&](const json& ask) -> json {
        if (ask["type"] == "drain") return {{"workers", {worker}}};
        json workers = json::array();
        if (++looks < 3) workers.push_back({{"worker", worker}});
        return {{"pools", {{{"pool", "detect/m@1"}, {"workers", workers}}}}};
    });
    auto ran = command_at(broker, {"pools", "drain", "detect/m@1", "--deadline", "5", "--wait"});
    EXPECT_EQ(ran.status, exit_ok) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("drained: 1 worker"));
    EXPECT_EQ(looks, 3);
    EXPECT_EQ(broker.requests().front()["pool"], "detect/m@1");
    EXPECT_EQ(broker.requests().front()["deadline_s"], 5);
    command_at(broker, {"pools", "drain", worker});
    EXPECT_EQ(broker.requests().back()["worker"], worker);
}

TEST_F(Commands, ReloadThatAWorkerRefusesIsAConflict) {
    std::atomic<bool> refuses = false;
    FakeBroker broker([&](const json& ask) -> json {
        if (ask["type"] == "reload") return {{"workers", {"W1"}}};
        return {{"pools",
                 {{{"pool", "annotate"},
                   {"state", "ready"},
                   {"last_error", "no such root"},
                   {"workers", {{{"worker", refuses ? "W1" : "W2"}}}}}}}};
    });
    EXPECT_EQ(command_at(broker, {"pools", "reload", "annotate", "--wait"}).status, exit_ok);
    refuses = true;
    const auto ran = command_at(broker, {"pools", "reload", "annotate", "--wait"});
    EXPECT_EQ(ran.status, exit_conflict);
    EXPECT_THAT(ran.err, HasSubstr("no such root"));
}

TEST_F(Commands, JobShowsWhatBecameOfEveryFrameAndWhatIsDead) {
    FakeBroker broker([](const json&) {
        json job = job_in("failed");
        job["retries"] = 2;
        job["dead"] = {
            {{"stream", "a.mp4"}, {"seq", 7}, {"stage", "detect"}, {"causes", {"signal 11", "signal 6"}}}};
        job["reconciliation"] = {
            {"balanced", true},
            {"streams",
             {{{"name", "a.mp4"},
               {"ingest", {{"in", 100}, {"out", 90}, {"dropped", {{"job:dead_chunk", 10}}}}}}}}};
        return json{{"job", job}};
    });
    const auto ran = command_at(broker, {"job", "J1"});
    EXPECT_THAT(ran.out, AllOf(HasSubstr("chunk 7 of a.mp4, at detect"), HasSubstr("signal 11"),
                               HasSubstr("retries    2"), HasSubstr("job:dead_chunk 10"),
                               HasSubstr("balanced   yes")));
}

TEST_F(Commands, RetryOfAJobThatDidNotFailIsAConflict) {
    FakeBroker broker([](const json& ask) -> json {
        if (ask["job"] == "J1") return {{"state", "running"}};
        return {{"ok", false}, {"code", "CONFLICT"}, {"message", "job J2 did not fail"}};
    });
    EXPECT_EQ(json::parse(command_at(broker, {"retry", "J1", "--json"}).out)["state"], "running");
    EXPECT_EQ(command_at(broker, {"retry", "J2"}).status, exit_conflict);
}

TEST_F(Commands, ConfigShowIsAFileThatReadsBack) {
    const auto ran = command({"config", "show", "--config", config, "--option", "limits.queued_jobs=9"});
    ASSERT_EQ(ran.status, exit_ok) << ran.err;
    std::ofstream(dir + "/again.yaml") << ran.out;
    const auto again = config::load(dir + "/again.yaml");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(again->limits.queued_jobs, 9);
    EXPECT_EQ(again->roots.at("deep"), dir + "/media/cam 1");
}

TEST_F(Commands, LocalCataloguesNeedNoBroker) {
    EXPECT_EQ(json::parse(command({"presets", "--local", "--json"}).out)["presets"].size(), 6u);
    EXPECT_THAT(command({"pipelines", "--local"}).out, HasSubstr("detect.confidence"));
}

TEST_F(Commands, DoctorNamesWhatIsWrong) {
    std::ofstream(config) << "roots: {media: " << dir << "/gone}\n";
    const auto ran = command({"doctor", "--offline", "--config", config});
    EXPECT_EQ(ran.status, exit_job_failed);
    EXPECT_THAT(ran.out, HasSubstr(dir + "/gone is not there"));
}

TEST(ProgressText, FitsTheTerminal) {
    const std::string text = progress_text("detect", 50, 200, 25, 79);
    EXPECT_THAT(text, AllOf(HasSubstr("[###"), HasSubstr(" 25 %  detect"),
                            HasSubstr("50/200 frames  25 fps  0:06 left")));
    EXPECT_LE(text.size(), 79u);
    EXPECT_LE(progress_text("detect", 50, 200, 25, 20).size(), 20u);
    EXPECT_THAT(progress_text("scan", 0, 0, 0, 79), HasSubstr("0 %"));
}

TEST(Process, IsKnownByItsStartAndEndedForCertain) {
    const std::string log = ::testing::TempDir() + "process_test.log";
    auto polite = start({"polite", {"sleep", "60"}, log, "", 15});
    auto deaf =
        start({"deaf", {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"}, log, "", 15});
    ASSERT_TRUE(polite && deaf);
    while (tail(log) != "ready") std::this_thread::yield();
    EXPECT_TRUE(alive(*polite));
    Process reused = *polite;
    reused.started += 1;  // the pid now belongs to a process that started later
    EXPECT_FALSE(alive(reused));
    EXPECT_TRUE(stop({reused}, std::chrono::milliseconds(10)).empty());
    EXPECT_TRUE(alive(*polite));
    EXPECT_THAT(stop({*polite, *deaf}, std::chrono::milliseconds(500)), ElementsAre("deaf"));
    EXPECT_FALSE(alive(*polite));
    EXPECT_FALSE(alive(*deaf));
    std::filesystem::remove(log);
}

TEST(Process, UnknownProgramIsAnErrorOfStart) {
    const auto process = start({"none", {"no-such-program"}, "/dev/null", "", 15});
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().code, Errc::not_found);
    EXPECT_THAT(run_quietly({"sh", "-c", "echo why; exit 3"}).error().message, HasSubstr("why"));
}

}  // namespace
}  // namespace sl::cli
