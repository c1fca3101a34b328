// Alerts as entries of a Redis stream (XADD), which keeps about the last `maxlen` of them. Fields: key
// (readers remove doubles by it), kind, camera, alert (schema/json/alert.schema.json).
#include <hiredis/hiredis.h>

#include "common/alert_json.hpp"
#include "common/store/redis_link.hpp"
#include "workers/alert/options.hpp"

namespace sl::alert {
namespace {

timeval as_timeval(double seconds) {
    const auto us = std::int64_t(seconds * 1e6);
    return {time_t(us / 1'000'000), suseconds_t(us % 1'000'000)};
}

class RedisStreamSink final : public Sink {
public:
    RedisStreamSink(const Target& target, store::RedisAddress at, std::string secret, std::string stream,
                    std::int64_t maxlen, const SinkHost& host)
        : target_(target),
          at_(std::move(at)),
          secret_(std::move(secret)),
          stream_(std::move(stream)),
          maxlen_(std::to_string(maxlen)),
          host_(host) {}

    Result<void> send(const schema::Alert& alert) override {
        const bool kept = bool(context_);
        auto sent = add(alert);
        // The server may have ended a connection that was kept: that is no failure of this alert.
        if (!sent && sent.error().code == Errc::unavailable && kept) sent = add(alert);
        return sent;
    }

private:
    struct ContextDelete {
        void operator()(redisContext* context) const { redisFree(context); }
    };

    Error failed(Errc code, const std::string& why, const std::string& hint = "") {
        return {code, "cannot add an alert of target '" + target_.name + "' to " + at_.shown + ": " + why,
                hint};
    }
    Error lost() {
        const bool late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT);
        const std::string why = late ? "it does not answer in time" : context_->errstr;
        context_.reset();
        return failed(late ? Errc::timeout : Errc::unavailable, why);
    }
    Result<store::Reply> ask(const std::vector<std::string>& words) {
        std::vector<const char*> at;
        std::vector<std::size_t> sizes;
        for (const auto& word : words) at.push_back(word.data()), sizes.push_back(word.size());
        store::Reply reply(static_cast<redisReply*>(
            redisCommandArgv(context_.get(), int(words.size()), at.data(), sizes.data())));
        if (!reply) return lost();
        if (reply->type != REDIS_REPLY_ERROR) return reply;
        const std::string said(store::text(*reply));
        const std::string word = said.substr(0, said.find(' '));
        if (word == "WRONGPASS" || word == "NOAUTH" || word == "NOPERM" ||
            said.find("password") != said.npos) {
            context_.reset();
            return failed(Errc::unavailable, "it does not let us in (" + word + ")",
                          "check user and password of the secret that the target names");
        }
        if (word == "WRONGTYPE") return failed(Errc::unavailable, "the key " + stream_ + " is no stream");
        return failed(Errc::io, said.substr(0, 200));
    }
    Result<void> connect() {
        context_.reset(
            at_.host.empty()
                ? redisConnectUnixWithTimeout(at_.path.c_str(), as_timeval(target_.connect_s))
                : redisConnectWithTimeout(at_.host.c_str(), at_.port, as_timeval(target_.connect_s)));
        if (!context_) return failed(Errc::unavailable, "there is no memory for a connection");
        if (context_->err) return lost();
        redisSetTimeout(context_.get(), as_timeval(target_.timeout_s));
        if (!secret_.empty()) {
            const auto secret = host_.secrets.find(secret_);
            if (!secret) {
                context_.reset();
                return Error{Errc::unavailable, secret.error().message, secret.error().hint};
            }
            std::vector<std::string> words{"AUTH"};
            if (!secret->user.empty()) words.push_back(secret->user);
            words.push_back(secret->password);
            if (auto ok = ask(words); !ok) return ok.error();
        }
        if (at_.db != 0)
            if (auto ok = ask({"SELECT", std::to_string(at_.db)}); !ok) return ok.error();
        return {};
    }
    Result<void> add(const schema::Alert& alert) {
        if (!context_)
            if (auto ok = connect(); !ok) return ok;
        auto added =
            ask({"XADD", stream_, "MAXLEN", "~", maxlen_, "*", "key", alert.key(), "kind", alert.kind,
                 "camera", alert.camera.empty() ? alert.stream : alert.camera, "alert", alert_json(alert)});
        return added ? Result<void>{} : added.error();
    }

    const Target target_;
    const store::RedisAddress at_;
    const std::string secret_, stream_, maxlen_;
    const SinkHost& host_;
    std::unique_ptr<redisContext, ContextDelete> context_;
};

Result<std::unique_ptr<Sink>> open(const Target& target, const SinkHost& host) {
    auto options = Options::read(target, {"url", "secret", "stream", "maxlen"});
    if (!options) return options.error();
    const std::string url = options->needed("url"), secret = options->text("secret"),
                      stream = options->text("stream", "sightline:alerts");
    const auto maxlen = options->number("maxlen", 100'000, 1, 1'000'000'000);
    if (auto ok = options->check(); !ok) return ok.error();
    auto at = store::parse_redis_url(url);
    if (!at)
        options->mistake(at.error().message, at.error().hint);
    else if (!at->password.empty() || !at->user.empty())
        options->mistake("its url holds credentials", "keep them among the secrets, and name them here");
    if (auto ok = options->check(); !ok) return ok.error();
    return std::unique_ptr<Sink>(
        std::make_unique<RedisStreamSink>(target, *at, secret, stream, maxlen, host));
}

}  // namespace

extern const SinkPlugin sink_redis_stream{"redis_stream", "entries of a Redis stream (url, stream)", &open};

}  // namespace sl::alert
