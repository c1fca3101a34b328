// Keys on real sockets: who has one is let in where it is meant for, everybody else is refused, counted and
// named once; and connections that never say who they are go away by themselves.
//
//   socket under test (CURVE server) + Gate ◀── clients of this test, with and without keys
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/bus/gate.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"

namespace sl::bus {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct KeyFolder : ::testing::Test {
    const std::filesystem::path dir = std::filesystem::temp_directory_path() / ("sl-keys-" + make_ulid());
    void TearDown() override { std::filesystem::remove_all(dir); }
    std::string file(const std::string& name) const { return dir / name; }
    static mode_t mode(const std::string& path) {
        struct stat info {};
        EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
        return info.st_mode & 07777;
    }
};

// --- files ---------------------------------------------------------------------------------------------

TEST_F(KeyFolder, NewKeysAreTheOwnersAlone) {
    ASSERT_TRUE(make_keys(dir));
    EXPECT_EQ(mode(dir), 0700);
    EXPECT_EQ(mode(file("fleet.key")), 0600);
    EXPECT_EQ(mode(file("client.key")), 0600);
    const auto fleet = load_keys(file("fleet.key")), client = load_keys(file("client.key"));
    ASSERT_TRUE(fleet) << fleet.error().text();
    ASSERT_TRUE(client) << client.error().text();
    EXPECT_TRUE(fleet->of_fleet());
    EXPECT_FALSE(client->of_fleet());
    EXPECT_EQ(client->server.public_key, fleet->server.public_key);
    EXPECT_EQ(fleet->clients.at("client"), client->own.public_key);
    EXPECT_NE(client->own.secret_key, fleet->own.secret_key);
}

TEST_F(KeyFolder, NothingIsOverwritten) {
    ASSERT_TRUE(make_keys(dir));
    const auto before = load_keys(file("fleet.key"));
    EXPECT_EQ(make_keys(dir).error().code, Errc::conflict);
    EXPECT_EQ(add_client(dir, "client").error().code, Errc::conflict);
    EXPECT_EQ(add_client(dir, "fleet").error().code, Errc::conflict);
    std::filesystem::remove(file("fleet.key"));
    EXPECT_EQ(make_keys(dir).error().code, Errc::conflict);  // the client's is there
    EXPECT_FALSE(std::filesystem::exists(file("fleet.key")));
}

TEST_F(KeyFolder, AddedClientsAreInBothFiles) {
    ASSERT_TRUE(make_keys(dir));
    ASSERT_TRUE(add_client(dir, "gate"));
    const auto fleet = load_keys(file("fleet.key")), gate = load_keys(file("gate.key"));
    ASSERT_TRUE(fleet && gate);
    EXPECT_EQ(fleet->clients.size(), 2u);
    EXPECT_EQ(fleet->clients.at("gate"), gate->own.public_key);
    EXPECT_EQ(mode(file("fleet.key")), 0600);
    EXPECT_EQ(add_client(dir, "../x").error().code, Errc::invalid_argument);
}

TEST_F(KeyFolder, WhatOthersMayReadIsNoKey) {
    ASSERT_TRUE(make_keys(dir));
    for (const mode_t open : {0640, 0604, 0620, 0666}) {
        ASSERT_EQ(::chmod(file("fleet.key").c_str(), open), 0);
        const auto keys = load_keys(file("fleet.key"));
        ASSERT_FALSE(keys);
        EXPECT_THAT(keys.error().text(), HasSubstr("chmod 600"));
    }
}

TEST_F(KeyFolder, OtherFilesAreNoKeys) {
    EXPECT_EQ(load_keys(file("none")).error().code, Errc::not_found);
    ASSERT_TRUE(make_keys(dir));
    std::ifstream in(file("fleet.key"));
    const std::string whole(std::istreambuf_iterator<char>(in), {});
    std::string short_key = whole;
    short_key.erase(short_key.find("\"secret\": \"") + 11, 1);
    for (const std::string& text :
         {std::string(), std::string("[]"), std::string("{}"), std::string("{\"sightline\": 7}"),
          std::string("{\"server\": \"x\"}"), whole.substr(0, whole.size() / 2), short_key}) {
        const std::string path = file("bad.key");
        std::ofstream(path) << text;
        ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
        EXPECT_EQ(load_keys(path).error().code, Errc::invalid_argument) << text;
    }
}

// --- where a socket may listen -------------------------------------------------------------------------

TEST_F(KeyFolder, ClosedByDefault) {
    ASSERT_TRUE(make_keys(dir));
    const Security closed, insecure{std::nullopt, true};
    const Security keyed = *Security::open(file("fleet.key"), false);
    const Security client = *Security::open(file("client.key"), false);
    for (const char* local :
         {"ipc:///tmp/x", "inproc://x", "tcp://127.0.0.1:5550", "tcp://127.8.7.6:*", "tcp://localhost:1"}) {
        EXPECT_TRUE(closed.may_listen(local)) << local;
        EXPECT_FALSE(insecure.open_to_all(local)) << local;
        EXPECT_FALSE(client.may_listen(local)) << local;
    }
    for (const char* open : {"tcp://*:5550", "tcp://0.0.0.0:5550", "tcp://10.0.0.5:5550", "tcp://eth0:5550",
                             "tcp://127.0.0.1.example.org:5550", "tcp://1270.0.0.1:1", "tcp://[::]:5550",
                             "tcp://localhost.example.org:1", "udp://127.0.0.1:1", "127.0.0.1:1", ""}) {
        const auto refused = closed.may_listen(open);
        ASSERT_FALSE(refused) << open;
        EXPECT_THAT(refused.error().text(), HasSubstr("sightline keys new"));
        EXPECT_TRUE(insecure.may_listen(open)) << open;
        EXPECT_TRUE(insecure.open_to_all(open)) << open;
        EXPECT_TRUE(keyed.may_listen(open)) << open;
        EXPECT_FALSE(keyed.open_to_all(open)) << open;
    }
    zmq::context_t context;
    auto socket = make_socket(context, Kind::pull);
    EXPECT_EQ(bus::bind(socket, "tcp://*:*").error().code, Errc::invalid_argument);
    EXPECT_EQ(bus::bind(socket, "tcp://*:*", &closed).error().code, Errc::invalid_argument);
    EXPECT_TRUE(bus::bind(socket, "tcp://*:*", &insecure));
}

// --- connections ---------------------------------------------------------------------------------------

struct Curve : KeyFolder {
    zmq::context_t server_context, client_context;
    Security fleet, client, stranger;

