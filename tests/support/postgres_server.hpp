// A PostgreSQL of the test's own: a fresh cluster on a unix socket, no TCP, ended with it.
#pragma once

#include "tests/support/server_process.hpp"

namespace sl::test {

class PostgresServer {
public:
    static bool installed();
    // Runs as the user "postgres" when we are root, which PostgreSQL refuses. Throws when it does not start.
    PostgresServer();
    ~PostgresServer() { process_.stop(SIGQUIT); }
    PostgresServer(const PostgresServer&) = delete;
    PostgresServer& operator=(const PostgresServer&) = delete;

    // Of the superuser "sightline", who needs no password; "guest" always does.
    std::string dsn(const std::string& database = "postgres", const std::string& user = "sightline") const {
        return "host=" + folder_.path() + " user=" + user + " dbname=" + database;
    }

    // SIGQUIT: no clean shutdown, connections break; start() recovers.
    void kill() { process_.stop(SIGQUIT); }
    void start();
    // Stops it and what serves its connections; thaw() lets all of them go on.
    void freeze();
    void thaw();

private:
    ScratchFolder folder_{"postgres"};
    uid_t uid_ = 0;
    gid_t gid_ = 0;
    ServerProcess process_;
    std::vector<pid_t> frozen_;
};

}  // namespace sl::test
