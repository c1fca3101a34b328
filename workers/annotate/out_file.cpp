#include "workers/annotate/out_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/files.hpp"

namespace sl::annotate {
namespace {
constexpr std::size_t buffer_bytes = 64 << 10;

Error file_error(const char* what, const std::string& path, int code) {
    return {files::code_of(code), std::string("cannot ") + what + " " + path + ": " + std::strerror(code),
            files::hint_of(code)};
}

// path.tmp, complete and on the disk, becomes path.
Result<void> take_name(const std::string& path) {
    const std::string tmp = path + ".tmp";
    if (::rename(tmp.c_str(), path.c_str()) != 0) {
        const Error error = file_error("rename into place", tmp, errno);
        ::unlink(tmp.c_str());
        return error;
    }
    return files::sync(std::filesystem::path(path).parent_path().string());
}
}  // namespace

Result<OutFile> OutFile::create(const std::string& path) {
    const std::string tmp = path + ".tmp";
    const int fd = ::open(tmp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return file_error("create", tmp, errno);
    return OutFile(path, fd);
}

OutFile::OutFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {
    buffer_.reserve(buffer_bytes);
}

OutFile::OutFile(OutFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      error_(other.error_),
      buffer_(std::move(other.buffer_)) {}

OutFile::~OutFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink((path_ + ".tmp").c_str());
}

void OutFile::write(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= buffer_bytes) flush();
}

void OutFile::flush() {
    std::string_view left = buffer_;
    while (!left.empty() && error_ == 0) {
        const ssize_t n = ::write(fd_, left.data(), left.size());
        if (n >= 0)
            left.remove_prefix(std::size_t(n));
        else if (errno != EINTR)
            error_ = errno;
    }
    buffer_.clear();
}

Result<void> OutFile::finish() {
    const std::string tmp = path_ + ".tmp";
    flush();
    if (error_ != 0) return file_error("write", tmp, error_);
    if (::fsync(fd_) != 0) return file_error("flush to disk", tmp, errno);
    ::close(std::exchange(fd_, -1));
    return take_name(path_);
}

Result<void> settle(const std::string& path, const Result<void>& written) {
    const std::string tmp = path + ".tmp";
    Result<void> done = written ? files::sync(tmp) : written;
    if (done) return take_name(path);
    ::unlink(tmp.c_str());
    return done;
}

}  // namespace sl::annotate
