// Security: what of this process may listen where, and with which keys. Closed by default: without keys a
// socket is bound to ipc, inproc or loopback only, unless somebody said `insecure`.
#pragma once

#include <optional>
#include <string>

#include "common/bus/keys.hpp"

namespace sl::bus {

struct Security {
    std::optional<Keys> keys;
    bool insecure = false;

    // `key_file` may be empty: no keys. Errors: those of load_keys.
    static Result<Security> open(const std::string& key_file, bool insecure);

    // invalid_argument: that endpoint is open to others, and nothing keeps them out.
    Result<void> may_listen(const std::string& endpoint) const;

    // Anybody who reaches this endpoint may take part.
    bool open_to_all(const std::string& endpoint) const;
};

// ipc://, inproc://, and tcp:// on 127.0.0.0/8 or localhost: only this host can connect.
bool is_local(const std::string& endpoint);

}  // namespace sl::bus
