// The stage of the pipeline `noop`: acknowledges jobs that have nothing to do. What it measures is the bus.
#pragma once

#include <map>
#include <string>

#include "common/worker/stage.hpp"
#include "schema/small_units.hpp"

namespace sl::noop {

class NoopStage final : public worker::Stage {
public:
    // `starts`: a file to which each job's wait is appended, int64 nanoseconds from the time that its id ends
    // with (…-{ns of the monotonic clock}) to now; empty: none. Jobs of other ids are left out.
    explicit NoopStage(const std::string& starts);
    ~NoopStage() override;

    void work(bus::Envelope&, worker::Emit&) override {}  // nothing ever comes here: there is no work
    bool intercept(bus::Envelope& e, worker::BusApi& bus) override;
    void on_answer(const schema::Token&, const schema::Answer&, bus::Envelope&, worker::BusApi&) override;
    void on_tick(Clock::time_point now, worker::BusApi& bus) override;
    bool idle() const override { return acknowledged_.empty(); }

private:
    void record(const std::vector<std::string>& jobs) const;

    struct Acknowledged {
        schema::NoopLeases leases;
        Clock::time_point since;
        std::vector<schema::Token> listed;
    };
    std::map<std::uint64_t, Acknowledged> acknowledged_;  // by request, until it is answered
    int starts_ = -1;
};

}  // namespace sl::noop