    void SetUp() override {
        ASSERT_TRUE(make_keys(dir));
        ASSERT_TRUE(make_keys(dir / "other"));
        fleet = *Security::open(file("fleet.key"), false);
        client = *Security::open(file("client.key"), false);
        stranger = *Security::open(dir / "other/fleet.key", false);
    }
    // A stranger that knows the fleet's public key, but has a key of its own making.
    Security forger() const {
        Security forged = stranger;
        forged.keys->server.public_key = fleet.keys->server.public_key;
        return forged;
    }
    static std::string listen(zmq::socket_t& socket, const Security* security) {
        const auto ok = bus::bind(socket, "tcp://127.0.0.1:*", security);
        EXPECT_TRUE(ok) << ok.error().text();
        return socket.get(zmq::sockopt::last_endpoint);
    }
    static bool readable(zmq::socket_t& socket, std::chrono::milliseconds limit = 20s) {
        zmq::pollitem_t p{socket.handle(), 0, ZMQ_POLLIN, 0};
        return zmq::poll(&p, 1, limit) > 0;
    }
    static void say(zmq::socket_t& socket, const std::string& text) {
        std::vector<zmq::message_t> frames;
        frames.emplace_back(text.data(), text.size());
        EXPECT_TRUE(send(socket, frames));
    }
    // What the last frame of the next message says.
    static std::string hear(zmq::socket_t& socket) {
        if (!readable(socket)) return "nothing";
        auto frames = receive(socket);
        return frames ? frames->back().to_string() : "nothing";
    }
    static bool wait(const std::function<bool()>& done) {
        const auto until = Clock::now() + 20s;
        while (!done() && Clock::now() < until) std::this_thread::sleep_for(5ms);
        return done();
    }
    // A dealer or pusher that waits until it is connected: none of its messages is queued for nobody.
    zmq::socket_t caller(Kind kind, const std::string& endpoint, const Security* security) {
        auto socket = make_socket(client_context, kind, security);
        socket.set(zmq::sockopt::immediate, true);
        EXPECT_TRUE(bus::connect(socket, endpoint));
        return socket;
    }
    static bool writable(zmq::socket_t& socket, std::chrono::milliseconds limit) {
        zmq::pollitem_t p{socket.handle(), 0, ZMQ_POLLOUT, 0};
        return zmq::poll(&p, 1, limit) > 0;
    }
};

TEST_F(Curve, EachKeyOpensItsOwnDoors) {
    struct Door {
        Kind server, caller;
        bool clients;
    };
    for (const Door& door :
         {Door{Kind::jobs_router, Kind::dealer, true}, Door{Kind::workers_router, Kind::dealer, false},
          Door{Kind::pull, Kind::push_any, false}, Door{Kind::pull_home, Kind::push_home, false}}) {
        auto server = make_socket(server_context, door.server, &fleet);
        Gate gate(server_context, &fleet);
        gate.watch(server, "test");
        const std::string endpoint = listen(server, &fleet);
        auto worker = caller(door.caller, endpoint, &fleet);
        ASSERT_TRUE(writable(worker, 20s));
        say(worker, "worker");
        EXPECT_EQ(hear(server), "worker");
        EXPECT_EQ(gate.refused(), 0u);

        auto guest = caller(door.caller, endpoint, &client);
        if (door.clients) {
            ASSERT_TRUE(writable(guest, 20s));
            say(guest, "client");
            EXPECT_EQ(hear(server), "client");
        } else {
            EXPECT_TRUE(wait([&] { return gate.refused() > 0; }));
        }
        // Without a key, with keys of another fleet, with a key of one's own making.
        const Security none, forged = forger();
        for (const Security& wrong : {none, stranger, forged}) {
            const auto before = gate.refused();
            auto bad = caller(door.caller, endpoint, &wrong);
            EXPECT_TRUE(wait([&] { return gate.refused() > before; }));
            EXPECT_FALSE(writable(bad, 0ms));
        }
        EXPECT_FALSE(readable(server, 0ms));
        say(worker, "still here");
        EXPECT_EQ(hear(server), "still here");
    }
}

TEST_F(Curve, EventsGoToThoseWithAKey) {
    auto server = make_socket(server_context, Kind::events_xpub, &fleet);
    Gate gate(server_context, &fleet);
    gate.watch(server, "events");
    const std::string endpoint = listen(server, &fleet);
    const Security none;
    auto good = make_socket(client_context, Kind::events_sub, &client),
         bad = make_socket(client_context, Kind::events_sub, &none);
    for (auto* s : {&bad, &good}) {
        s->set(zmq::sockopt::subscribe, "");
        ASSERT_TRUE(bus::connect(*s, endpoint));
    }
    EXPECT_EQ(hear(server), std::string(1, '\1'));  // one subscription: of the one that was let in
    EXPECT_TRUE(wait([&] { return gate.refused() > 0; }));
    say(server, "event");
    EXPECT_EQ(hear(good), "event");
    EXPECT_FALSE(readable(bad, 0ms));
    EXPECT_FALSE(readable(server, 0ms));
}

TEST_F(Curve, UnixSocketsAreLockedToo) {
    auto server = make_socket(server_context, Kind::pull, &fleet);
    Gate gate(server_context, &fleet);
    gate.watch(server, "data");
    const std::string endpoint = "ipc://" + file("socket");
    ASSERT_TRUE(bus::bind(server, endpoint, &fleet));
    const Security none;
    auto bad = caller(Kind::push_any, endpoint, &none);
    auto good = caller(Kind::push_any, endpoint, &fleet);
    ASSERT_TRUE(writable(good, 20s));
    say(good, "worker");
    EXPECT_EQ(hear(server), "worker");
    EXPECT_FALSE(writable(bad, 0ms));
}

TEST_F(Curve, ClientsComeAndGoWhileItServes) {
    auto server = make_socket(server_context, Kind::jobs_router, &fleet);
    Gate gate(server_context, &fleet);
    gate.watch(server, "jobs");
    const std::string endpoint = listen(server, &fleet);
    ASSERT_TRUE(add_client(dir, "late"));
    const Security late = *Security::open(file("late.key"), false);
    {
        auto socket = caller(Kind::dealer, endpoint, &late);
        EXPECT_TRUE(writable(socket, 20s));
    }
    std::ifstream in(file("fleet.key"));
    std::string text(std::istreambuf_iterator<char>(in), {});
    const auto at = text.find(late.keys->own.public_key);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, 40, client.keys->own.public_key);  // its key is not in the list any more
    std::ofstream(file("next")) << text;
    ASSERT_EQ(::chmod(file("next").c_str(), 0600), 0);
    std::filesystem::rename(file("next"), file("fleet.key"));
    auto socket = caller(Kind::dealer, endpoint, &late);
    EXPECT_TRUE(wait([&] { return gate.refused() > 0; }));
    EXPECT_FALSE(writable(socket, 0ms));
}

