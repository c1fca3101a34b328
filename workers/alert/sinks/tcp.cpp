// Alerts as JSON lines over one TCP connection that is kept. The receiver answers each with a line
// "ack KEY" once it has it, or "nack KEY WHY" when it cannot now; it removes doubles by the key.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "common/alert_json.hpp"
#include "workers/alert/options.hpp"

namespace sl::alert {
namespace {

using Time = std::chrono::steady_clock;
constexpr std::size_t longest_answer = 4096;

int left_ms(Time::time_point end) {
    return int(
        std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(end - Time::now()).count()));
}

class TcpSink final : public Sink {
public:
    TcpSink(const Target& target, std::string host, std::int64_t port)
        : target_(target), host_(std::move(host)), port_(port) {}
    ~TcpSink() override { close(); }

    Result<void> send(const schema::Alert& alert) override {
        const auto end = in(target_.timeout_s);
        auto sent = exchange(alert, end);
        // The receiver may have ended a connection that was kept: that is no failure of this alert.
        if (!sent && sent.error().code == Errc::unavailable && was_kept_) sent = exchange(alert, end);
        if (!sent && sent.error().code != Errc::io) close();
        return sent;
    }

private:
    static Time::time_point in(double seconds) {
        return Time::now() + std::chrono::milliseconds(std::int64_t(seconds * 1000));
    }
    Error failed(Errc code, const std::string& why) const {
        return {code,
                "cannot send an alert of target '" + target_.name + "' to " + host_ + ":" +
                    std::to_string(port_) + ": " + why,
                ""};
    }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
        received_.clear();
    }

    Result<void> exchange(const schema::Alert& alert, Time::time_point end) {
        was_kept_ = fd_ >= 0;
        if (!was_kept_)
            if (auto ok = connect(std::min(end, in(target_.connect_s))); !ok) return ok;
        if (auto ok = write(alert_json(alert) + "\n", end); !ok) return ok;
        const std::string key = alert.key();
        while (true) {
            auto line = read_line(end);
            if (!line) return line.error();
            if (*line == "ack " + key) return {};
            const std::string nack = "nack " + key;
            if (line->rfind(nack, 0) == 0 && (line->size() == nack.size() || (*line)[nack.size()] == ' '))
                return failed(Errc::io, "it answered: " + line->substr(0, 200));
            if (line->rfind("ack ", 0) == 0) continue;  // late, of an alert that was given up waiting for
            close();
            return failed(Errc::unavailable, "it answered neither ack nor nack");
        }
    }

    Result<void> connect(Time::time_point end) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int none = ::getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &found);
        if (none != 0) return failed(Errc::unavailable, ::gai_strerror(none));
        Error why = failed(Errc::unavailable, "it has no address");
        for (const addrinfo* at = found; at && fd_ < 0; at = at->ai_next) {
            fd_ = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (fd_ < 0) continue;
            int error = ::connect(fd_, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
            if (error == EINPROGRESS) {
                if (auto ok = wait(POLLOUT, end); !ok) {
                    error = ETIMEDOUT;
                } else {
                    socklen_t size = sizeof error;
                    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
                }
            }
            if (error == 0) break;
            why = failed(error == ETIMEDOUT ? Errc::timeout : Errc::unavailable, std::strerror(error));
            close();
        }
        ::freeaddrinfo(found);
        if (fd_ < 0) return why;
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return {};
    }
    Result<void> wait(short what, Time::time_point end) {
        while (true) {
            pollfd p{fd_, what, 0};
            const int n = ::poll(&p, 1, left_ms(end));
            if (n > 0) return {};
            if (n == 0) return failed(Errc::timeout, "it does not answer in time");
            if (errno != EINTR) return failed(Errc::unavailable, std::strerror(errno));
        }
    }
    Result<void> write(const std::string& text, Time::time_point end) {
        for (std::size_t at = 0; at < text.size();) {
            const ssize_t n = ::send(fd_, text.data() + at, text.size() - at, MSG_NOSIGNAL);
            if (n >= 0) {
                at += std::size_t(n);
            } else if (errno == EAGAIN) {
                if (auto ok = wait(POLLOUT, end); !ok) return ok;
            } else if (errno != EINTR) {
                const int error = errno;
                close();
                return failed(Errc::unavailable, std::strerror(error));
            }
        }
        return {};
    }
    Result<std::string> read_line(Time::time_point end) {
        while (true) {
            if (const auto at = received_.find('\n'); at != std::string::npos) {
                std::string line = received_.substr(0, at);
                received_.erase(0, at + 1);
                if (!line.empty() && line.back() == '\r') line.pop_back();
                return line;
            }
            char bytes[512];
            const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
            if (n > 0 && received_.size() < longest_answer) {
                received_.append(bytes, std::size_t(n));
            } else if (n >= 0) {
                close();
                return failed(Errc::unavailable,
                              n == 0 ? "it ended the connection" : "its answer has no end");
            } else if (errno == EAGAIN) {
                if (auto ok = wait(POLLIN, end); !ok) return ok.error();
            } else if (errno != EINTR) {
                const int error = errno;
                close();
                return failed(Errc::unavailable, std::strerror(error));
            }
        }
    }

    const Target target_;
    const std::string host_;
    const std::int64_t port_;
    int fd_ = -1;
    bool was_kept_ = false;  // the connection of the last exchange was there before it
    std::string received_;
};

Result<std::unique_ptr<Sink>> open(const Target& target, const SinkHost&) {
    auto options = Options::read(target, {"host", "port"});
    if (!options) return options.error();
    const std::string host = options->needed("host");
    const auto port = options->number("port", 0, 1, 65535);
    if (port == 0) options->mistake("it needs the option 'port'");
    if (auto ok = options->check(); !ok) return ok.error();
    return std::unique_ptr<Sink>(std::make_unique<TcpSink>(target, host, port));
}

}  // namespace

extern const SinkPlugin sink_tcp{"tcp", "JSON lines over TCP (host, port); the receiver acknowledges each",
                                 &open};

}  // namespace sl::alert
