// Secrets: users and passwords by name, of cameras and of whoever alerts are sent to. Records, messages and
// configuration hold only the name; the value is looked up where it is used, and appears nowhere else.
#pragma once

#include <atomic>
#include <string>

#include "schema/result.hpp"

namespace sl {

struct Secret {
    std::string user, password;  // user empty: none
};

// May be used by several threads.
class Secrets {
public:
    // `file`: config secrets.file; empty: environment only. It need not exist yet.
    explicit Secrets(std::string file);
    // The variable SIGHTLINE_SECRET_{NAME} ("user:password"; NAME in capitals, what is no letter or digit as
    // '_'), else NAME: {user: …, password: …} of the file. The file is read again each time, so that a
    // changed password counts from the next connection. Warns once when others may read the file.
    // not_found says where it looked, invalid_argument what is wrong with the file; never with a value.
    Result<Secret> find(const std::string& name) const;

private:
    const std::string file_;
    mutable std::atomic<bool> warned_ = false;
};

// Every "scheme://user:password@" in the text as "scheme://": for URLs, and for errors that hold some.
std::string without_credentials(const std::string& text);
bool has_credentials(const std::string& url);
// The text with the password as "***", be it plain, URL-encoded, or (with its user) in base64; without
// credentials in URLs, too. For what others (libav, a server) say.
std::string redacted(std::string text, const Secret& secret);
// "scheme://user:password@rest", URL-encoded. Only for a library that takes it in no other way.
std::string with_credentials(const std::string& url, const Secret& secret);

}  // namespace sl
