#include "workers/alert/http.hpp"

#include <curl/curl.h>
#include <sys/stat.h>

#include <algorithm>

namespace sl::alert {
namespace {

struct UrlDelete {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
std::string part_of(CURLU* url, CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return "";
    std::string out(text);
    curl_free(text);
    return out;
}

struct ListDelete {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDelete>;
List list_of(const std::vector<std::string>& lines) {
    curl_slist* list = nullptr;
    for (const auto& line : lines) list = curl_slist_append(list, line.c_str());
    return List(list);
}

std::size_t ignore(char*, std::size_t size, std::size_t n, void*) {
    return size * n;
}

}  // namespace

struct Http::State {
    std::string name, shown;  // of the target; the URL without what may be secret in it
    CURL* curl = nullptr;
    ~State() { curl_easy_cleanup(curl); }
};

Http::Http(std::unique_ptr<State> state) : state_(std::move(state)) {}
Http::Http(Http&&) noexcept = default;
Http::~Http() = default;

std::vector<std::string> Http::options(std::vector<std::string> others) {
    others.insert(others.begin(), {"url", "ca_file", "verify"});
    return others;
}

Http Http::open(const Target& target, Options& o) {
    static const bool once = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    (void)once;
    auto state = std::make_unique<State>();
    state->name = target.name;
    const std::string url = o.needed("url"), ca_file = o.text("ca_file");
    const bool verify = o.flag("verify", true);
    const std::unique_ptr<CURLU, UrlDelete> parsed(curl_url());
    if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
        if (!url.empty()) o.mistake("its url is no URL", "write http://HOST:PORT/PATH");
    } else {
        const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
        if (scheme != "http" && scheme != "https")
            o.mistake("its url begins with '" + scheme + "://'", "write http:// or https://");
        if (!part_of(parsed.get(), CURLUPART_USER).empty() ||
            !part_of(parsed.get(), CURLUPART_PASSWORD).empty())
            o.mistake("its url holds credentials", "keep them among the secrets, and name them here");
        const std::string port = part_of(parsed.get(), CURLUPART_PORT);
        state->shown = scheme + "://" + part_of(parsed.get(), CURLUPART_HOST) +
                       (port.empty() ? "" : ":" + port) + part_of(parsed.get(), CURLUPART_PATH);
    }
    struct stat file {};
    if (!ca_file.empty() && ::stat(ca_file.c_str(), &file) != 0) o.mistake("there is no ca_file " + ca_file);
    state->curl = curl_easy_init();
    const auto set = [&](auto option, auto value) { curl_easy_setopt(state->curl, option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_CONNECTTIMEOUT_MS, long(target.connect_s * 1000));
    set(CURLOPT_TIMEOUT_MS, long(target.timeout_s * 1000));
    set(CURLOPT_WRITEFUNCTION, &ignore);
    set(CURLOPT_USERAGENT, "sightline");
    set(CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    if (!ca_file.empty()) set(CURLOPT_CAINFO, ca_file.c_str());
    return Http(std::move(state));
}

void Http::log_in(const std::string& auth, const Secret& secret) {
    if (auth.empty()) return;
    curl_easy_setopt(state_->curl, CURLOPT_HTTPAUTH, auth == "digest" ? CURLAUTH_DIGEST : CURLAUTH_BASIC);
    curl_easy_setopt(state_->curl, CURLOPT_USERNAME, secret.user.c_str());
    curl_easy_setopt(state_->curl, CURLOPT_PASSWORD, secret.password.c_str());
}

Result<void> Http::post(const std::vector<std::string>& headers, std::string_view body) {
    curl_easy_setopt(state_->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(state_->curl, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(state_->curl, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.size()));
    return perform(headers);
}

Result<void> Http::post(const std::vector<std::string>& headers, const std::vector<Part>& parts) {
    curl_mime* mime = curl_mime_init(state_->curl);
    for (const Part& p : parts) {
        curl_mimepart* part = curl_mime_addpart(mime);
        curl_mime_name(part, p.name.c_str());
        curl_mime_filename(part, p.filename.c_str());
        curl_mime_type(part, p.type.c_str());
        curl_mime_data(part, p.bytes.data(), p.bytes.size());
    }
    curl_easy_setopt(state_->curl, CURLOPT_MIMEPOST, mime);
    auto sent = perform(headers);
    curl_easy_setopt(state_->curl, CURLOPT_MIMEPOST, nullptr);
    curl_mime_free(mime);
    return sent;
}

Result<void> Http::perform(const std::vector<std::string>& lines) {
    auto with = lines;
    with.emplace_back("Expect:");  // no round trip before the body
    const List headers = list_of(with);
    curl_easy_setopt(state_->curl, CURLOPT_HTTPHEADER, headers.get());
    const CURLcode code = curl_easy_perform(state_->curl);
    curl_easy_setopt(state_->curl, CURLOPT_HTTPHEADER, nullptr);
    const auto failed = [&](Errc errc, const std::string& why, const std::string& hint = "") {
        return Error{errc,
                     "cannot post an alert of target '" + state_->name + "' to " + state_->shown + ": " + why,
                     hint};
    };
    if (code == CURLE_OPERATION_TIMEDOUT)
        return failed(Errc::timeout, "it does not answer in time", "is the receiver well?");
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return failed(Errc::unavailable, curl_easy_strerror(code),
                      "name the receiver's certificate authority as ca_file");
    if (code != CURLE_OK) return failed(Errc::unavailable, curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(state_->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2) return {};
    const std::string answer = "it answered " + std::to_string(status);
    if (status == 401 || status == 403 || status == 407)
        return failed(Errc::unavailable, answer,
                      "check user and password of the secret that the target names");
    if (status / 100 == 3)
        return failed(Errc::unavailable, answer, "it lies elsewhere: correct the target's url");
    if (status / 100 == 5 || status == 408 || status == 425 || status == 429) return failed(Errc::io, answer);
    return failed(Errc::invalid_argument, answer, "it does not take such alerts");
}

std::string header_value(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; }, '_');
    return text;
}

std::string Http::local_address() const {
    char* ip = nullptr;
    curl_easy_getinfo(state_->curl, CURLINFO_LOCAL_IP, &ip);
    return ip ? ip : "";
}

}  // namespace sl::alert
