#include "broker/cli/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/spelling.hpp"

namespace sl::cli {
namespace fs = std::filesystem;
namespace {

std::string boot_id() {
    std::string id;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
    return id;
}

struct Stat {
    char state = 0;
    std::uint64_t started = 0;
};

// Fields 3 and 22 of /proc/PID/stat; the name in field 2 may hold anything up to the last ')'.
Stat read_stat(int pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto paren = text.rfind(')');
    if (paren == std::string::npos) return {};
    std::istringstream fields(text.substr(paren + 1));
    Stat stat;
    std::string skipped;
    fields >> stat.state;
    for (int field = 4; field < 22; ++field) fields >> skipped;
    fields >> stat.started;
    return stat;
}

struct User {
    uid_t uid;
    gid_t gid;
};
Result<User> find_user(const std::string& name) {
    if (const passwd* found = getpwnam(name.c_str())) return User{found->pw_uid, found->pw_gid};
    return Error{Errc::not_found, "there is no user '" + name + "' on this machine", ""};
}

// In the child, between fork and exec: only async-signal-safe calls, but for initgroups, whose reading of
// /etc/group is safe because no program that starts others under another user's name has a second thread.
[[noreturn]] void become(const Launch& what, char** argv, int out, const User& as, int report, int parent) {
    if (what.dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(127);  // it ended before we asked
    }
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE}) signal(number, SIG_DFL);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    if (out >= 0) dup2(out, 1), dup2(out, 2);
    if (what.keep_fd >= 0) fcntl(what.keep_fd, F_SETFD, 0);
    const bool switched =
        what.user.empty() || (chdir("/") == 0 && initgroups(what.user.c_str(), as.gid) == 0 &&
                              setgid(as.gid) == 0 && setuid(as.uid) == 0);
    if (switched) execvp(argv[0], argv);
    const int error = errno;
    [[maybe_unused]] const auto told = write(report, &error, sizeof error);
    _exit(127);
}

Result<int> spawn(const Launch& what, int out) {
    User as{0, 0};
    if (!what.user.empty()) {
        auto found = find_user(what.user);
        if (!found) return found.error();
        as = *found;
    }
    std::vector<char*> argv;
    for (const std::string& word : what.command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) return Error{Errc::internal, "cannot make a pipe", ""};
    const int parent = getpid(), pid = fork();
    if (pid == 0) become(what, argv.data(), out, as, pipes[1], parent);
    close(pipes[1]);
    int error = pid < 0 ? errno : 0;
    ssize_t got = 0;
    while (pid > 0 && (got = read(pipes[0], &error, sizeof error)) < 0 && errno == EINTR) error = 0;
    if (pid > 0 && got != sizeof error) error = 0;
    close(pipes[0]);
    if (error == 0) return pid;
    if (pid > 0) waitpid(pid, nullptr, 0);
    return Error{error == ENOENT ? Errc::not_found : Errc::internal,
                 "cannot start " + what.command[0] + ": " + std::strerror(error),
                 error == ENOENT ? "install it, or run scripts/setup" : ""};
}

}  // namespace

Result<Process> start(const Launch& launch) {
    int out = -1;
    if (!launch.log.empty() &&
        (out = open(launch.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        return Error{Errc::io, "cannot open the log " + launch.log + ": " + std::strerror(errno), ""};
    const auto pid = spawn(launch, out);
    if (out >= 0) close(out);
    if (!pid) return pid.error();
    return Process{launch.name, *pid, read_stat(*pid).started, boot_id(), launch.log, launch.stop_signal};
}

bool alive(const Process& p) {
    if (p.pid <= 0) return false;
    waitpid(p.pid, nullptr, WNOHANG);  // a child of ours that ended is gone for good
    const Stat stat = read_stat(p.pid);
    return stat.state != 0 && stat.state != 'Z' && stat.state != 'X' && stat.started == p.started &&
           p.boot == boot_id();
}

std::vector<std::string> stop(const std::vector<Process>& processes, std::chrono::milliseconds grace) {
    std::vector<Process> left;
    for (const Process& p : processes)
        if (alive(p) && kill(p.pid, p.stop_signal) == 0) left.push_back(p);
    const auto wait = [&](std::chrono::milliseconds time) {
        const auto deadline = std::chrono::steady_clock::now() + time;
        while (!left.empty() && std::chrono::steady_clock::now() < deadline) {
            std::erase_if(left, [](const Process& p) { return !alive(p); });
            if (!left.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    };
    wait(grace);
    std::vector<std::string> killed;
    for (const Process& p : left) {
        kill(p.pid, SIGKILL);
        killed.push_back(p.name);
    }
    wait(std::chrono::seconds(5));
    return killed;
}

Result<void> run_quietly(const std::vector<std::string>& command, const std::string& user) {
    std::FILE* out = std::tmpfile();
    if (!out) return Error{Errc::io, "cannot make a temporary file", ""};
    const auto pid = spawn({.name = "", .command = command, .log = "", .user = user}, fileno(out));
    int status = 0;
    while (pid && waitpid(*pid, &status, 0) < 0 && errno == EINTR) status = 0;
    std::string text(4000, '\0');
    std::rewind(out);
    text.resize(std::fread(text.data(), 1, text.size(), out));
    std::fclose(out);
    if (!pid) return pid.error();
    if (status == 0) return {};
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return Error{Errc::internal, "`" + join(command, " ") + "` failed: " + text, ""};
}

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::vector<std::string> folders = split(path ? path : "/usr/bin:/bin", ':');
    folders.insert(folders.end(), {"/usr/sbin", "/usr/local/bin"});
    // Debian keeps PostgreSQL's programs out of PATH, by version.
    std::vector<std::pair<int, std::string>> versions;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ec))
        versions.emplace_back(std::atoi(entry.path().filename().c_str()), (entry.path() / "bin").string());
    std::sort(versions.rbegin(), versions.rend());
    for (const auto& version : versions) folders.push_back(version.second);
    for (const std::string& folder : folders)
        if (access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
    return "";
}

std::string tail(const std::string& path, std::size_t lines) {
    std::ifstream in(path);
    std::deque<std::string> last;
    for (std::string line; std::getline(in, line);) {
        last.push_back(line);
        if (last.size() > lines) last.pop_front();
    }
    return join({last.begin(), last.end()}, "\n");
}

}  // namespace sl::cli
