// The fuzz targets without a fuzzer: every seed, and some thousands of bytes that were seeds once. The same
// each time; `scripts/check fuzz` goes further.
#include <gtest/gtest.h>

#include <random>

#include "tests/fuzz/target.hpp"

namespace sl::fuzz {
namespace {

class Mutator {
public:
    explicit Mutator(std::vector<Bytes> seeds) : seeds_(std::move(seeds)) {}

    Bytes next() {
        Bytes bytes = seeds_[pick(seeds_.size())];
        for (std::size_t n = 1 + pick(4); n > 0; --n) mutate(bytes);
        return bytes;
    }

private:
    std::size_t pick(std::size_t n) { return n == 0 ? 0 : std::size_t(rng_() % n); }
    void mutate(Bytes& bytes) {
        const std::size_t at = pick(bytes.size());
        const auto here = bytes.begin() + std::ptrdiff_t(at);
        // Kinds of msgpack that are long, deep or of another type.
        static constexpr std::uint8_t odd[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc7,
                                               0xca, 0xcf, 0xd3, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff, '\n'};
        switch (pick(7)) {
            case 0:
                if (!bytes.empty()) bytes[at] = std::uint8_t(bytes[at] ^ (1u << pick(8)));
                break;
            case 1:
                if (!bytes.empty()) bytes[at] = odd[pick(std::size(odd))];
                break;
            case 2:
                bytes.resize(at);
                break;
            case 3:
                bytes.insert(here, odd[pick(std::size(odd))]);
                break;
            case 4:
                bytes.erase(here, here + std::ptrdiff_t(pick(bytes.size() - at)));
                break;
            case 5: {  // the rest is another seed's
                const Bytes& other = seeds_[pick(seeds_.size())];
                bytes.resize(at);
                bytes.insert(bytes.end(), other.begin() + std::ptrdiff_t(pick(other.size())), other.end());
                break;
            }
            default: {  // twice
                const Bytes piece(here, here + std::ptrdiff_t(std::min<std::size_t>(bytes.size() - at, 16)));
                bytes.insert(bytes.begin() + std::ptrdiff_t(at), piece.begin(), piece.end());
            }
        }
    }

    const std::vector<Bytes> seeds_;
    std::mt19937_64 rng_{1};
};

class Fuzz : public testing::TestWithParam<const Target*> {};

INSTANTIATE_TEST_SUITE_P(, Fuzz, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& p) { return std::string(p.param->name); });

TEST_P(Fuzz, SeedsAndWhatIsLikeThem) {
    const auto seeds = GetParam()->seeds();
    ASSERT_FALSE(seeds.empty());
    for (const auto& seed : seeds) {
        ASSERT_FALSE(seed.empty());
        GetParam()->run(seed);
    }
    GetParam()->run({});
    Mutator mutator(seeds);
    for (int i = 0; i < 4000; ++i) GetParam()->run(mutator.next());
}

}  // namespace
}  // namespace sl::fuzz
