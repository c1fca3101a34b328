// Alert: sends the alerts of leases `deliver`, one lease a target, each target on a thread of its own.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "common/mailbox.hpp"
#include "common/worker/stage.hpp"
#include "workers/alert/lane.hpp"

namespace sl::alert {

class AlertStage final : public worker::Stage {
public:
    // invalid_argument: an unknown sink, a name twice, or settings that a sink refuses.
    static Result<std::unique_ptr<AlertStage>> open(const std::vector<Target>& targets,
                                                    std::unique_ptr<SinkHost> host,
                                                    std::span<const SinkPlugin* const> table = sink_table());

    void work(bus::Envelope& item, worker::Emit& emit) override;
    bool intercept(bus::Envelope& e, worker::BusApi& api) override;
    void on_answer(const schema::Token& token, const schema::Answer&, bus::Envelope&,
                   worker::BusApi& api) override;
    void on_drop(const schema::Token& token, worker::BusApi&) override;
    void on_tick(Clock::time_point, worker::BusApi& api) override;
    bool idle() const override;
    int wake_fd() const override { return reports_.fd(); }
    void on_wake(worker::BusApi& api) override;

private:
    AlertStage() = default;

    std::unique_ptr<SinkHost> host_;
    Mailbox<schema::Delivered> reports_;  // of the lanes: one a second of each, and one a lease
    std::map<std::string, std::unique_ptr<Lane>> lanes_;  // by target; they end before the mailbox
};

}  // namespace sl::alert
