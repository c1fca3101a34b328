// The audit trail as JSON lines: {"id","time_ns","topic","kind","job","body"} each, in order.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/files.hpp"
#include "common/store/audit.hpp"

namespace sl::store {
namespace {

using Json = nlohmann::ordered_json;

Error io_error(const std::string& what, const std::string& path) {
    return {Errc::io, "cannot " + what + " audit file " + path + ": " + std::strerror(errno),
            errno == ENOSPC ? "free some space on that disk" : "check folder and permissions"};
}

std::string as_line(const LogEntry& entry) {
    Json body = Json::parse(entry.body, nullptr, false);
    if (body.is_discarded()) body = {{"text", entry.body}};
    const Json line{{"id", entry.id.text()}, {"time_ns", entry.time_ns}, {"topic", entry.topic},
                    {"kind", entry.kind},    {"job", entry.job},         {"body", std::move(body)}};
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

class JsonlAudit final : public Audit {
public:
    JsonlAudit(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    ~JsonlAudit() override { ::close(fd_); }
    JsonlAudit(const JsonlAudit&) = delete;
    JsonlAudit& operator=(const JsonlAudit&) = delete;

    // Locks the file for us, cuts a torn last line off and learns the position from the last whole one.
    Result<void> recover() {
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
            return Error{Errc::conflict, "cannot open audit file " + path_ + ": another process writes it",
                         "give each process a file of its own"};
        size_ = ::lseek(fd_, 0, SEEK_END);
        if (size_ < 0) return io_error("read", path_);
        std::string tail;  // the file's end, from the line before the last newline on
        off_t begin = size_;
        std::size_t end = std::string::npos, line = std::string::npos;
        while (begin > 0 && line == std::string::npos) {
            std::string block(std::size_t(std::min<off_t>(begin, 1 << 16)), '\0');
            begin -= off_t(block.size());
            if (::pread(fd_, block.data(), block.size(), begin) != ssize_t(block.size()))
                return io_error("read", path_);
            tail.insert(0, block);
            end = tail.rfind('\n');
            if (end != std::string::npos && end > 0) line = tail.rfind('\n', end - 1);
        }
        const off_t whole = end == std::string::npos ? 0 : begin + off_t(end) + 1;
        if (whole != size_ && ::ftruncate(fd_, whole) != 0) return io_error("mend", path_);
        size_ = whole;
        if (end == std::string::npos) return {};
        const std::size_t first = line == std::string::npos ? 0 : line + 1;
        auto json = Json::parse(tail.substr(first, end - first), nullptr, false);
        const auto id =
            parse_log_id(json.is_object() && json["id"].is_string() ? json["id"].get<std::string>() : "");
        if (!id)
            return Error{Errc::conflict,
                         "cannot continue audit file " + path_ + ": its last line is not ours",
                         "name another file, or move this one away"};
        position_ = *id;
        return {};
    }

    Result<LogId> position() override { return position_; }

    Result<void> append(std::span<const LogEntry> entries) override {
        std::string text;
        for (const LogEntry& entry : entries)
            if (entry.audit && entry.id > position_) text += as_line(entry);
        if (!text.empty()) {
            if (auto ok = write(text); !ok) {
                // What was written of it goes, so that a repeated append cannot double a line.
                if (::ftruncate(fd_, size_) != 0) return io_error("mend", path_);
                return ok;
            }
            size_ += off_t(text.size());
        }
        if (!entries.empty()) position_ = std::max(position_, entries.back().id);
        return {};
    }

private:
    Result<void> write(const std::string& text) {
        for (std::size_t at = 0; at < text.size();) {
            const ssize_t n = ::pwrite(fd_, text.data() + at, text.size() - at, size_ + off_t(at));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return io_error("write", path_);
            at += std::size_t(n);
        }
        if (::fdatasync(fd_) != 0) return io_error("flush to disk", path_);
        return {};
    }

    int fd_;
    std::string path_;
    off_t size_ = 0;
    LogId position_;
};

}  // namespace

Result<std::unique_ptr<Audit>> jsonl_audit(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return io_error("open", path);
    auto audit = std::make_unique<JsonlAudit>(fd, path);
    if (auto ok = audit->recover(); !ok) return ok.error();
    const auto folder = std::filesystem::absolute(path).parent_path().string();
    if (auto ok = files::sync(folder); !ok) return ok.error();  // the file's name, should it be new
    return std::unique_ptr<Audit>(std::move(audit));
}

}  // namespace sl::store
