#include "common/bus/security.hpp"

#include <arpa/inet.h>

namespace sl::bus {

bool is_local(const std::string& endpoint) {
    if (endpoint.starts_with("ipc://") || endpoint.starts_with("inproc://")) return true;
    constexpr std::size_t scheme = 6;  // tcp://
    if (!endpoint.starts_with("tcp://")) return false;
    const std::string host = endpoint.substr(scheme, endpoint.rfind(':') - scheme);
    in_addr address{};
    return host == "localhost" ||
           (inet_pton(AF_INET, host.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

Result<Security> Security::open(const std::string& key_file, bool insecure) {
    Security out{std::nullopt, insecure};
    if (key_file.empty()) return out;
    auto keys = load_keys(key_file);
    if (!keys) return keys.error();
    out.keys = std::move(*keys);
    return out;
}

Result<void> Security::may_listen(const std::string& endpoint) const {
    if (keys && !keys->of_fleet())
        return Error{Errc::invalid_argument,
                     "cannot listen on " + endpoint + ": " + keys->file + " is the key of a client",
                     "brokers and workers need the fleet's own, fleet.key"};
    if (keys || insecure || is_local(endpoint)) return {};
    return Error{Errc::invalid_argument,
                 "cannot listen on " + endpoint + ": other hosts could connect, and no keys are configured",
                 "make keys with `sightline keys new DIR` and name them in security.keys, or allow everybody "
                 "with --insecure"};
}

bool Security::open_to_all(const std::string& endpoint) const {
    return !keys && !is_local(endpoint);
}

}  // namespace sl::bus
