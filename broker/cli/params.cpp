#include "broker/cli/params.hpp"

#include <charconv>
#include <map>

#include "common/zone_json.hpp"

namespace sl::cli {

using nlohmann::json;

std::pair<std::string, std::string> halves(const std::string& text) {
    const auto equals = std::min(text.find('='), text.size());
    return {text.substr(0, equals), equals < text.size() ? text.substr(equals + 1) : ""};
}

void JobParams::add_to(CLI::App& command) {
    command.add_option("--preset", preset, "one of `sightline presets`")->capture_default_str();
    command.add_option("--pipeline", pipeline, "one of `sightline pipelines`")->capture_default_str();
    command.add_option("--set", set, "a parameter over the preset's: NAME=VALUE (repeatable)")
        ->allow_extra_args(false);
    command.add_option("--zones", zones, "YAML file with zones, and rules about them");
    command.add_option("--rules", rules, "YAML file with alert rules (and zones), in place of others");
}

Result<json> JobParams::to_json() const {
    json params = json::object();
    for (const std::string& item : set) {
        const auto [name, text] = halves(item);
        // "0.4" is a number, "[a, b]" a list, anything that is no JSON a text.
        json value = json::parse(text, nullptr, false);
        params[name] = value.is_discarded() ? json(text) : value;
    }
    for (const std::string& file : {zones, rules}) {
        if (file.empty()) continue;
        auto loaded = load_zones_file(file);
        if (!loaded) return loaded.error();
        params.update(*loaded);
    }
    return params;
}

Result<double> seconds_of(const std::string& text) {
    static const std::map<char, double> units{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    double value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view unit(end, std::size_t(text.data() + text.size() - end));
    const auto factor = unit.size() == 1 ? units.find(unit[0]) : units.end();
    if (ec != std::errc{} || value < 0 || (!unit.empty() && factor == units.end()))
        return Error{Errc::invalid_argument, "cannot read '" + text + "' as a time",
                     "write 7d, 12h, 30m or 90s"};
    return unit.empty() ? value : value * factor->second;
}

}  // namespace sl::cli
