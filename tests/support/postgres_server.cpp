#include "tests/support/postgres_server.hpp"

#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace sl::test {
namespace {

// Debian keeps the programs out of PATH, by major version.
std::string bin(const std::string& program) {
    const std::string root = "/usr/lib/postgresql";
    if (!std::filesystem::exists(root)) return "";
    for (const auto& version : std::filesystem::directory_iterator(root))
        if (const auto path = version.path() / "bin" / program; std::filesystem::exists(path))
            return path.string();
    return "";
}

}  // namespace

bool PostgresServer::installed() {
    return !bin("postgres").empty() && !bin("initdb").empty() && (::geteuid() != 0 || ::getpwnam("postgres"));
}

PostgresServer::PostgresServer() {
    if (::geteuid() == 0) {
        const passwd* user = ::getpwnam("postgres");
        if (!user) throw std::runtime_error("there is no user postgres to run the server as");
        uid_ = user->pw_uid;
        gid_ = user->pw_gid;
        if (::chown(folder_.path().c_str(), uid_, gid_) != 0)
            throw std::runtime_error("cannot give the folder away");
    }
    const std::string log = folder_.path() + "/log", data = folder_.path() + "/data";
    ServerProcess initdb({bin("initdb"), "-D", data, "-U", "sightline", "-E", "UTF8", "--locale=C", "-A",
                          "trust", "--no-sync"},
                         log, uid_, gid_);
    if (initdb.wait() != 0) throw std::runtime_error("initdb failed: " + read_text(log));
    std::ofstream(data + "/pg_hba.conf") << "local all guest scram-sha-256\nlocal all all trust\n";
    start();
}

void PostgresServer::start() {
    const std::string log = folder_.path() + "/log", data = folder_.path() + "/data";
    process_ = ServerProcess({bin("postgres"), "-D", data, "-c", "listen_addresses=", "-c",
                              "unix_socket_directories=" + folder_.path(), "-c", "shared_buffers=64MB"},
                             log, uid_, gid_);
    // The last line of the file of its pid says when it takes connections.
    const bool up = eventually([&] {
        return process_.ended() || read_text(data + "/postmaster.pid").find("ready") != std::string::npos;
    });
    if (!up || process_.ended()) throw std::runtime_error("PostgreSQL did not start: " + read_text(log));
}

void PostgresServer::freeze() {
    const std::string pid = std::to_string(process_.pid());
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    frozen_ = {process_.pid()};
    for (pid_t child = 0; children >> child;) frozen_.push_back(child);
    for (const pid_t each : frozen_) ::kill(each, SIGSTOP);
}

void PostgresServer::thaw() {
    for (const pid_t each : frozen_) ::kill(each, SIGCONT);
}

}  // namespace sl::test
