#include "common/store/redis_link.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>

#include "common/log.hpp"

namespace sl::store {
namespace {

bool decimal(std::string_view text, int& value, int limit) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= limit;
}

bool percent_decode(std::string_view text, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned char byte = 0;
        if (i + 2 >= text.size()) return false;
        const auto [end, error] = std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16);
        if (error != std::errc() || end != &text[i + 1] + 2) return false;
        out += char(byte);
        i += 2;
    }
    return true;
}

// The value of a line "name:value\r\n" of INFO.
std::string info_field(std::string_view info, std::string_view name) {
    const std::string key = "\n" + std::string(name) + ":";
    const auto at = info.find(key);
    if (at == info.npos) return "";
    const auto begin = at + key.size();
    return std::string(info.substr(begin, info.find_first_of("\r\n", begin) - begin));
}

timeval as_timeval(std::int64_t ms) {
    return {ms / 1000, (ms % 1000) * 1000};
}

// Reaction to the first word of an error that Redis answered.
struct ErrorWord {
    const char* word;
    Errc code;
    const char* hint;
};
constexpr ErrorWord error_words[] = {
    {"NOAUTH", Errc::invalid_argument, "put the password into the URL: redis://:password@host"},
    {"WRONGPASS", Errc::invalid_argument, "correct the password (and user) in the URL"},
    {"NOPERM", Errc::invalid_argument, "allow this Redis user the commands of schema/redis/KEYS.md"},
    {"OOM", Errc::unavailable, "Redis reached its maxmemory: raise it, or let the audit trail catch up"},
    {"MISCONF", Errc::unavailable, "Redis cannot write to its disk: see its log"},
    {"READONLY", Errc::unavailable, "this is a replica: name the primary in the URL"},
    {"LOADING", Errc::unavailable, "Redis is reading its files: it will be ready soon"},
    {"BUSY", Errc::unavailable, "a script of somebody else blocks Redis"},
    {"MASTERDOWN", Errc::unavailable, "this replica lost its primary"},
    {"MOVED", Errc::invalid_argument, "name the cluster node that owns the slot of this fleet"},
};

}  // namespace

Result<RedisAddress> parse_redis_url(const std::string& url) {
    const auto scheme_end = url.find("://");
    const auto after = scheme_end == url.npos ? 0 : scheme_end + 3;
    const auto at = url.rfind('@');
    const std::string shown =
        at == url.npos || at < after ? url : url.substr(0, after) + "***" + url.substr(at);
    const auto refuse = [&](const std::string& why) {
        return Error{Errc::invalid_argument, "cannot use Redis URL '" + shown + "': " + why,
                     "write redis://[:password@]host[:port][/db] or unix:///path/redis.sock"};
    };

    RedisAddress out;
    out.shown = shown;
    std::string rest = url.substr(after);
    if (at != url.npos && at >= after) {
        const std::string login = url.substr(after, at - after);
        rest = url.substr(at + 1);
        const auto colon = login.find(':');
        if (colon == login.npos) return refuse("there is no ':' before the password");
        if (!percent_decode(login.substr(0, colon), out.user) ||
            !percent_decode(login.substr(colon + 1), out.password))
            return refuse("a '%' in user or password is not followed by two hexadecimal digits");
    }

    if (url.starts_with("rediss://"))
        return refuse("TLS is not supported; use a tunnel or a private network");
    if (url.starts_with("unix://")) {
        const auto query = rest.find('?');
        out.path = rest.substr(0, query);
        if (!out.path.starts_with('/')) return refuse("the socket's path is not absolute");
        if (query != rest.npos && !(rest.compare(query, 4, "?db=") == 0 &&
                                    decimal(std::string_view(rest).substr(query + 4), out.db, 1 << 20)))
            return refuse("'" + rest.substr(query) + "' is not ?db=n");
        return out;
    }
    if (!url.starts_with("redis://")) return refuse("it begins with neither redis:// nor unix://");

    if (const auto slash = rest.find('/'); slash != rest.npos) {
        if (slash + 1 < rest.size() && !decimal(std::string_view(rest).substr(slash + 1), out.db, 1 << 20))
            return refuse("'" + rest.substr(slash + 1) + "' is not the number of a database");
        rest.resize(slash);
    }
    const auto bracket = rest.rfind(']');
    const auto colon = rest.find(':', bracket == rest.npos ? 0 : bracket);
    if (colon != rest.npos && !decimal(std::string_view(rest).substr(colon + 1), out.port, 65535))
        return refuse("'" + rest.substr(colon + 1) + "' is not a port");
    out.host = rest.substr(0, colon);
    if (bracket != rest.npos && out.host.starts_with('[')) out.host = out.host.substr(1, bracket - 1);
    if (out.host.empty()) return refuse("there is no host");
    return out;
}

