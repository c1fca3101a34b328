// A redis-server of the test's own: everything durable, on a unix socket and a loopback port, ended with it.
#pragma once

#include "tests/support/server_process.hpp"

namespace sl::test {

class RedisServer {
public:
    static bool installed();
    // `arguments` are appended to the command line: {"--requirepass", "secret"}. Throws when it does not
    // start.
    explicit RedisServer(std::vector<std::string> arguments = {});

    std::string url() const { return "unix://" + folder_.path() + "/redis.sock"; }
    std::string tcp_url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }
    int port() const { return port_; }

    // SIGKILL; start() again keeps the files.
    void kill() { process_.stop(SIGKILL); }
    void start();
    // Stopped processes answer nothing and keep what they are sent.
    void freeze() const { process_.signal(SIGSTOP); }
    void thaw() const { process_.signal(SIGCONT); }

private:
    std::vector<std::string> arguments_;
    ScratchFolder folder_{"redis"};
    int port_ = 0;
    ServerProcess process_;
};

}  // namespace sl::test
