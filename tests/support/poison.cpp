// Preloaded into the workers of a test fleet: one packet of a clip kills what decodes it, as a decoder's bug
// would. Only that packet (by its size), only in workers of the named stage, only while the file exists.
//
//   SIGHTLINE_POISON_SIZE   bytes of the packet
//   SIGHTLINE_POISON_STAGE  word of the command line: preprocess, annotate
//   SIGHTLINE_POISON_FILE   delete it and the poison is harmless
#include <dlfcn.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace {

bool is_poisoned_stage() {
    std::ifstream in("/proc/self/cmdline", std::ios::binary);
    const std::string words((std::istreambuf_iterator<char>(in)), {});
    const char* stage = std::getenv("SIGHTLINE_POISON_STAGE");
    return stage && words.find('\0' + std::string(stage) + '\0') != std::string::npos;
}

}  // namespace

extern "C" int avcodec_send_packet(AVCodecContext* context, const AVPacket* packet) {
    using Send = int (*)(AVCodecContext*, const AVPacket*);
    static const auto send = reinterpret_cast<Send>(dlsym(RTLD_NEXT, "avcodec_send_packet"));
    static const bool poisoned = is_poisoned_stage();
    const char* size = std::getenv("SIGHTLINE_POISON_SIZE");
    const char* file = std::getenv("SIGHTLINE_POISON_FILE");
    if (poisoned && packet && size && packet->size == std::atoi(size) && file && access(file, F_OK) == 0)
        std::raise(SIGSEGV);
    return send(context, packet);
}
