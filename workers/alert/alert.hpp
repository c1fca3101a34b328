// Alert: takes alerts from the outbox, in batches leased like any unit, and hands them to every target.
#pragma once

#include "common/worker/stage.hpp"
#include "workers/alert/router.hpp"

namespace sl::alert {

class AlertStage final : public worker::Stage {
public:
    explicit AlertStage(Router router) : router_(std::move(router)) {}
    void work(bus::Envelope& item, worker::Emit& emit) override;

private:
    Router router_;
};

}  // namespace sl::alert