TEST_F(Curve, WhoIsRefusedIsNamedOnce) {
    const auto log = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1000);
    const auto before = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log));
    const auto count = [&](const std::string& text) {
        const auto lines = log->last_formatted();
        return std::count_if(lines.begin(), lines.end(),
                             [&](const auto& line) { return line.find(text) != std::string::npos; });
    };
    {
        auto server = make_socket(server_context, Kind::workers_router, &fleet);
        Gate gate(server_context, &fleet);
        gate.watch(server, "workers");
        const std::string endpoint = listen(server, &fleet);
        const Security none, forged = forger();
        auto plain = caller(Kind::dealer, endpoint, &none), bad = caller(Kind::dealer, endpoint, &forged);
        // Which side sees first that only one has keys is a race; the other sees a closed connection.
        const std::string keyless = "socket=workers address=127.0.0.1 why=one side has keys",
                          closed = "socket=workers address=127.0.0.1 why=it spoke another protocol",
                          unknown = "socket=workers address=127.0.0.1 why=its key is not admitted";
        EXPECT_TRUE(wait([&] { return count(keyless) + count(closed) > 0 && count(unknown) > 0; }));
        for (int i = 0; i < 6; ++i) {
            const auto seen = gate.refused();
            auto again = caller(Kind::dealer, endpoint, &none);
            EXPECT_TRUE(wait([&] { return gate.refused() > seen; }));
        }
        EXPECT_LE(count(keyless), 1);
        EXPECT_LE(count(closed), 1);
        EXPECT_EQ(count(unknown), 1);
    }
    spdlog::set_default_logger(before);
}

