// Alerts as JSON (schema/json/alert.schema.json), each a POST. The receiver removes doubles by the header
// Idempotency-Key. With a secret each is signed: X-Sightline-Signature is "sha256=" and the HMAC of
// "{X-Sightline-Timestamp}.{body}" in hex, the secret's password the key; a receiver refuses old timestamps.
#include <openssl/hmac.h>

#include "common/alert_json.hpp"
#include "common/ids.hpp"
#include "workers/alert/http.hpp"

namespace sl::alert {
namespace {

std::string hmac_sha256(const std::string& key, const std::string& text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), key.data(), int(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), digest, &size);
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        hex += "0123456789abcdef"[digest[i] >> 4];
        hex += "0123456789abcdef"[digest[i] & 15];
    }
    return hex;
}

class WebhookSink final : public Sink {
public:
    WebhookSink(Http http, std::string secret, const SinkHost& host)
        : http_(std::move(http)), secret_(std::move(secret)), host_(host) {}

    Result<void> send(const schema::Alert& alert) override {
        const std::string body = alert_json(alert);
        const std::string time = std::to_string(now_ns() / 1'000'000'000);
        std::vector<std::string> headers{"Content-Type: application/json",
                                         "Idempotency-Key: " + header_value(alert.key()),
                                         "X-Sightline-Timestamp: " + time};
        if (!secret_.empty()) {
            const auto secret = host_.secrets.find(secret_);
            if (!secret) return Error{Errc::unavailable, secret.error().message, secret.error().hint};
            headers.push_back("X-Sightline-Signature: sha256=" +
                              hmac_sha256(secret->password, time + "." + body));
        }
        return http_.post(headers, body);
    }

private:
    Http http_;
    const std::string secret_;
    const SinkHost& host_;
};

Result<std::unique_ptr<Sink>> open(const Target& target, const SinkHost& host) {
    auto options = Options::read(target, Http::options({"secret"}));
    if (!options) return options.error();
    const std::string secret = options->text("secret");
    auto http = Http::open(target, *options);
    if (auto ok = options->check(); !ok) return ok.error();
    return std::unique_ptr<Sink>(std::make_unique<WebhookSink>(std::move(http), secret, host));
}

}  // namespace

extern const SinkPlugin sink_webhook{"webhook", "JSON by HTTP POST (url), signed (secret)", &open};

}  // namespace sl::alert
