// One blocking connection to one Redis: connects at first use and again after a loss.
// Used by one thread. Any error leaves it closed; the next open() begins anew.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/job_store.hpp"

namespace sl::store {

// Where a Redis is. redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=n];
// user and password may be percent-encoded.
struct RedisAddress {
    std::string host;  // empty: unix socket
    int port = 6379;
    std::string path;
    std::string user, password;
    int db = 0;
    std::string shown;  // for messages: without the password
};
Result<RedisAddress> parse_redis_url(const std::string& url);

struct ReplyDelete {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, ReplyDelete>;

inline std::string_view text(const redisReply& reply) {
    return {reply.str, reply.len};
}

class RedisLink {
public:
    RedisLink(RedisAddress address, std::int64_t timeout_ms)
        : at_(std::move(address)), timeout_ms_(timeout_ms) {}

    bool is_open() const { return context_ != nullptr; }
    // Connects, authenticates, selects the database, and refuses a server that cannot keep jobs.
    Result<void> open();
    void close() { context_.reset(); }

    // Queues a command; nothing is sent before read().
    void send(std::span<const std::string_view> args);
    // The answer to the oldest command not yet read. Transport errors are unavailable; an error that Redis
    // answered is mapped by its first word and names `what` was attempted.
    Result<Reply> read(const std::string& what);
    // The same, but hands an error answer to the caller as a reply of type REDIS_REPLY_ERROR.
    Result<Reply> read_any(const std::string& what);
    Result<Reply> ask(std::span<const std::string_view> args, const std::string& what);

    Error refused(const redisReply& reply, const std::string& what);

private:
    Result<void> greet();
    Error lost(const std::string& what);

    struct ContextDelete {
        void operator()(redisContext* context) const { redisFree(context); }
    };
    RedisAddress at_;
    std::int64_t timeout_ms_;
    bool greeted_ = false;  // the server has proved to be Redis
    std::unique_ptr<redisContext, ContextDelete> context_;
};

}  // namespace sl::store
