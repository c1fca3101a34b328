#include "broker/cli/client.hpp"

#include "broker/cli/fleet_hint.hpp"
#include "broker/cli/interrupt.hpp"
#include "common/bus/endpoint.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"
#include "common/spelling.hpp"

namespace sl::cli {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {
constexpr milliseconds two_rounds{500};
}

Error refusal(const json& reply) {
    const std::string code = reply.value("code", "INTERNAL");
    const bool away = code == "ADMISSION_REJECT" || code == "POOL_UNAVAILABLE";
    Error error{away ? Errc::unavailable : code_from_name(code),
                reply.value("message", "the broker refused: " + code), reply.value("hint", "")};
    if (const auto seconds = reply.value("retry_after_s", 0.0); seconds > 0 && error.hint.empty())
        error.hint = "try again in " + std::to_string(static_cast<int>(seconds + 0.999)) + " s";
    return error;
}

Result<void> Client::open() {
    zmq::socket_t socket = bus::make_socket(context_, bus::Kind::dealer, &options_.security);
    for (const std::string& endpoint : options_.endpoints) {
        if (auto good = bus::broker_endpoints(endpoint); !good) return good.error();
        if (auto ok = bus::connect(socket, endpoint); !ok) return ok;
    }
    socket_ = std::move(socket);
    return {};
}

// The reply to `req`, if it is there; replies to earlier requests are passed over.
Result<std::optional<json>> Client::receive(const std::string& req) {
    while (auto frames = bus::receive(*socket_)) {
        if (frames->size() < 2 || (*frames)[0].to_string_view() != schema::protocol_id)
            return Error{Errc::unsupported_version,
                         "cannot talk to " + join(options_.endpoints, " or ") + ": it does not speak " +
                             std::string(schema::protocol_id),
                         "check that the endpoint is a broker's jobs socket, of this release"};
        const auto& map = (*frames)[1];
        const auto* begin = map.data<std::uint8_t>();
        json reply = json::from_msgpack(begin, begin + map.size(), true, false);
        if (!reply.is_object()) return Error{Errc::bad_message, "the broker's reply is no map", ""};
        if (reply.value("req", "") == req) return std::optional(std::move(reply));
    }
    return std::optional<json>();
}

Result<json> Client::request(json fields) {
    fields["req"] = make_ulid();
    const std::vector<std::uint8_t> bytes = json::to_msgpack(fields);
    const auto deadline = Clock::now() + options_.timeout;
    const auto left = [](Clock::time_point until) {
        return std::chrono::ceil<milliseconds>(until - Clock::now());
    };
    if (!socket_)
        if (auto ok = open(); !ok) return ok.error();
    const bool several = options_.endpoints.size() > 1;
    auto patience = several ? std::min(options_.resend, two_rounds) : options_.resend;
    bool sent = false;
    for (; Clock::now() < deadline; patience *= several ? 1 : 2) {
        const auto until = std::min(deadline, Clock::now() + patience);
        if (wait_for(*socket_, ZMQ_POLLOUT, left(until))) {
            std::vector<zmq::message_t> frames;
            frames.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
            frames.emplace_back(bytes.data(), bytes.size());
            sent = bus::send(*socket_, frames) || sent;
        }
        while (wait_for(*socket_, ZMQ_POLLIN, left(until))) {
            auto reply = receive(fields["req"]);
            if (!reply) return reply.error();
            if (!*reply) continue;
            if ((*reply)->value("ok", false)) return std::move(**reply);
            return refusal(**reply);
        }
        if (interrupted()) return interrupted_error();
    }
    return Error{Errc::unavailable,
                 "cannot reach the broker at " + join(options_.endpoints, " or ") + ": " +
                     (sent ? "no answer" : "nobody listens there") + " within " +
                     std::to_string(options_.timeout.count() / 1000) + " s",
                 sent ? "look at its log; its Redis may be away" : no_fleet_hint};
}

}  // namespace sl::cli