// --- churn ---------------------------------------------------------------------------------------------

int descriptors() {
    int n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
    return n;
}

class Raw {  // a plain TCP connection
public:
    explicit Raw(const std::string& endpoint) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(std::uint16_t(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    }
    ~Raw() { close(); }
    Raw(Raw&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Raw& operator=(Raw&&) = delete;
    void write(const std::string& text) const {
        [[maybe_unused]] const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    // Waits for the end of what the other side sends: it has closed the connection.
    bool closed_by_peer() const {
        std::array<char, 256> buffer{};
        timeval limit{20, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ssize_t n = 1;
        while (n > 0) n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        return n == 0 || errno == ECONNRESET;
    }

private:
    int fd_;
};

TEST_F(Curve, ChurnLeavesNothingAndDisturbsNobody) {
    auto server = make_socket(server_context, Kind::jobs_router, &fleet);
    Gate gate(server_context, &fleet);
    gate.watch(server, "jobs");
    const std::string endpoint = listen(server, &fleet);
    auto good = caller(Kind::dealer, endpoint, &client);
    ASSERT_TRUE(writable(good, 20s));
    const int before = descriptors();

    const std::string greeting =
        std::string("\xff\0\0\0\0\0\0\0\1\x7f\3", 11) + "\1CURVE" + std::string(15, '\0');
    const std::vector<std::string> openings{
        "",
        greeting.substr(0, 10),
        greeting,
        greeting + std::string(32, '\0') + std::string("\4\xc8\5HELLO", 8),
        "GET / HTTP/1.1\r\n\r\n",
        std::string(4096, '\xff'),
        std::string(64, '\0'),
        "\xff"};
    std::vector<Raw> silent;  // these keep their end open
    for (int i = 0; i < 2000; ++i) {
        Raw raw(endpoint);
        raw.write(openings[std::size_t(i) % openings.size()]);
        if (i % 10 == 0) silent.push_back(std::move(raw));
        if (i % 100 == 0) {  // meanwhile work goes on
            say(good, std::to_string(i));
            EXPECT_EQ(hear(server), std::to_string(i));
        }
    }
    for (const Raw& raw : silent) EXPECT_TRUE(raw.closed_by_peer());
    const int ours = int(silent.size());
    EXPECT_TRUE(wait([&] { return descriptors() <= before + ours + 8; }))
        << descriptors() << " descriptors, before: " << before << ", of this test: " << ours;
    EXPECT_GT(gate.refused(), 1000u);
    say(good, "end");
    EXPECT_EQ(hear(server), "end");
}

}  // namespace
}  // namespace sl::bus
