#include "workers/alert/alert.hpp"

#include <algorithm>
#include <thread>

#include "common/log.hpp"

namespace sl::alert {

void AlertStage::work(bus::Envelope& item, worker::Emit& emit) {
    const auto task = item.as<schema::Task>();
    if (!task) {
        log::warn("bad_message", "{}", task.error().message);
        return;
    }
    auto delivery = router_.deliver(task->alerts, now_ns());
    const auto report = [](const Delivery& d) {
        for (const auto& [target, outcome] : d.targets)
            if (outcome.dead > 0)
                log::error("alert_dead", "target={} alerts={} why={}", target, outcome.dead,
                           outcome.last_error);
    };
    report(delivery);
    while (!delivery.retry.empty()) {
        // The outbox position moves only when every target has taken its share, or refused it for good.
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (emit.stopped(task->token)) return;
        delivery = router_.deliver(delivery.retry, now_ns());
        report(delivery);
    }
    schema::UnitDone done;
    done.token = task->token;
    emit.request(done);
}

}  // namespace sl::alert
