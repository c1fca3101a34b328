// Logs: one line an event, a stable event id first, then key=value pairs. To stderr; JSON when asked.
//   log::info("worker_joined", "worker={} stage={}", id, stage);
#pragma once

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

namespace sl::log {

struct Options {
    std::string level = "info";  // trace debug info warn error off
    bool json = false;
    std::string name;  // process: "broker", "detect", …
};
void setup(const Options& options);

void write(spdlog::level::level_enum level, std::string_view event, std::string_view text);

template <typename... A>
void debug(std::string_view event, fmt::format_string<A...> f, A&&... a) {
    if (spdlog::should_log(spdlog::level::debug))
        write(spdlog::level::debug, event, fmt::format(f, std::forward<A>(a)...));
}
template <typename... A>
void info(std::string_view event, fmt::format_string<A...> f, A&&... a) {
    write(spdlog::level::info, event, fmt::format(f, std::forward<A>(a)...));
}
template <typename... A>
void warn(std::string_view event, fmt::format_string<A...> f, A&&... a) {
    write(spdlog::level::warn, event, fmt::format(f, std::forward<A>(a)...));
}
template <typename... A>
void error(std::string_view event, fmt::format_string<A...> f, A&&... a) {
    write(spdlog::level::err, event, fmt::format(f, std::forward<A>(a)...));
}

}  // namespace sl::log
