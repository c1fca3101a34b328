// A camera reader for bench/gate: URL, frames a second looked at, gating (1 or 0), seconds. Prints as JSON
// what it cost from the first frame on, and what came of it.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/log.hpp"
#include "common/media/libav.hpp"
#include "common/media/motion.hpp"
#include "workers/ingest/camera_reader.hpp"

namespace {

double cpu_s() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto s = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
    return s(usage.ru_utime) + s(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::cerr << "usage: gate_camera URL FPS GATING SECONDS\n";
        return 2;
    }
    sl::log::setup({"off", false, "gate"});
    sl::schema::Camera camera;
    camera.camera = "bench";
    camera.url = argv[1];
    camera.fps = std::atof(argv[2]);
    camera.motion.on = std::atoi(argv[3]) != 0;
    const sl::Secrets secrets("");
    std::atomic<int> frames = 0;
    std::atomic<double> luma_us = 0;  // of looking at the cells of the last frame once more
    sl::ingest::CameraReader reader(camera, secrets, [&](sl::ingest::LiveFrame frame) {
        if (frames++ == 20) {
            const auto from = std::chrono::steady_clock::now();
            for (int i = 0; i < 20; ++i) sl::media::cells_of(*frame.i420);
            luma_us =
                std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count() /
                20;
        }
    });
    const auto began = std::chrono::steady_clock::now();
    while (frames == 0 && std::chrono::steady_clock::now() - began < std::chrono::seconds(30))
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const double before = cpu_s();
    std::this_thread::sleep_for(std::chrono::duration<double>(std::atof(argv[4])));
    const double cpu = cpu_s() - before;
    reader.stop();
    const auto report = reader.status().report;
    std::cout << nlohmann::json{{"cpu_s", cpu},
                                {"captured", report.captured},
                                {"sampled", report.sampled},
                                {"gated", report.gated},
                                {"width", report.width},
                                {"error", report.error},
                                {"luma_us", luma_us.load()}}
              << "\n";
    return report.sampled > 0 ? 0 : 1;
}
