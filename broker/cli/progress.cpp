#include "broker/cli/progress.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sl::cli {
namespace {

int columns() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double share(std::int64_t done, std::int64_t total) {
    return total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0;
}

}  // namespace

std::string progress_text(const std::string& stage, std::int64_t done, std::int64_t total, double fps,
                          int width) {
    std::string text =
        fmt::format("{:3.0f} %  {:<8}  {}/{} frames", 100 * share(done, total), stage, done, total);
    if (fps > 0) text += fmt::format("  {:.0f} fps", fps);
    if (fps > 0 && done < total) {
        const auto left = static_cast<std::int64_t>(static_cast<double>(total - done) / fps + 0.5);
        text += fmt::format("  {}:{:02} left", left / 60, left % 60);
    }
    const int bar = std::clamp(width - static_cast<int>(text.size()) - 4, 0, 40);
    if (bar < 5) return text.substr(0, static_cast<std::size_t>(std::max(width, 0)));
    const auto full = static_cast<int>(share(done, total) * bar);
    return "[" + std::string(full, '#') + std::string(bar - full, '-') + "] " + text;
}

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1) {}

double Progress::rate(std::int64_t done) {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - since_).count();
    if (since_.time_since_epoch().count() == 0 || done < counted_) {
        counted_ = done;
        since_ = now;
    } else if (seconds >= 0.5 && done > counted_) {
        const double fresh = static_cast<double>(done - counted_) / seconds;
        fps_ = fps_ == 0 ? fresh : 0.6 * fps_ + 0.4 * fresh;
        counted_ = done;
        since_ = now;
    }
    return fps_;
}

void Progress::show(const std::string& stage, std::int64_t done, std::int64_t total) {
    const double fps = rate(done);
    if (terminal_) {
        std::fprintf(stderr, "\r\033[K%s", progress_text(stage, done, total, fps, columns() - 1).c_str());
        std::fflush(stderr);
        drawn_ = true;
        return;
    }
    const int tenth = static_cast<int>(share(done, total) * 10);
    if (tenth > tenth_) std::fprintf(stderr, "%s\n", progress_text(stage, done, total, fps, 0x7fff).c_str());
    tenth_ = tenth;
}

void Progress::clear() {
    if (!drawn_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

}  // namespace sl::cli
