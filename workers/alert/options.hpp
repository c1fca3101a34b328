// A sink's own settings: Target.options, a JSON object, read with the mistakes named.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "workers/alert/sink.hpp"

namespace sl::alert {

class Options {
public:
    // invalid_argument: no JSON object, or a key that is not among `known`; the hint lists them.
    static Result<Options> read(const Target& target, const std::vector<std::string>& known);

    // The value under a key, or the fallback when it is not there. The first mistake is kept for check().
    std::string text(const std::string& key, const std::string& fallback = "");
    std::string needed(const std::string& key);  // a mistake when it is not there, or empty
    std::string one_of(const std::string& key,
                       const std::vector<std::string>& choices);  // default: the first
    std::int64_t number(const std::string& key, std::int64_t fallback, std::int64_t least, std::int64_t most);
    bool flag(const std::string& key, bool fallback);
    std::map<std::string, std::string> texts(const std::string& key);  // a map of texts
    // Something that only the sink can find wrong.
    void mistake(const std::string& why, const std::string& hint = "");

    Result<void> check() const { return mistake_; }  // invalid_argument: the first mistake

private:
    explicit Options(const Target& target) : name_(target.name), sink_(target.sink) {}
    std::string name_, sink_;
    nlohmann::json map_;
    Result<void> mistake_;
};

}  // namespace sl::alert
