#include "workers/alert/options.hpp"

#include <algorithm>

#include "common/spelling.hpp"

namespace sl::alert {

void Options::mistake(const std::string& why, const std::string& hint) {
    if (mistake_)
        mistake_ = Error{Errc::invalid_argument,
                         "cannot open alert target '" + name_ + "' (sink " + sink_ + "): " + why, hint};
}

Result<Options> Options::read(const Target& target, const std::vector<std::string>& known) {
    Options o(target);
    const std::string keys = "its keys: " + join(known);
    o.map_ = nlohmann::json::parse(target.options.empty() ? "{}" : target.options, nullptr, false);
    if (!o.map_.is_object()) {
        o.mistake("its options are not a JSON object", keys);
        return o.mistake_.error();
    }
    for (const auto& [key, value] : o.map_.items())
        if (std::find(known.begin(), known.end(), key) == known.end())
            o.mistake("it knows no option '" + key + "'", keys);
    if (!o.mistake_) return o.mistake_.error();
    return o;
}

std::string Options::text(const std::string& key, const std::string& fallback) {
    const auto at = map_.find(key);
    if (at == map_.end()) return fallback;
    if (at->is_string()) return at->get<std::string>();
    mistake("its option '" + key + "' is not a string");
    return fallback;
}

std::string Options::needed(const std::string& key) {
    std::string value = text(key);
    if (value.empty()) mistake("it needs the option '" + key + "'");
    return value;
}

std::string Options::one_of(const std::string& key, const std::vector<std::string>& choices) {
    std::string value = text(key, choices.front());
    if (std::find(choices.begin(), choices.end(), value) == choices.end())
        mistake("its option '" + key + "' cannot be '" + value + "'", "one of: " + join(choices));
    return value;
}

std::int64_t Options::number(const std::string& key, std::int64_t fallback, std::int64_t least,
                             std::int64_t most) {
    const auto at = map_.find(key);
    if (at == map_.end()) return fallback;
    if (at->is_number_integer() && *at >= least && *at <= most) return at->get<std::int64_t>();
    mistake("its option '" + key + "' is no whole number of " + std::to_string(least) + " to " +
            std::to_string(most));
    return fallback;
}

bool Options::flag(const std::string& key, bool fallback) {
    const auto at = map_.find(key);
    if (at == map_.end()) return fallback;
    if (at->is_boolean()) return at->get<bool>();
    mistake("its option '" + key + "' is neither true nor false");
    return fallback;
}

std::map<std::string, std::string> Options::texts(const std::string& key) {
    std::map<std::string, std::string> out;
    const auto at = map_.find(key);
    if (at == map_.end()) return out;
    if (!at->is_object()) mistake("its option '" + key + "' is not a map");
    for (const auto& [name, value] : at->items())
        if (value.is_string())
            out[name] = value.get<std::string>();
        else if (value.is_number_integer())
            out[name] = std::to_string(value.get<std::int64_t>());
        else
            mistake("its option '" + key + "." + name + "' is neither a string nor a whole number");
    return out;
}

}  // namespace sl::alert
