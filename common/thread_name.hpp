// Names the calling thread for top, gdb and the benchmarks: 15 characters count. A process's main thread
// keeps the program's name, by which people look for it.
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <string>

namespace sl {

inline void name_thread(const std::string& name) {
    if (gettid() != getpid()) pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace sl