Result<void> RedisLink::open() {
    if (context_) return {};
    // hiredis writes with plain write(): a Redis that went away must be an error, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    const timeval timeout = as_timeval(timeout_ms_);
    context_.reset(at_.host.empty() ? redisConnectUnixWithTimeout(at_.path.c_str(), timeout)
                                    : redisConnectWithTimeout(at_.host.c_str(), at_.port, timeout));
    greeted_ = false;
    if (!context_)
        return Error{Errc::internal, "cannot connect to Redis at " + at_.shown + ": out of memory", ""};
    if (context_->err != 0) {
        const Error error{
            Errc::unavailable, "cannot connect to Redis at " + at_.shown + ": " + context_->errstr,
            "start Redis (redis-server --appendonly yes --appendfsync always), or correct the URL"};
        close();
        return error;
    }
    redisSetTimeout(context_.get(), timeout);
    if (!at_.host.empty()) redisEnableKeepAlive(context_.get());
    auto ok = greet();
    if (!ok) close();
    return ok;
}

Result<void> RedisLink::greet() {
    const std::string what = "cannot log in to Redis at " + at_.shown;
    std::vector<std::string_view> auth{"AUTH"};
    if (!at_.user.empty()) auth.push_back(at_.user);
    auth.push_back(at_.password);
    if (!at_.password.empty()) {
        const auto reply = ask(auth, what);
        if (!reply) return reply.error();
    }
    const std::string db = std::to_string(at_.db);
    if (at_.db != 0) {
        const auto reply = ask(std::array<std::string_view, 2>{"SELECT", db}, what);
        if (!reply) return reply.error();
    }

    const std::string use = "cannot use Redis at " + at_.shown;
    const auto reply = ask(std::array<std::string_view, 1>{"INFO"}, use);
    if (!reply) return reply.error();
    const std::string_view info = text(**reply);
    const auto refuse = [&](Errc code, const std::string& why, const std::string& hint) {
        return Error{code, use + ": " + why, hint};
    };
    const std::string version = info_field(info, "redis_version");
    int major = 0, minor = 0;
    if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2)
        return refuse(Errc::invalid_argument, "the server does not say its Redis version", "is it a Redis?");
    if (major < 6 || (major == 6 && minor < 2))
        return refuse(Errc::invalid_argument, "it is version " + version, "install Redis 6.2 or newer");
    if (info_field(info, "loading") == "1")
        return refuse(Errc::unavailable, "it is still reading its files", "it will be ready soon");
    if (info_field(info, "role") == "slave")
        return refuse(Errc::unavailable, "it is a replica", "name the primary in the URL");
    const std::string policy = info_field(info, "maxmemory_policy");
    if (info_field(info, "maxmemory") != "0" && policy != "noeviction")
        return refuse(Errc::invalid_argument, "its maxmemory-policy '" + policy + "' may evict jobs",
                      "set maxmemory-policy noeviction, or maxmemory 0");
    if (info_field(info, "aof_enabled") == "0")
        log::warn("redis_not_durable", "redis={} appendonly=no: jobs are lost when Redis restarts",
                  at_.shown);
    greeted_ = true;
    return {};
}

void RedisLink::send(std::span<const std::string_view> args) {
    std::vector<const char*> data;
    std::vector<std::size_t> sizes;
    data.reserve(args.size());
    sizes.reserve(args.size());
    for (const std::string_view arg : args) {
        data.push_back(arg.data());
        sizes.push_back(arg.size());
    }
    redisAppendCommandArgv(context_.get(), int(args.size()), data.data(), sizes.data());
}

Result<Reply> RedisLink::read_any(const std::string& what) {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) return lost(what);
    return Reply(static_cast<redisReply*>(reply));
}

Result<Reply> RedisLink::read(const std::string& what) {
    auto reply = read_any(what);
    if (reply && (*reply)->type == REDIS_REPLY_ERROR) return refused(**reply, what);
    return reply;
}

Result<Reply> RedisLink::ask(std::span<const std::string_view> args, const std::string& what) {
    send(args);
    return read(what);
}

Error RedisLink::refused(const redisReply& reply, const std::string& what) {
    const std::string said(text(reply));
    close();
    const std::string message = what + ": Redis answered '" + said + "'";
    if (said.find("AUTH <password> called without") != said.npos)
        return {Errc::invalid_argument, message, "leave the password out of the URL"};
    for (const ErrorWord& row : error_words)
        if (said.starts_with(row.word)) return {row.code, message, row.hint};
    return {Errc::internal, message, ""};
}

Error RedisLink::lost(const std::string& what) {
    const int kind = context_->err;
    const bool timed_out = kind == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    const std::string why =
        timed_out ? "no answer within " + std::to_string(timeout_ms_) + " ms" : std::string(context_->errstr);
    close();
    if (kind == REDIS_ERR_PROTOCOL)
        return {Errc::invalid_argument, what + ": the server does not speak the Redis protocol (" + why + ")",
                "correct host and port in the URL"};
    return {Errc::unavailable, what + ": Redis at " + at_.shown + ": " + why,
            greeted_ ? "Redis is away or too slow; the next call connects again"
                     : "is it a Redis that listens there?"};
}

}  // namespace sl::store
