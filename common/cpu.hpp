// CPU class: float kernels differ in the last bits between classes, so a job is pinned to the first it meets.
#pragma once

namespace sl {

// "avx512", "avx2", "sse" (what x86-64 always has), or "neon" on 64-bit ARM. Asked of this machine.
const char* cpu_class();

}  // namespace sl
