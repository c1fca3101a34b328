#include "common/bus/dead_sockets.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace sl::bus {
namespace {

bool young(const struct stat& info) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    const auto ms = [](const timespec& t) { return t.tv_sec * 1000 + t.tv_nsec / 1'000'000; };
    return ms(now) - ms(info.st_mtim) < 500;
}

bool refused(const std::string& path) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    if (path.size() >= sizeof at.sun_path) return false;
    std::memcpy(at.sun_path, path.c_str(), path.size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const bool dead =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 && errno == ECONNREFUSED;
    ::close(fd);
    return dead;
}

}  // namespace

void remove_dead_sockets(const std::string& folder) {
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ec)) {
        const std::string path = entry.path().string();
        struct stat info {};
        if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode) && !young(info) && refused(path))
            ::unlink(path.c_str());
    }
}

}  // namespace sl::bus
