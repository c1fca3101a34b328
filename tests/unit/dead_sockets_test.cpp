// Sockets of the dead go, everything else stays.
#include "common/bus/dead_sockets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/server_process.hpp"

namespace {

// A listening socket; its file outlives the descriptor.
int listen_on(const std::string& path) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(fd, 1), 0);
    return fd;
}

void age(const std::string& path, int seconds) {
    timespec times[2] = {{0, UTIME_OMIT}, {::time(nullptr) - seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

TEST(DeadSockets, GoAndTheRestStays) {
    const sl::test::ScratchFolder folder("dead");
    const auto in = [&](const char* name) { return folder.path() + "/" + name; };
    const int alive = listen_on(in("alive"));
    ::close(listen_on(in("dead")));
    ::close(listen_on(in("young")));
    std::ofstream(in("file")) << "audit";
    for (const char* name : {"alive", "dead", "file"}) age(in(name), 5);
    age(in("young"), -5);  // however slow this machine is, it is not old yet

    sl::bus::remove_dead_sockets(folder.path());
    EXPECT_TRUE(std::filesystem::exists(in("alive")));
    EXPECT_FALSE(std::filesystem::exists(in("dead")));
    EXPECT_TRUE(std::filesystem::exists(in("young")));
    EXPECT_TRUE(std::filesystem::exists(in("file")));
    ::close(alive);
    sl::bus::remove_dead_sockets(folder.path() + "/none");  // no folder, nothing to do
}

}  // namespace
