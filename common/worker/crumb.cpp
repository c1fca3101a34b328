#include "common/worker/crumb.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sl::worker {
namespace {

template <std::size_t N>
void put(char (&to)[N], std::string_view text) {
    const std::size_t n = std::min(text.size(), N - 1);
    std::memcpy(to, text.data(), n);
    to[n] = '\0';
}
template <std::size_t N>
std::string get(const char (&from)[N]) {
    return {from, strnlen(from, N)};
}

}  // namespace

// A part is valid while its flag is not 0: the flag falls before the part changes and rises after.
struct Crumb::Page {
    std::uint64_t magic;
    std::atomic<std::uint32_t> named, caused, busy;
    char worker[64];
    char cause[256];
    char job[64];
    char unit[16];
    char stage[32];
    std::int32_t stream;
    std::int32_t attempt;
    std::int64_t seq;
    std::uint64_t nonce;
    std::uint32_t pieces;
    struct {
        std::int32_t pool, batch;
    } piece[max_pieces];
};

namespace {

constexpr std::uint64_t page_magic = 0x31424d5552434c53;  // "SLCRUMB1"

// Nothing that follows is seen before the flag's fall, nothing before it after its rise. An exchange, not a
// fence: ThreadSanitizer knows none.
template <typename F>
void change(std::atomic<std::uint32_t>& flag, F&& write) {
    flag.exchange(0, std::memory_order_acq_rel);
    write();
    flag.store(1, std::memory_order_release);
}

}  // namespace

Crumb Crumb::open(int fd) {
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
    struct stat info {};
    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size < off_t(sizeof(Page))) return {};
    void* at = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return {};
    auto* page = static_cast<Page*>(at);
    if (page->magic == page_magic) return {page, fd, false};
    munmap(at, sizeof(Page));
    return {};
}

Result<Crumb> Crumb::make() {
    const int fd = memfd_create("sightline-crumb", MFD_CLOEXEC);
    void* at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(Page)) == 0)
        at = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        const int error = errno;
        if (fd >= 0) ::close(fd);
        return Error{Errc::io, std::string("cannot make shared memory for a crumb: ") + std::strerror(error),
                     "is this host out of memory or descriptors?"};
    }
    auto* page = static_cast<Page*>(at);
    page->magic = page_magic;
    return Crumb(page, fd, true);
}

Crumb::~Crumb() {
    if (page_) munmap(page_, sizeof(Page));
    if (owner_) ::close(fd_);
}
Crumb::Crumb(Crumb&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)),
      fd_(std::exchange(other.fd_, -1)),
      owner_(std::exchange(other.owner_, false)) {}
Crumb& Crumb::operator=(Crumb&& other) noexcept {
    std::swap(page_, other.page_);
    std::swap(fd_, other.fd_);
    std::swap(owner_, other.owner_);
    return *this;
}

void Crumb::set_worker(std::string_view id) {
    if (page_) change(page_->named, [&] { put(page_->worker, id); });
}

void Crumb::set_cause(std::string_view why) {
    if (page_) change(page_->caused, [&] { put(page_->cause, why); });
}

void Crumb::write(const schema::Token& token, std::string_view stage, std::span<const schema::Piece> pieces) {
    if (!page_) return;
    change(page_->busy, [&] {
        Page& p = *page_;
        put(p.job, token.job);
        put(p.unit, token.unit);
        put(p.stage, stage);
        p.stream = token.stream;
        p.attempt = token.attempt;
        p.seq = token.seq;
        p.nonce = token.nonce;
        p.pieces = std::uint32_t(std::min(pieces.size(), max_pieces));
        for (std::size_t i = 0; i < p.pieces; ++i) p.piece[i] = {pieces[i].pool, pieces[i].batch};
    });
}

void Crumb::clear() {
    if (page_) page_->busy.store(0, std::memory_order_release);
}

std::optional<schema::Exited> Crumb::read() const {
    if (!page_ || page_->named.load(std::memory_order_acquire) == 0) return {};
    const Page& p = *page_;
    schema::Exited out;
    out.worker = get(p.worker);
    if (p.caused.load(std::memory_order_acquire) != 0) out.cause = get(p.cause);
    if (p.busy.load(std::memory_order_acquire) == 0) return out;
    out.token = {get(p.job), get(p.unit), p.stream, p.seq, p.attempt, p.nonce};
    out.stage = get(p.stage);
    for (std::size_t i = 0; i < std::min<std::size_t>(p.pieces, max_pieces); ++i)
        out.pieces.push_back({p.piece[i].pool, p.piece[i].batch});
    return out;
}

void Crumb::wipe() {
    if (!page_) return;
    for (auto* flag : {&page_->busy, &page_->caused, &page_->named}) flag->store(0);
}

}  // namespace sl::worker
