// libFuzzer's entry: FUZZ_TARGET names the target.
#include "tests/fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    sl::fuzz::FUZZ_TARGET.run({data, size});
    return 0;
}
