// Http: POSTs of one sink to one URL over a connection that is kept, in bounded time. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workers/alert/options.hpp"

namespace sl::alert {

class Http {
public:
    // The options that it reads: url (http or https, without credentials), ca_file (PEM; empty: the
    // system's), verify (true: the receiver's certificate is checked).
    static std::vector<std::string> options(std::vector<std::string> others);
    static Http open(const Target& target, Options& options);
    Http(Http&&) noexcept;
    ~Http();

    // Who we are, for receivers that ask. auth: "digest", "basic", or "" for nobody.
    void log_in(const std::string& auth, const Secret& secret);

    struct Part {  // of a multipart body
        std::string name, filename, type;
        std::string_view bytes;
    };
    // 2xx is well. unavailable, timeout: the receiver is away, or does not let us in (401, 403, 407).
    // io: it answered that it cannot now (408, 425, 429, 5xx). invalid_argument: it will never take this.
    Result<void> post(const std::vector<std::string>& headers, std::string_view body);
    Result<void> post(const std::vector<std::string>& headers, const std::vector<Part>& parts);

    std::string local_address() const;  // of the connection; empty: none yet

private:
    struct State;
    explicit Http(std::unique_ptr<State> state);
    Result<void> perform(const std::vector<std::string>& headers);

    std::unique_ptr<State> state_;
};

// Fit for a header, whatever a job is named: what is no visible ASCII becomes '_'.
std::string header_value(std::string text);

}  // namespace sl::alert
