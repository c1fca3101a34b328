#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/target.hpp"

namespace sl::fuzz {

std::span<const Target* const> targets() {
    static const Target* const all[] = {&target_messages, &target_packets, &target_records, &target_requests,
                                        &target_yaml};
    return all;
}

std::string source_dir() {
    const char* dir = std::getenv("SIGHTLINE_SOURCE_DIR");
    return dir ? dir : ".";
}

std::vector<Bytes> golden_messages() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(source_dir() + "/schema/golden/SL1"))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::vector<Bytes> all;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        all.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return all;
}

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: broken promise: %s\n", what);
    std::abort();
}

}  // namespace sl::fuzz
