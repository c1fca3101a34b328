// A fleet on one machine: the real redis-server and PostgreSQL, with this test program itself in the roles of
// `sightline supervise`, `sightline broker` (scripted, at once ready) and `sightline worker` (waits for
// SIGTERM).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "broker/cli/cli.hpp"
#include "broker/cli/fleet.hpp"
#include "broker/cli/supervisor.hpp"
#include "common/files.hpp"
#include "tests/support/fake_broker.hpp"

namespace sl::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct FleetTest : ::testing::Test {
    const std::string dir = "/tmp/sl-fleet-" + std::to_string(::getpid());
    config::Config base;

    void SetUp() override {
        if (find_program("redis-server").empty() || find_program("initdb").empty())
            GTEST_SKIP() << "redis-server or PostgreSQL is not installed: scripts/setup --tests";
        base.alerts.targets.clear();
    }
    void TearDown() override {
        for (const char* name : {"/a", "/b"})
            if (const auto left = find_fleet(dir + name)) stop_fleet(*left);
        std::error_code
            ec;  // where the state folder is root's alone, PostgreSQL's lies elsewhere, behind a link
        std::filesystem::remove_all(std::filesystem::read_symlink(dir + "/a/postgres", ec), ec);
        std::filesystem::remove_all(dir);
    }
    FleetOptions options(const std::string& name, const std::string& model = "yolox_nano") const {
        return {.state_dir = dir + name,
                .model = model,
                .workers = {{"detect", 2}, {"ingest", 1}},
                .brokers = 1,
                .ready_s = 60};
    }
};

std::vector<std::string> names(const Fleet& fleet) {
    std::vector<std::string> out;
    for (const Process& p : fleet.processes) out.push_back(p.name);
    return out;
}

