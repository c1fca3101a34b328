#include "common/model/fetch.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "common/files.hpp"

namespace sl::model {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

// An HTTP server on loopback, one request after the other: `answer` gets the request's text and the socket.
class Server {
public:
    explicit Server(std::function<void(const std::string& request, int fd)> answer)
        : answer_(std::move(answer)) {
        fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(fd_, 8) != 0 ||
            ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
            throw std::runtime_error("no loopback server");
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~Server() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    std::string url(const std::string& path) const {
        return "http://127.0.0.1:" + std::to_string(port_) + path;
    }
    int requests() const { return requests_; }

private:
    void serve() {
        for (int fd; (fd = ::accept(fd_, nullptr, nullptr)) >= 0; ::close(fd)) {
            std::string request;
            char c = 0;
            while (request.find("\r\n\r\n") == std::string::npos && ::recv(fd, &c, 1, 0) == 1) request += c;
            ++requests_;
            answer_(request, fd);
        }
    }

    std::function<void(const std::string&, int)> answer_;
    int fd_ = -1;
    int port_ = 0;
    std::atomic<int> requests_{0};
    std::thread thread_;
};

void put(int fd, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto n = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += std::size_t(n);
    }
}
std::string head(const std::string& status, std::size_t length, const std::string& more = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(length) +
           "\r\nConnection: close\r\n" + more + "\r\n";
}
// Until the client hangs up.
void stall(int fd) {
    char c = 0;
    while (::recv(fd, &c, 1, 0) > 0) {
    }
}

class Fetch : public testing::Test {
protected:
    Fetch() {
        for (int i = 0; i < 300000; ++i) content_ += static_cast<char>(i * 7 + i / 251);
        sum_ = files::sha256(content_);
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    ~Fetch() override { fs::remove_all(folder_); }

    void expect_fetched() {
        EXPECT_EQ(*files::read(path_), content_);
        EXPECT_FALSE(fs::exists(path_ + ".part"));
    }

    std::string content_, sum_;
    const std::string folder_ = testing::TempDir() + "fetch_test_" + std::to_string(::getpid());
    const std::string path_ = folder_ + "/model.onnx";
    FetchOptions options_;
};

TEST_F(Fetch, BringsTheFileWholeAndSaysHowFarItIs) {
    Server server([&](const std::string&, int fd) { put(fd, head("200 OK", content_.size()) + content_); });
    std::int64_t last = 0, total = 0;
    options_.progress = [&](std::int64_t done, std::int64_t all) {
        EXPECT_GE(done, last);
        last = done;
        total = all;
        return true;
    };
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_TRUE(done) << done.error().text();
    expect_fetched();
    EXPECT_EQ(last, std::int64_t(content_.size()));
    EXPECT_EQ(total, std::int64_t(content_.size()));
}

TEST_F(Fetch, FollowsARedirect) {
    Server server([&](const std::string& request, int fd) {
        if (request.starts_with("GET /old"))
            put(fd, head("302 Found", 0, "Location: /new\r\n"));
        else
            put(fd, head("200 OK", content_.size()) + content_);
    });
    ASSERT_TRUE(fetch(server.url("/old"), sum_, path_, options_));
    expect_fetched();
}

TEST_F(Fetch, KeepsNothingOfAnotherFile) {
    Server server([&](const std::string&, int fd) { put(fd, head("200 OK", 5) + "other"); });
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::invalid_argument);
    EXPECT_THAT(done.error().message, HasSubstr(sum_));
    EXPECT_THAT(done.error().message, HasSubstr(files::sha256(std::string_view("other"))));
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Fetch, SaysThatTheFileIsNotThere) {
    Server server([&](const std::string&, int fd) { put(fd, head("404 Not Found", 4) + "gone"); });
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::not_found);
    EXPECT_THAT(done.error().message, HasSubstr("404"));
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Fetch, AServerInTroubleIsWorthARetry) {
    Server server([&](const std::string&, int fd) { put(fd, head("503 Service Unavailable", 0)); });
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::unavailable);
}

