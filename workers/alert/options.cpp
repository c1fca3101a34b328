#include "workers/alert/options.hpp"

#include <algorithm>

namespace sl::alert {
namespace {

Error refuse(const Target& target, const std::string& why, const std::string& hint) {
    return {Errc::invalid_argument,
            "cannot open alert target '" + target.name + "' (sink " + target.sink + "): " + why, hint};
}

}  // namespace

Result<nlohmann::json> read_options(const Target& target, const std::vector<std::string>& known) {
    std::string keys;
    for (const std::string& key : known) keys += (keys.empty() ? "" : ", ") + key;
    auto options = nlohmann::json::parse(target.options.empty() ? "{}" : target.options, nullptr, false);
    if (!options.is_object()) return refuse(target, "its options are not a JSON object", "its keys: " + keys);
    for (const auto& [key, value] : options.items())
        if (std::ranges::find(known, key) == known.end())
            return refuse(target, "it knows no option '" + key + "'", "its keys: " + keys);
    return options;
}

Result<std::string> text_option(const Target& target, const nlohmann::json& options, const std::string& key,
                                const std::string& fallback) {
    const auto at = options.find(key);
    if (at == options.end()) return fallback;
    if (!at->is_string()) return refuse(target, "its option '" + key + "' is not a string", "");
    return at->get<std::string>();
}

}  // namespace sl::alert
