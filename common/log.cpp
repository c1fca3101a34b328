#include "common/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace sl::log {
namespace {
bool as_json = false;
std::string process_name;
}  // namespace

void setup(const Options& options) {
    as_json = options.json;
    process_name = options.name;
    auto logger = spdlog::stderr_color_mt("sightline");
    logger->set_level(spdlog::level::from_str(options.level));
    logger->set_pattern(as_json ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %v");
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
}

void write(spdlog::level::level_enum level, std::string_view event, std::string_view text) {
    if (!spdlog::should_log(level)) return;
    if (as_json) {
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
        const nlohmann::json line{
            {"time_ms", now},          {"level", spdlog::level::to_string_view(level).data()},
            {"process", process_name}, {"pid", getpid()},
            {"event", event},          {"text", text}};
        spdlog::log(level, "{}", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    } else if (process_name.empty()) {
        spdlog::log(level, "event={} {}", event, text);
    } else {
        spdlog::log(level, "{} event={} {}", process_name, event, text);
    }
}

}  // namespace sl::log
