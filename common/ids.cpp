#include "common/ids.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <stdexcept>

#ifndef SIGHTLINE_COMMIT
#define SIGHTLINE_COMMIT "unknown"
#endif

namespace sl {
namespace {

void fill_random(void* data, std::size_t n) {
    if (getrandom(data, n, 0) != ssize_t(n)) throw std::runtime_error("getrandom failed");
}

}  // namespace

std::uint64_t random_u64() {
    std::uint64_t v = 0;
    fill_random(&v, sizeof v);
    return v;
}

std::string make_ulid() {
    static constexpr char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    std::array<std::uint8_t, 16> bytes{};
    const auto ms = std::uint64_t(now_ns() / 1'000'000);
    for (int i = 0; i < 6; ++i) bytes[std::size_t(i)] = std::uint8_t(ms >> (40 - 8 * i));
    fill_random(bytes.data() + 6, 10);
    std::string out;
    for (int i = 0; i < 26; ++i) {  // 130 bits: two leading zeros, then 128
        int v = 0;
        for (int b = 0; b < 5; ++b) {
            const int bit = i * 5 + b - 2;
            v = v << 1 | (bit < 0 ? 0 : bytes[std::size_t(bit / 8)] >> (7 - bit % 8) & 1);
        }
        out += alphabet[v];
    }
    return out;
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string host_identity() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    return std::string(name.data()) + "/" + boot.substr(0, 8);
}

std::string process_identity() {
    static const std::string id = make_ulid();
    return id;
}

const std::string& commit() {
    static const std::string text = SIGHTLINE_COMMIT;
    return text;
}

}  // namespace sl
