// Annotate: home to chunks (home.hpp), renders them (render.hpp), and carries out the final and sweep units.
#pragma once

#include "common/roots.hpp"
#include "common/worker/stage.hpp"
#include "workers/annotate/home.hpp"

namespace sl::annotate {

class AnnotateStage final : public worker::Stage {
public:
    explicit AnnotateStage(Roots roots) : roots_(std::move(roots)) {}

    void work(bus::Envelope& item, worker::Emit& emit) override;
    bool intercept(bus::Envelope& e, worker::BusApi& api) override {
        api_ = &api;
        return home_.intercept(e, api);
    }
    void on_answer(const schema::Token& t, const schema::Answer& a, bus::Envelope& e,
                   worker::BusApi& api) override {
        home_.on_answer(t, a, e, api);
    }
    void on_drop(const schema::Token& t, worker::BusApi&) override { home_.on_drop(t); }
    void on_gone(const std::vector<schema::Peer>& gone, worker::BusApi& api) override {
        home_.on_gone(gone, api);
    }
    void on_tick(Clock::time_point now, worker::BusApi& api) override { home_.on_tick(now, api); }
    bool idle() const override { return home_.idle(); }

private:
    void render(const schema::Token& token, worker::Emit& emit);

    const Roots roots_;
    Home home_;
    worker::BusApi* api_ = nullptr;  // bus thread; set by the first message, before anything is rendered
};

// Joins the parts of every stream into outputs/{job}, whole or not at all; returns the manifest's sha256.
Result<std::string> finalize(const Roots& roots, const schema::Task& task, const std::function<bool()>& stop);
// Removes the job's work folder, and its outputs if they are not to be kept.
Result<void> sweep(const Roots& roots, const schema::Task& task);

}  // namespace sl::annotate