TEST_F(FleetTest, ComesUpReadySideBySideAndGoesDownWhole) {
    const auto a = start_fleet(base, options("/a"));
    ASSERT_TRUE(a) << a.error().text();
    EXPECT_THAT(names(*a), ElementsAre("redis", "postgres", "supervisor"));
    std::vector<std::string> supervised;
    for (const auto& p : a->supervised()) {
        supervised.push_back(p["name"]);
        EXPECT_EQ(p["state"], "running") << p;
    }
    EXPECT_THAT(supervised, ElementsAre("broker", "detect-1", "detect-2", "ingest-1"));
    const auto b = start_fleet(base, options("/b"));
    ASSERT_TRUE(b) << b.error().text();
    EXPECT_NE(a->endpoint, b->endpoint);

    const auto again = start_fleet(base, options("/a"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);

    const auto config = config::load(a->config_file());
    ASSERT_TRUE(config) << config.error().text();
    EXPECT_EQ(config->broker.endpoint, a->endpoint);
    EXPECT_EQ(config->models.default_model, "yolox_nano");
    EXPECT_EQ(config->roots.count(config->output.root), 1u);
    const std::string socket = config->redis.url.substr(std::strlen("unix://"));
    EXPECT_TRUE(
        run_quietly({"sh", "-c", "redis-cli -s " + socket + " config get appendfsync | grep -qx always"}));
    EXPECT_TRUE(run_quietly(
        {"sh", "-c", "redis-cli -s " + socket + " config get maxmemory-policy | grep -qx noeviction"}));
    EXPECT_TRUE(run_quietly({"psql", config->postgres.dsn, "-qtc", "select 1"}));

    const auto found = find_fleet(dir + "/a");
    ASSERT_TRUE(found);
    EXPECT_TRUE(stop_fleet(*found).empty());
    for (const Process& p : a->processes) EXPECT_FALSE(alive(p)) << p.name;
    for (const Process& p : b->processes) EXPECT_TRUE(alive(p)) << p.name;
    EXPECT_EQ(find_fleet(dir + "/a").error().code, Errc::not_found);

    const auto back = start_fleet(base, options("/a"));  // on the same data
    EXPECT_TRUE(back) << back.error().text();
}

TEST_F(FleetTest, WorkerThatEndsIsQuotedAndNothingIsLeft) {
    const auto fleet = start_fleet(base, options("/a", "no_such_model"));
    ASSERT_FALSE(fleet);
    EXPECT_THAT(fleet.error().message,
                AllOf(HasSubstr("detect-"), HasSubstr("there is no model no_such_model")));
    EXPECT_EQ(find_fleet(dir + "/a").error().code, Errc::not_found);
    EXPECT_FALSE(
        run_quietly({"sh", "-c",
                     "grep -lsa '" + dir +
                         "/a' /proc/[0-9]*/cmdline | grep -v self | xargs -r -n1 dirname | "
                         "while read p; do grep -qa redis-server $p/cmdline && exit 0; done; exit 1"}));
}

TEST_F(FleetTest, WhatEndsIsStartedAgainAndScaleAddsAndDrains) {
    const auto fleet = start_fleet(base, options("/a"));
    ASSERT_TRUE(fleet) << fleet.error().text();
    const auto pid_of = [&](const std::string& name) {
        for (const auto& p : fleet->supervised())
            if (p["name"] == name) return p["state"] == "running" ? p["pid"].get<int>() : 0;
        return 0;
    };
    const int first = pid_of("detect-1");
    ASSERT_GT(first, 0);
    kill(first, SIGKILL);
    while (pid_of("detect-1") == first || pid_of("detect-1") == 0) usleep(1000);
    for (const auto& p : fleet->supervised())
        if (p["name"] == "detect-1") {
            EXPECT_EQ(p["restarts"], 1);
            EXPECT_EQ(p["last_cause"], "signal 9 (Killed)");
        }

    zmq::context_t context(1);
    const auto scale = [&](int n) {
        return ask_supervisor(context, fleet->state_dir + "/run/control",
                              {{"type", "scale"}, {"parts", {{"detect", n}}}});
    };
    ASSERT_TRUE(scale(3));
    const int youngest = pid_of("detect-3");
    EXPECT_GT(youngest, 0);
    ASSERT_TRUE(scale(2));
    while (pid_of("detect-3") != 0) usleep(1000);
    while (kill(youngest, 0) == 0) usleep(1000);
    EXPECT_GT(pid_of("detect-2"), 0);
    EXPECT_FALSE(ask_supervisor(context, fleet->state_dir + "/run/control",
                                {{"type", "scale"}, {"parts", {{"broker", 2}}}}));

    // Who leaves with status 0 was told to: it stays away until the fleet is scaled again.
    kill(pid_of("detect-2"), SIGTERM);
    const auto state_of = [&](const std::string& name) -> std::string {
        for (const auto& p : fleet->supervised())
            if (p["name"] == name) return p["state"];
        return "";
    };
    while (state_of("detect-2") != "left") usleep(1000);
    ASSERT_TRUE(scale(2));
    EXPECT_EQ(state_of("detect-2"), "running");

    // Nothing outlives its supervisor.
    const int worker = pid_of("detect-1");
    kill(fleet->processes.back().pid, SIGKILL);
    while (kill(worker, 0) == 0) usleep(1000);
}

TEST_F(FleetTest, WhatACrashLeftIsEndedFirst) {
    std::filesystem::create_directories(dir);
    chmod(dir.c_str(), 0700);  // the user that PostgreSQL runs as has no way in, when this is root
    const auto fleet = start_fleet(base, options("/a"));
    ASSERT_TRUE(fleet) << fleet.error().text();
    kill(fleet->processes[2].pid, SIGKILL);  // the supervisor
    while (alive(fleet->processes[2])) usleep(1000);
    const auto again = start_fleet(base, options("/a"));
    ASSERT_TRUE(again) << again.error().text();
    for (const Process& p : fleet->processes) EXPECT_FALSE(alive(p)) << p.name;
}

// A supervisor alone, without servers; the model says how its workers behave.
struct SupervisorTest : ::testing::Test {
    const std::string dir = "/tmp/sl-sup-" + std::to_string(::getpid());
    zmq::context_t context;
    std::optional<Process> supervisor;

    void start_with(const std::string& model, const std::vector<std::string>& more = {}) {
        std::filesystem::create_directories(dir);
        std::ofstream(dir + "/c.yaml") << "broker: {endpoint: ipc://" << dir << "/broker, run_dir: " << dir
                                       << "}\nmodels: {default: " << model << "}\nlog: {max_mb: 1}\n";
        const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
        std::vector<std::string> command{self, "supervise", "detect=2", "--config", dir + "/c.yaml"};
        command.insert(command.end(), more.begin(), more.end());
        auto started = start({.name = "supervisor", .command = command, .log = dir + "/log"});
        ASSERT_TRUE(started) << started.error().text();
        supervisor = *started;
    }
    nlohmann::json processes() {
        const auto reply = ask_supervisor(context, dir + "/control", {{"type", "status"}});
        return reply ? (*reply)["processes"] : nlohmann::json::array();
    }
    // Waits until `so` is true of every process that it runs.
    nlohmann::json until_all(const std::function<bool(const nlohmann::json&)>& so) {
        for (;;) {
            const auto all = processes();
            if (!all.empty() && std::all_of(all.begin(), all.end(), so)) return all;
            usleep(1000);
        }
    }
    void TearDown() override {
        if (supervisor) stop({*supervisor}, std::chrono::milliseconds(0));
        std::filesystem::remove_all(dir);
    }
};

TEST_F(SupervisorTest, WhatRefusesIsTriedAgainEverMoreSlowly) {
    start_with("no_such_model");
    until_all([](const auto& p) { return p["restarts"] >= 4; });
    const auto tries = [&] {
        const auto text = files::read(dir + "/log");
        std::vector<int> pauses;
        for (std::size_t at = 0; text && (at = text->find("again_ms=", at)) != std::string::npos; ++at)
            pauses.push_back(std::atoi(text->c_str() + at + 9));
        return pauses;
    }();
    ASSERT_GE(tries.size(), 8u);
    EXPECT_EQ(tries.front(), 0);
    EXPECT_GT(tries.back(), 300);
    EXPECT_EQ(processes().front()["last_cause"], "status 3");
}

TEST_F(SupervisorTest, OneSignalDrainsASecondEndsAllAtOnce) {
    start_with("deaf");
    const auto all = until_all([](const auto& p) { return p["state"] == "running"; });
    for (const auto& p : all)  // deaf by now
        while (!run_quietly({"grep", "-q", "deaf " + p["pid"].dump(), dir + "/log"})) usleep(1000);
    kill(supervisor->pid, SIGTERM);
    until_all([](const auto& p) { return p["state"] == "leaving"; });
    const auto refused =
        ask_supervisor(context, dir + "/control", {{"type", "scale"}, {"parts", {{"detect", 3}}}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_TRUE(alive(*supervisor));
    kill(supervisor->pid, SIGTERM);
    while (alive(*supervisor)) usleep(1000);
    for (const auto& p : all) EXPECT_NE(kill(p["pid"].get<int>(), 0), 0) << p;
}

TEST_F(SupervisorTest, NonsenseOnTheControlSocketIsRefusedAndAnotherSupervisorToo) {
    start_with("polite");
    until_all([](const auto& p) { return p["state"] == "running"; });
    for (const nlohmann::json& nonsense :
         std::vector<nlohmann::json>{1,
                                     {{"type", 5}},
                                     {{"type", "scale"}},
                                     {{"type", "scale"}, {"parts", {{"detect", "x"}}}},
                                     {{"type", "scale"}, {"parts", {{"detect", -1}}}},
                                     {{"type", "scale"}, {"parts", {{"cook", 1}}}}})
        EXPECT_FALSE(ask_supervisor(context, dir + "/control", nonsense)) << nonsense;
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto second = run_quietly({self, "supervise", "detect=1", "--config", dir + "/c.yaml"});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("another supervisor runs"));
    EXPECT_EQ(processes().size(), 2u);
}

TEST_F(SupervisorTest, LogsOfItsProcessesAreBounded) {
    start_with("talkative", {"--logs", dir + "/logs"});
    const std::string log = dir + "/logs/detect-1.log";
    while (!std::filesystem::exists(log + ".1")) usleep(1000);
    EXPECT_GE(std::filesystem::file_size(log + ".1"), 1u << 20);
    until_all([](const auto& p) { return p["state"] == "running" && p["restarts"] == 0; });
    // It goes on where the new file ends: no hole is left in front.
    while (std::filesystem::file_size(log) == 0) usleep(1000);
    EXPECT_EQ(files::read(log)->find('\0'), std::string::npos);
}

int wait_for_term() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    int number = 0;
    sigwait(&set, &number);
    return 0;
}

}  // namespace
}  // namespace sl::cli

