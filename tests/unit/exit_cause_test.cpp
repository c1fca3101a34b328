// Why a process ended: what is blamed on its work, and what on somebody else.
#include "broker/cli/exit_cause.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "broker/cli/exit_code.hpp"
#include "broker/cli/params.hpp"
#include "common/worker/crumb.hpp"

namespace sl::cli {
namespace {

// The status of a child that ends as `end` does.
template <typename F>
int status_of(F&& end) {
    const int pid = fork();
    if (pid == 0) {
        const rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        end();
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

TEST(ExitCause, FatalSignalsOfItsOwnMakingAreCrashes) {
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS}) {
        const auto cause = exit_cause(status_of([=] { std::signal(number, SIG_DFL), raise(number); }), false);
        EXPECT_TRUE(cause.crashed) << number;
        EXPECT_FALSE(cause.left);
        EXPECT_TRUE(cause.text.starts_with("signal " + std::to_string(number) + " (")) << cause.text;
    }
}

TEST(ExitCause, WhoIsKilledBySomebodyIsInnocentUnlessMemoryRanOut) {
    for (const int number : {SIGKILL, SIGTERM, SIGINT, SIGHUP})
        EXPECT_FALSE(
            exit_cause(status_of([=] { std::signal(number, SIG_DFL), raise(number); }), false).crashed);
    const int killed = status_of([] { raise(SIGKILL); });
    EXPECT_EQ(exit_cause(killed, false).text, "signal 9 (Killed)");
    const auto out_of_memory = exit_cause(killed, true);
    EXPECT_TRUE(out_of_memory.crashed);
    EXPECT_EQ(out_of_memory.text, "out of memory");
    EXPECT_FALSE(exit_cause(status_of([] { raise(SIGTERM); }), true).crashed);
}

TEST(ExitCause, RefusalsOfTheProgramAreNoCrashesOtherStatusesAre) {
    const auto exits = [](int code) {
        return exit_cause(status_of([=] { _exit(code); }), false, "stuck for 61 s");
    };
    EXPECT_TRUE(exits(0).left);
    for (const int code : {exit_usage, exit_not_found, exit_unavailable, exit_conflict, exit_bad_media,
                           exit_internal, exit_interrupted}) {
        EXPECT_FALSE(exits(code).crashed) << code;
        EXPECT_FALSE(exits(code).left) << code;
        EXPECT_EQ(exits(code).text, "status " + std::to_string(code));
    }
    EXPECT_TRUE(exits(1).crashed);
    EXPECT_TRUE(exits(worker::exit_crashed).crashed);
    EXPECT_EQ(exits(worker::exit_crashed).text, "stuck for 61 s");
}

TEST(ExitCause, MemoryKillsAreReadFromTheKernel) {
    MemoryKills kills;
    EXPECT_FALSE(kills.rose());
}

TEST(SecondsOf, ReadsAgesAsPeopleWriteThem) {
    EXPECT_EQ(*seconds_of("7d"), 604800);
    EXPECT_EQ(*seconds_of("1.5h"), 5400);
    EXPECT_EQ(*seconds_of("30m"), 1800);
    EXPECT_EQ(*seconds_of("90"), 90);
    for (const char* wrong : {"", "d", "-1s", "a week", "7 d", "7dd"})
        EXPECT_FALSE(seconds_of(wrong)) << wrong;
}

}  // namespace
}  // namespace sl::cli
