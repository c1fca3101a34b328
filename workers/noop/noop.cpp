#include "workers/noop/noop.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "common/log.hpp"

namespace sl::noop {
namespace {

constexpr std::chrono::milliseconds list_after{250};  // a round: the broker wants to see it in the next beat

struct Request : schema::NoopsDone {
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
    if (e.type() != "noop_leases") return false;
    auto leases = e.as<schema::NoopLeases>();
    if (!leases || leases->jobs.size() != leases->attempts.size()) {
        log::warn("bad_message", "from=broker {}",
                  leases ? "leases without attempts" : leases.error().message);
        return true;
    }
    if (starts_ >= 0) record(leases->jobs);
    Request done;
    done.nonce = leases->nonce;
    done.jobs = leases->jobs;
    const auto req = bus.request(std::move(done));
    acknowledged_[req] = {std::move(*leases), Clock::now(), {}};
    return true;
}

void NoopStage::on_answer(const schema::Token&, const schema::Answer& answer, bus::Envelope&,
                          worker::BusApi& bus) {
    const auto at = acknowledged_.find(answer.req);
    if (at == acknowledged_.end()) return;
    for (const auto& token : at->second.listed) bus.release(token);
    acknowledged_.erase(at);
}

// What is answered within a round is in no beat; what takes longer is listed, so that it is not leased anew.
void NoopStage::on_tick(Clock::time_point now, worker::BusApi& bus) {
    for (auto& [req, a] : acknowledged_) {
        if (!a.listed.empty()) continue;
        if (now - a.since < list_after) break;  // requests rise: later ones are younger
        for (std::size_t i = 0; i < a.leases.jobs.size(); ++i) {
            a.listed.push_back({a.leases.jobs[i], "noop", -1, 0, a.leases.attempts[i], a.leases.nonce});
            bus.hold(a.listed.back());
        }
    }
}

void NoopStage::record(const std::vector<std::string>& jobs) const {
    const auto now = Clock::now().time_since_epoch().count();
    std::vector<std::int64_t> waits;
    for (const auto& job : jobs) {
        const auto dash = job.rfind('-');
        if (dash == std::string::npos) continue;
        std::int64_t submitted = 0;
        const char* end = job.data() + job.size();
        if (std::from_chars(job.data() + dash + 1, end, submitted).ptr == end)
            waits.push_back(now - submitted);
    }
    const auto bytes = waits.size() * sizeof(std::int64_t);
    if (::write(starts_, waits.data(), bytes) != ssize_t(bytes)) log::warn("no_starts", "a write failed");
}

}  // namespace sl::noop
