#include "common/bus/endpoint.hpp"

#include <charconv>

namespace sl::bus {

Result<BrokerEndpoints> broker_endpoints(const std::string& endpoint) {
    const Error bad{Errc::invalid_argument, "'" + endpoint + "' is no broker endpoint",
                    "write tcp://HOST:PORT or ipc:///path/to/socket"};
    if (endpoint.starts_with("ipc://") || endpoint.starts_with("inproc://")) {
        const std::size_t scheme = endpoint.find("://") + 3;
        if (endpoint.size() == scheme) return bad;
        // sockaddr_un.sun_path holds 108 bytes; the longest name here is PATH.workers.
        if (endpoint.starts_with("ipc://") && endpoint.size() - scheme > 98)
            return Error{Errc::invalid_argument,
                         "the socket path of '" + endpoint + "' is longer than 98 bytes",
                         "choose a shorter folder: the kernel's limit for socket paths is 107"};
        return BrokerEndpoints{endpoint, endpoint + ".workers", endpoint + ".events"};
    }
    const std::size_t colon = endpoint.rfind(':');
    if (!endpoint.starts_with("tcp://") || colon <= 6) return bad;
    int port = 0;
    const char* end = endpoint.data() + endpoint.size();
    const auto [at, ec] = std::from_chars(endpoint.data() + colon + 1, end, port);
    if (ec != std::errc{} || at != end || port < 1 || port > 65533) return bad;
    const std::string host = endpoint.substr(0, colon + 1);
    return BrokerEndpoints{endpoint, host + std::to_string(port + 1), host + std::to_string(port + 2)};
}

}  // namespace sl::bus
