// fuzz_seeds FOLDER: writes the seeds of every target to FOLDER/{target}/, where libFuzzer begins.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/target.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    for (const auto* target : sl::fuzz::targets()) {
        const auto folder = std::filesystem::path(argv[1]) / target->name;
        std::filesystem::create_directories(folder);
        std::size_t n = 0;
        for (const auto& seed : target->seeds())
            std::ofstream(folder / ("seed-" + std::to_string(n++)), std::ios::binary)
                .write(reinterpret_cast<const char*>(seed.data()), std::streamsize(seed.size()));
    }
}
