#include "common/secrets.hpp"

#include <sys/stat.h>

#include <cctype>
#include <cstdlib>
#include <regex>
#include <vector>

#include "common/log.hpp"
#include "common/yaml.hpp"

namespace sl {
namespace {

std::string url_encoded(const std::string& text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~')
            out += c;
        else
            (out += '%', out += digits[byte >> 4], out += digits[byte & 15]);
    }
    return out;
}

std::string base64(const std::string& text) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        const auto byte = [&](std::size_t at) {
            return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
        };
        const unsigned bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        for (int k = 0; k < 4; ++k)
            out += i + std::size_t(k) > text.size() ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    return out;
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
    if (what.empty()) return;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
}

// "scheme://" and what stands before an '@' in the authority. A password with '@', '/' or a space in it must
// be encoded in a URL; whoever did not is caught for '@'.
const std::regex& credentials() {
    static const std::regex pattern("([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\\s]*@");
    return pattern;
}

std::string variable_of(const std::string& name) {
    std::string out = "SIGHTLINE_SECRET_";
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        out += std::isalnum(byte) ? char(std::toupper(byte)) : '_';
    }
    return out;
}

}  // namespace

Secrets::Secrets(std::string file) : file_(std::move(file)) {}

Result<Secret> Secrets::find(const std::string& name) const {
    const std::string variable = variable_of(name);
    if (const char* value = std::getenv(variable.c_str()); value && *value) {
        const std::string text = value;
        const auto colon = text.find(':');
        if (colon == std::string::npos || colon == 0)
            return Error{Errc::invalid_argument,
                         "cannot use the secret '" + name + "': " + variable + " is not user:password", ""};
        return Secret{text.substr(0, colon), text.substr(colon + 1)};
    }
    const std::string hint = "set " + variable + "=user:password, or put `" + name +
                             ": {user: …, password: …}` into the file of secrets.file";
    const auto missing = [&](const std::string& why) {
        return Error{Errc::not_found, "cannot find the secret '" + name + "': " + why, hint};
    };
    if (file_.empty()) return missing(variable + " is not set, and secrets.file is empty");
    struct stat info {};
    if (::stat(file_.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH | S_IWGRP | S_IWOTH)) &&
        !warned_.exchange(true))
        log::warn("secrets_exposed", "others than its owner may use {}; chmod 600 it", file_);
    const auto file = yaml::load(file_);
    if (!file) {
        if (file.error().code == Errc::invalid_argument)  // its words may hold a piece of the file
            return Error{Errc::invalid_argument,
                         "cannot use the secret '" + name + "': " + file_ + " is no YAML", hint};
        return missing(variable + " is not set, and " + file.error().message);
    }
    const YAML::Node entry = file->IsMap() ? (*file)[name] : YAML::Node(YAML::NodeType::Undefined);
    if (!entry.IsDefined()) return missing(variable + " is not set, and it is not in " + file_);
    const auto text = [&](const char* key) {
        const YAML::Node node = entry.IsMap() ? entry[key] : YAML::Node(YAML::NodeType::Undefined);
        return node.IsDefined() && node.IsScalar() ? node.Scalar() : "";
    };
    if (text("user").empty())
        return Error{Errc::invalid_argument,
                     "cannot use the secret '" + name + "': " + yaml::place(file_, entry) +
                         " is not {user: …, password: …}",
                     ""};
    return Secret{text("user"), text("password")};
}

std::string without_credentials(const std::string& text) {
    return std::regex_replace(text, credentials(), "$1");
}

bool has_credentials(const std::string& url) {
    return std::regex_search(url, credentials());
}

std::string redacted(std::string text, const Secret& secret) {
    text = without_credentials(text);
    const auto pair = secret.user + ":" + secret.password;
    for (const auto& form : {base64(pair), base64(secret.password), url_encoded(pair),
                             url_encoded(secret.password), secret.password})
        if (!secret.password.empty()) replace_all(text, form, "***");
    return text;
}

std::string with_credentials(const std::string& url, const Secret& secret) {
    const auto at = url.find("://");
    if (secret.user.empty() || at == std::string::npos) return url;
    return url.substr(0, at + 3) + url_encoded(secret.user) + ":" + url_encoded(secret.password) + "@" +
           url.substr(at + 3);
}

}  // namespace sl
