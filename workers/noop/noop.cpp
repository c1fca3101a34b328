#include "workers/noop/noop.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "common/log.hpp"

namespace sl::noop {
namespace {

constexpr std::chrono::milliseconds list_after{250};  // a round: the broker wants to see it in the next beat

struct Request : schema::UnitsDone {
    schema::Token token;  // of the unit that it is about: of none alone
};

}  // namespace

NoopStage::NoopStage(const std::string& starts) {
    if (starts.empty()) return;
    starts_ = ::open(starts.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (starts_ < 0) log::warn("no_starts", "cannot write {}", starts);
}
NoopStage::~NoopStage() {
    if (starts_ >= 0) ::close(starts_);
}

bool NoopStage::intercept(bus::Envelope& e, worker::BusApi& bus) {
    if (e.type() != "tasks") return false;
    auto tasks = e.as<schema::Tasks>();
    if (!tasks) {
        log::warn("bad_message", "from=broker {}", tasks.error().message);
        return true;
    }
    if (starts_ >= 0) record(tasks->tokens);
    Request done;
    done.tokens = tasks->tokens;
    const auto req = bus.request(std::move(done));
    acknowledged_[req] = {std::move(tasks->tokens), Clock::now()};
    return true;
}

void NoopStage::on_answer(const schema::Token&, const schema::Answer& answer, bus::Envelope&,
                          worker::BusApi& bus) {
    const auto at = acknowledged_.find(answer.req);
    if (at == acknowledged_.end()) return;
    if (at->second.listed)
        for (const auto& token : at->second.tokens) bus.release(token);
    acknowledged_.erase(at);
}

// What is answered within a round is in no beat; what takes longer is listed, so that it is not leased anew.
void NoopStage::on_tick(Clock::time_point now, worker::BusApi& bus) {
    for (auto& [req, a] : acknowledged_) {
        if (a.listed) continue;
        if (now - a.since < list_after) break;  // requests rise: later ones are younger
        a.listed = true;
        for (const auto& token : a.tokens) bus.hold(token);
    }
}

void NoopStage::record(const std::vector<schema::Token>& tokens) const {
    const auto now = Clock::now().time_since_epoch().count();
    std::vector<std::int64_t> waits;
    for (const auto& token : tokens) {
        const auto dash = token.job.rfind('-');
        if (dash == std::string::npos) continue;
        std::int64_t submitted = 0;
        const char* end = token.job.data() + token.job.size();
        if (std::from_chars(token.job.data() + dash + 1, end, submitted).ptr == end)
            waits.push_back(now - submitted);
    }
    const auto bytes = waits.size() * sizeof(std::int64_t);
    if (::write(starts_, waits.data(), bytes) != ssize_t(bytes)) log::warn("no_starts", "a write failed");
}

}  // namespace sl::noop