int main(int argc, char** argv) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    const std::string role = argc > 1 ? argv[1] : "";
    if (role == "broker" || role == "worker") sigprocmask(SIG_BLOCK, &term, nullptr);
    const auto option = [&](const char* name) -> std::string {
        for (int i = 1; i + 1 < argc; ++i)
            if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
        return "";
    };
    if (role == "broker") {
        // Like the real one: not ready while a pool has no workers.
        const auto config = sl::config::load(option("--config"));
        const bool joined = config && config->models.default_model != "no_such_model";
        sl::test::FakeBroker broker(
            [=](const nlohmann::json& ask) -> nlohmann::json {
                if (ask["type"] == "health") return {{"parts", {{{"name", "store"}, {"ok", true}}}}};
                return {{"pools", {{{"workers", std::vector<int>(joined ? 3 : 0)}}}}};
            },
            option("--broker").substr(std::strlen("ipc://")), "");
        return sl::cli::wait_for_term();
    }
    if (role == "worker") {
        const auto config = sl::config::load(option("--config"));
        if (config && config->models.default_model == "deaf") {
            std::fprintf(stderr, "deaf %d\n", ::getpid());
            for (;;) pause();  // SIGTERM is blocked
        }
        if (config && config->models.default_model == "talkative") {
            sigprocmask(SIG_UNBLOCK, &term, nullptr);
            for (;; usleep(1000)) std::fprintf(stderr, "%s\n", std::string(9999, 'x').c_str());
        }
        const bool has_model = config && config->models.default_model != "no_such_model";
        if (argv[2] != std::string("detect") || has_model) return sl::cli::wait_for_term();
        std::fprintf(stderr, "there is no model no_such_model\n");
        return 3;
    }
    if (role == "supervise") {
        CLI::App app;
        sl::cli::Context context;
        sl::cli::add_global_options(app, context);
        sl::cli::add_fleet_commands(app, context);
        return sl::cli::run(app, context, argc, argv);
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
