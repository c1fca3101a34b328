#include "tests/support/redis_server.hpp"

#include <hiredis/hiredis.h>

#include <cstdlib>
#include <stdexcept>

namespace sl::test {

bool RedisServer::installed() {
    return std::system("command -v redis-server >/dev/null 2>&1") == 0;
}

RedisServer::RedisServer(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
    for (int attempt = 0;; ++attempt) {
        port_ = free_port();  // somebody may take it before Redis does
        try {
            start();
            return;
        } catch (const std::runtime_error&) {
            if (attempt == 2) throw;
        }
    }
}

void RedisServer::start() {
    const std::string socket = folder_.path() + "/redis.sock", log = folder_.path() + "/log";
    std::vector<std::string> argv{"redis-server",
                                  "--bind",
                                  "127.0.0.1",
                                  "--port",
                                  std::to_string(port_),
                                  "--unixsocket",
                                  socket,
                                  "--dir",
                                  folder_.path(),
                                  "--save",
                                  "",
                                  "--appendonly",
                                  "yes",
                                  "--appendfsync",
                                  "always",
                                  "--daemonize",
                                  "no"};
    argv.insert(argv.end(), arguments_.begin(), arguments_.end());
    process_ = ServerProcess(argv, log);
    const bool up = eventually([&] {
        if (process_.ended()) return true;
        redisContext* context = redisConnectUnix(socket.c_str());
        auto* reply = context->err ? nullptr : static_cast<redisReply*>(redisCommand(context, "PING"));
        const bool answers =
            reply && std::string(reply->str, reply->len).find("LOADING") == std::string::npos;
        if (reply) freeReplyObject(reply);
        redisFree(context);
        return answers;
    });
    if (!up || process_.ended()) throw std::runtime_error("redis-server did not start: " + read_text(log));
}

}  // namespace sl::test
