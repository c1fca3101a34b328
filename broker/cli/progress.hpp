// How far a job is, on stderr: a bar on a terminal, otherwise a plain line every tenth of the way.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sl::cli {

class Progress {
public:
    Progress();
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(const std::string& stage, std::int64_t done, std::int64_t total);
    // Takes the bar off the terminal, so that another line can be printed; the next show brings it back.
    void clear();

private:
    double rate(std::int64_t done);

    const bool terminal_;
    bool drawn_ = false;
    int tenth_ = 0;   // last one told
    double fps_ = 0;  // smoothed
    std::int64_t counted_ = 0;
    std::chrono::steady_clock::time_point since_{};
};

// "[##########----------]  50 %  detect    398/795 frames  120 fps  0:03 left": `width` columns at most.
std::string progress_text(const std::string& stage, std::int64_t done, std::int64_t total, double fps,
                          int width);

}  // namespace sl::cli
