// Alerts as JSON lines in a file ({"path": …}), appended and flushed to disk, or in the program's log when
// there is no path. An alert whose key stands in the last megabyte of the file is not written again, whoever
// wrote it: processes may share the file.
#include "common/log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "common/alert_json.hpp"
#include "common/files.hpp"
#include "workers/alert/options.hpp"

namespace sl::alert {
namespace {

constexpr off_t looked_back = 1 << 20;  // bytes of the file's end that are searched for keys
constexpr std::size_t max_known = 50'000;
constexpr auto lock_wait = std::chrono::seconds(2);

class LogSink final : public Sink {
public:
    Result<void> send(const schema::Alert& alert) override {
        log::info("alert", "{}", alert_json(alert));
        return {};
    }
};

struct Fd {
    int fd;
    ~Fd() {
        if (fd >= 0) ::close(fd);
    }
};

class FileSink final : public Sink {
public:
    explicit FileSink(std::string path) : path_(std::move(path)) {}

    // Opened for each alert, so the file may be moved away at any time.
    Result<void> send(const schema::Alert& alert) override {
        const Fd file{::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
        if (file.fd < 0) return failed("open");
        if (auto ok = lock(file.fd); !ok) return ok;
        if (auto ok = learn(file.fd); !ok) return ok;
        if (!known_.contains(alert.key())) {
            // A line that a crash tore stays, ended, as a line of its own.
            const std::string text = (torn_ ? "\n" : "") + alert_json(alert) + "\n";
            for (std::size_t at = 0; at < text.size();) {
                const ssize_t n = ::write(file.fd, text.data() + at, text.size() - at);
                if (n < 0 && errno == EINTR) continue;
                if (n < 0) return failed("write");
                at += std::size_t(n);
            }
        }
        if (::fdatasync(file.fd) != 0)
            return failed("flush to disk");  // of a known one too: its writer may have died
        return {};
    }

    Result<void> check() {
        const Fd file{::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
        if (file.fd < 0) return failed("open");
        return {};
    }

private:
    Error failed(const std::string& what) const {
        return {Errc::io, "cannot " + what + " alert file " + path_ + ": " + std::strerror(errno),
                errno == ENOSPC ? "free some space on that disk" : "check folder and permissions"};
    }

    Result<void> lock(int fd) const {
        const auto end = std::chrono::steady_clock::now() + lock_wait;
        while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK && errno != EINTR) return failed("lock");
            if (std::chrono::steady_clock::now() > end)
                return Error{Errc::timeout, "cannot lock alert file " + path_ + ": another process holds it",
                             ""};
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return {};
    }

    // Reads what was appended since the last look; all within reach when the file is another one.
    Result<void> learn(int fd) {
        struct stat now {};
        if (::fstat(fd, &now) != 0) return failed("read");
        if (now.st_ino != inode_ || now.st_size < read_to_ || known_.size() > max_known) {
            if (auto ok = files::sync(std::filesystem::absolute(path_).parent_path().string()); !ok)
                return ok;
            known_.clear();
            inode_ = now.st_ino;
            read_to_ = 0;
        }
        const off_t begin = std::max(read_to_, now.st_size - looked_back);
        std::string text(std::size_t(now.st_size - begin), '\0');
        if (::pread(fd, text.data(), text.size(), begin) != ssize_t(text.size())) return failed("read");
        torn_ = !text.empty() && text.back() != '\n';
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            if (!json.is_object()) continue;
            if (const auto alert = alert_from_json(line)) known_.insert(alert->key());
        }
        const auto last = text.rfind('\n');
        if (last != std::string::npos)
            read_to_ = begin + off_t(last) + 1;  // an unfinished line is read again
        return {};
    }

    std::string path_;
    std::set<std::string> known_;
    ino_t inode_ = 0;
    off_t read_to_ = 0;
    bool torn_ = false;
};

Result<std::unique_ptr<Sink>> open(const Target& target, const SinkHost&) {
    auto options = Options::read(target, {"path"});
    if (!options) return options.error();
    const std::string path = options->text("path");
    if (auto ok = options->check(); !ok) return ok.error();
    if (path.empty()) return std::unique_ptr<Sink>(std::make_unique<LogSink>());
    auto sink = std::make_unique<FileSink>(path);
    if (auto ok = sink->check(); !ok) return ok.error();
    return std::unique_ptr<Sink>(std::move(sink));
}

}  // namespace

extern const SinkPlugin sink_log{"log", "JSON lines in a file (path), or the program's own log", &open};

}  // namespace sl::alert
