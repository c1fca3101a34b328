#include "workers/alert/alert.hpp"

#include <algorithm>
#include <csignal>

#include "common/log.hpp"

namespace sl::alert {

Result<std::unique_ptr<Sink>> open_sink(const Target& target, const SinkHost& host,
                                        std::span<const SinkPlugin* const> table) {
    const auto row =
        std::find_if(table.begin(), table.end(), [&](const SinkPlugin* p) { return p->name == target.sink; });
    if (row != table.end()) return (*row)->open(target, host);
    std::string names;
    for (const SinkPlugin* p : table) names += (names.empty() ? "" : ", ") + std::string(p->name);
    return Error{Errc::invalid_argument,
                 "cannot open alert target '" + target.name + "': there is no sink '" + target.sink + "'",
                 "sinks: " + names};
}

Result<std::unique_ptr<AlertStage>> AlertStage::open(const std::vector<Target>& targets,
                                                     std::unique_ptr<SinkHost> host,
                                                     std::span<const SinkPlugin* const> table) {
    std::unique_ptr<AlertStage> stage(new AlertStage);
    stage->host_ = std::move(host);
    std::signal(SIGPIPE,
                SIG_IGN);  // a receiver that hangs up is an error of a write, not the end of a process
    for (const Target& target : targets) {
        if (stage->lanes_.contains(target.name))
            return Error{Errc::invalid_argument,
                         "cannot open alert target '" + target.name + "': there are two of that name",
                         "name each of alerts.targets differently"};
        auto sink = open_sink(target, *stage->host_, table);
        if (!sink) return sink.error();
        stage->lanes_[target.name] = std::make_unique<Lane>(
            target, std::move(*sink),
            [&reports = stage->reports_](auto report) { reports.put(std::move(report)); });
    }
    return stage;
}

// Everything that the broker sends to this stage is taken by intercept().
void AlertStage::work(bus::Envelope& item, worker::Emit&) {
    log::warn("bad_message", "an alert worker has no use for '{}'", item.type());
}

bool AlertStage::intercept(bus::Envelope& e, worker::BusApi& api) {
    if (e.type() != "task") return false;
    auto task = e.as<schema::Task>();
    if (!task || task->token.unit != "deliver") return false;
    const auto lane = lanes_.find(task->target);
    if (lane == lanes_.end()) {
        schema::Fail fail;
        fail.token = task->token;
        fail.code = code_name(Errc::unavailable);
        fail.message = "the configuration of this alert worker has no target '" + task->target + "'";
        api.request(fail);
        return true;
    }
    lane->second->take(std::move(*task));
    return true;
}

void AlertStage::on_answer(const schema::Token& token, const schema::Answer&, bus::Envelope&,
                           worker::BusApi& api) {
    api.release(token);
}

void AlertStage::on_drop(const schema::Token& token, worker::BusApi&) {
    if (const auto lane = lanes_.find(token.job); lane != lanes_.end()) lane->second->drop(token);
}

void AlertStage::on_tick(Clock::time_point, worker::BusApi& api) {
    if (!api.draining()) return;
    for (auto& [name, lane] : lanes_) lane->hand_back();
}

void AlertStage::on_wake(worker::BusApi& api) {
    while (auto report = reports_.try_take()) {
        if (report->ended)
            api.request(std::move(*report));
        else
            api.send(bus::Envelope::make(*report));
    }
}

bool AlertStage::idle() const {
    return reports_.size() == 0 &&
           std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane.second->idle(); });
}

}  // namespace sl::alert
