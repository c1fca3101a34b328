// Fuzz targets: each reads bytes that somebody else wrote, by the reader of production, and holds what must
// be true of them. Run by libFuzzer (scripts/check fuzz) and, for seconds and with mutated seeds, by
// fuzz_test.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sl::fuzz {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

struct Target {
    const char* name;
    void (*run)(View bytes);  // never throws; aborts when something is wrong
    std::vector<Bytes> (*seeds)();
};

extern const Target target_messages, target_packets, target_records, target_requests, target_yaml;
std::span<const Target* const> targets();

// Golden messages of the releases, in the order of their names.
std::vector<Bytes> golden_messages();
std::string source_dir();

// Ends the program with the reason unless `holds`: found by libFuzzer and by a test alike.
void check(bool holds, const char* what);

}  // namespace sl::fuzz
