// Clips: small videos of every kind that breaks naive cutting, made once per test program with ffmpeg, and
// the plain sequential decode that everything is compared with.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

struct AVFrame;

namespace sl::test {

// A folder that is removed when the program ends.
const std::string& scratch();

struct Clip {
    std::string name;        // file name; its ending chooses the container
    std::string command{};   // shell command that writes "$OUT"; empty: real footage, see path()
    bool times_lie = false;  // container's pts are missing or wrong
    bool damaged = false;    // only counts and times are comparable
    std::string recut{};     // expected part of the recut reason; empty: cut as it is
    std::string audio{};     // expected StreamInfo.audio
};

inline void PrintTo(const Clip& clip, std::ostream* out) {
    *out << clip.name;
}  // for gtest

const std::vector<Clip>& clips();
const Clip& clip(const std::string& name);

// Makes the clip when it is not there yet. Empty: it cannot be had on this machine; `why` says the reason
// (real footage that the environment does not name). With SIGHTLINE_REQUIRE_DATA=1 that is a failure.
std::string path(const Clip& clip, std::string& why);

// Runs a shell command; returns its exit status, `output` is stdout and stderr together.
int shell(const std::string& command, std::string* output = nullptr);

struct Shown {
    std::int64_t pts = 0;
    std::string hash;  // of the visible pixels
    bool operator==(const Shown&) const = default;
};

std::string pixel_hash(const AVFrame& frame);

struct TimeBase {
    int num = 0;
    int den = 1;
};

// Opens the file with libav alone and decodes its best video stream from the first packet to the last.
TimeBase decode_sequentially(const std::string& path, const std::function<void(const AVFrame&)>& each);
std::vector<Shown> decode_sequentially(const std::string& path, TimeBase* time_base = nullptr);

}  // namespace sl::test
