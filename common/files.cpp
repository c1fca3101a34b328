#include "common/files.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

namespace sl::files {
namespace fs = std::filesystem;
namespace {

struct Digest {
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    Digest() { EVP_DigestInit_ex(ctx, EVP_sha256(), nullptr); }
    ~Digest() { EVP_MD_CTX_free(ctx); }
    Digest(const Digest&) = delete;
    Digest& operator=(const Digest&) = delete;
    void add(const void* data, std::size_t n) { EVP_DigestUpdate(ctx, data, n); }
    std::string hex() {
        std::array<unsigned char, 32> sum{};
        EVP_DigestFinal_ex(ctx, sum.data(), nullptr);
        std::string out;
        for (const unsigned char byte : sum) {
            constexpr char digits[] = "0123456789abcdef";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
        return out;
    }
};

Error io_error(const std::string& what, const std::string& path) {
    const int e = errno;
    return Error{code_of(e), "cannot " + what + " " + path + ": " + std::strerror(e), hint_of(e)};
}

struct Fd {
    int fd = -1;
    ~Fd() {
        if (fd >= 0) ::close(fd);
    }
};

bool below(const fs::path& root, const fs::path& path) {
    const auto [r, p] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
    return r == root.end() || (r->empty() && std::next(r) == root.end());
}

Result<std::string> place(const std::string& root_name, const std::string& root, const std::string& relative,
                          bool must_exist) {
    const auto refuse = [&](const std::string& why) {
        return Error{Errc::invalid_argument,
                     "path '" + relative + "' " + why + " root '" + root_name + "' (" + root + ")",
                     "name inputs by a path below one of the configured roots"};
    };
    const fs::path rel(relative);
    if (rel.is_absolute()) return refuse("is absolute, not relative to");
    for (const auto& part : rel)
        if (part == "..") return refuse("contains '..' and may leave");
    std::error_code ec;
    const fs::path base = fs::canonical(root, ec);
    if (ec)
        return Error{Errc::not_found, "root '" + root_name + "' (" + root + ") is not there: " + ec.message(),
                     "mount or create it on this host, or correct `roots:` in the configuration"};
    const fs::path full = must_exist ? fs::canonical(base / rel, ec) : fs::weakly_canonical(base / rel, ec);
    if (ec)
        return Error{
            Errc::not_found,
            "cannot find '" + relative + "' below root '" + root_name + "' (" + root + "): " + ec.message(),
            "check the path: it is relative to that root"};
    if (!below(base, full)) return refuse("leads by a symlink out of");
    return full.string();
}

}  // namespace

Errc code_of(int error) {
    switch (error) {
        case ENOENT:
            return Errc::not_found;
        case ENOSPC:
        case EDQUOT:
            return Errc::unavailable;
        default:
            return Errc::io;
    }
}

std::string hint_of(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
            return "free some space on that disk: the work goes on by itself";
        case EACCES:
            return "let this user write there";
        default:
            return "";
    }
}

std::string sha256(std::span<const std::uint8_t> bytes) {
    Digest d;
    d.add(bytes.data(), bytes.size());
    return d.hex();
}
std::string sha256(std::string_view bytes) {
    Digest d;
    d.add(bytes.data(), bytes.size());
    return d.hex();
}

Result<std::string> sha256_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return io_error("open", path);
    Digest d;
    std::array<char, 1 << 16> buffer{};
    while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0)
        d.add(buffer.data(), std::size_t(in.gcount()));
    if (in.bad()) return io_error("read", path);
    return d.hex();
}

Result<std::string> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return io_error("open", path);
    std::string out((std::istreambuf_iterator<char>(in)), {});
    if (in.bad()) return io_error("read", path);
    return out;
}

Result<void> sync(const std::string& path) {
    const Fd f{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (f.fd < 0) return io_error("open", path);
    if (::fsync(f.fd) != 0) return io_error("flush to disk", path);
    return {};
}

Result<void> write_durably(const std::string& path, std::string_view bytes) {
    const std::string tmp = path + ".tmp";
    {
        const Fd f{::open(tmp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
        if (f.fd < 0) return io_error("create", tmp);
        for (std::size_t at = 0; at < bytes.size();) {
            const ssize_t n = ::write(f.fd, bytes.data() + at, bytes.size() - at);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return io_error("write", tmp);
            at += std::size_t(n);
        }
        if (::fsync(f.fd) != 0) return io_error("flush to disk", tmp);
    }
    if (::rename(tmp.c_str(), path.c_str()) != 0) return io_error("rename into place", path);
    return sync(fs::path(path).parent_path().string());
}

Result<std::string> resolve_below(const std::string& root_name, const std::string& root,
                                  const std::string& relative) {
    return place(root_name, root, relative, true);
}
Result<std::string> place_below(const std::string& root_name, const std::string& root,
                                const std::string& relative) {
    return place(root_name, root, relative, false);
}

}  // namespace sl::files