TEST_F(Fetch, AServerThatIsNotThereIsUnavailable) {
    std::string url;
    {
        Server server([](const std::string&, int) {});
        url = server.url("/model.onnx");
    }
    const auto done = fetch(url, sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::unavailable);
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Fetch, GivesUpOnAStalledServerAndGoesOnFromThereNextTime) {
    const std::size_t half = content_.size() / 2;
    {
        Server server([&](const std::string&, int fd) {
            put(fd, head("200 OK", content_.size()) + content_.substr(0, half));
            stall(fd);
        });
        options_.stall_timeout_ms = 200;
        const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Errc::timeout);
        EXPECT_FALSE(fs::exists(path_));
        EXPECT_EQ(fs::file_size(path_ + ".part"), half);
    }
    std::string asked;
    Server server([&](const std::string& request, int fd) {
        asked = request;
        put(fd,
            head("206 Partial Content", content_.size() - half,
                 "Content-Range: bytes " + std::to_string(half) + "-" + std::to_string(content_.size() - 1) +
                     "/" + std::to_string(content_.size()) + "\r\n") +
                content_.substr(half));
    });
    ASSERT_TRUE(fetch(server.url("/model.onnx"), sum_, path_, options_));
    EXPECT_THAT(asked, HasSubstr("Range: bytes=" + std::to_string(half) + "-"));
    expect_fetched();
}

TEST_F(Fetch, StartsOverWhenTheServerCannotGoOn) {
    std::ofstream(path_ + ".part") << "the beginning of something";
    Server server([&](const std::string&, int fd) { put(fd, head("200 OK", content_.size()) + content_); });
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_EQ(server.requests(), 2);
    expect_fetched();
}

TEST_F(Fetch, TakesAPartThatIsWholeAlready) {
    std::ofstream(path_ + ".part") << content_;
    Server server([&](const std::string&, int fd) { put(fd, head("416 Range Not Satisfiable", 0)); });
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_TRUE(done) << done.error().text();
    expect_fetched();
}

TEST_F(Fetch, KeepsThePartWhenTheServerIsAway) {
    std::ofstream(path_ + ".part") << content_.substr(0, 1000);
    Server server([&](const std::string&, int fd) { put(fd, head("503 Service Unavailable", 0)); });
    ASSERT_FALSE(fetch(server.url("/model.onnx"), sum_, path_, options_));
    EXPECT_EQ(fs::file_size(path_ + ".part"), 1000u);
}

TEST_F(Fetch, StopsWhenTold) {
    Server server([&](const std::string&, int fd) {
        put(fd, head("200 OK", content_.size()) + content_.substr(0, 1000));
        stall(fd);
    });
    options_.progress = [](std::int64_t, std::int64_t) { return false; };
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::canceled);
    EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Fetch, RefusesWhatIsTooLarge) {
    Server server([&](const std::string&, int fd) { put(fd, head("200 OK", content_.size()) + content_); });
    options_.max_bytes = 1000;
    const auto done = fetch(server.url("/model.onnx"), sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::invalid_argument);
}

TEST_F(Fetch, RefusesOtherProtocols) {
    const auto done = fetch("file:///etc/hostname", sum_, path_, options_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::invalid_argument);
}

TEST_F(Fetch, TriesTheUrlsOfAModelInTurn) {
    Server server([&](const std::string& request, int fd) {
        if (request.starts_with("GET /first"))
            put(fd, head("404 Not Found", 0));
        else
            put(fd, head("200 OK", content_.size()) + content_);
    });
    Manifest manifest;
    manifest.name = "some";
    manifest.file = "some.onnx";
    manifest.sha256 = sum_;
    manifest.urls = {server.url("/first"), server.url("/second")};
    const auto path = fetch_model(manifest, folder_ + "/new", options_);
    ASSERT_TRUE(path) << path.error().text();
    EXPECT_EQ(*files::read(*path), content_);
    manifest.urls.pop_back();
    manifest.file = "other.onnx";
    const auto none = fetch_model(manifest, folder_, options_);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::not_found);
    EXPECT_THAT(none.error().message, HasSubstr("/first"));
}

}  // namespace
}  // namespace sl::model
