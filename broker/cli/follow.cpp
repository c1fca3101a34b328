#include "broker/cli/follow.hpp"

#include <filesystem>
#include <iostream>
#include <map>

#include "broker/cli/events.hpp"
#include "broker/cli/interrupt.hpp"
#include "broker/cli/job_text.hpp"
#include "broker/cli/location.hpp"
#include "broker/cli/progress.hpp"
#include "common/ids.hpp"

namespace sl::cli {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

const std::map<std::string, std::string> states{{"job.queued", "queued"},   {"job.started", "running"},
                                                {"job.retried", "running"}, {"job.succeeded", "succeeded"},
                                                {"job.failed", "failed"},   {"job.canceled", "canceled"}};

bool ended(const json& job) {
    const std::string state = job.value("state", "");
    return state == "succeeded" || state == "failed" || state == "canceled";
}

int print_end(Context& c, const json& job) {
    if (c.json) {
        c.print_line({{"kind", "job"}, {"job", job.value("job", "")}, {"body", job}});
        return job_exit_code(job);
    }
    std::cout << job_text(job);
    const json output = job.value("output", json::object());
    const std::string state = job.value("state", "");
    if (const auto config = c.load_client_config(); config && output.is_object() && state != "canceled") {
        const std::string below = output.value("path", "");
        const std::string folder = local_path(*config, output.value("root", ""),
                                              (below.empty() ? "" : below + "/") + job.value("job", ""));
        std::error_code ec;
        if (!folder.empty() && state == "succeeded")
            std::cout << "results    " << folder << '\n';
        else if (!folder.empty() && std::filesystem::exists(folder, ec))
            std::cout << "results    " << folder
                      << " (of what could be done; manifest.json says what is missing)\n";
    }
    std::cout << std::flush;
    return job_exit_code(job);
}

}  // namespace

int follow(Context& c, const Follow& what) {
    auto client = c.client();
    if (!client) return c.fail(client.error());
    catch_interrupts();
    std::vector<std::string> prefixes{"job." + what.job + "."};
    if (what.alerts) prefixes.emplace_back("alert.");
    Events events(**client, prefixes);
    if (auto ok = events.start(milliseconds(static_cast<std::int64_t>(c.timeout_s * 1000))); !ok)
        return c.fail(ok.error());
    if (!what.since.empty())
        if (auto ok = events.replay(what.since); !ok) return c.fail(ok.error());

    const auto fetch = [&] { return (*client)->request({{"type", "job"}, {"job", what.job}}); };
    auto reply = fetch();
    if (!reply) return c.fail(reply.error());
    json job = reply->value("job", json::object());
    Progress progress;
    const auto deadline =
        Clock::now() + milliseconds(static_cast<std::int64_t>(what.limit_s.value_or(0) * 1000));
    // With a job that has ended already only the replayed events are left to show.
    bool over = ended(job);
    while (true) {
        if (!over && !c.json)
            progress.show(job.value("state", "") == "queued" ? "queued" : job.value("stage", ""),
                          job.value("frames_done", std::int64_t{0}),
                          job.value("frames_total", std::int64_t{0}));
        auto event = events.next(milliseconds(over ? 0 : 500));
        if (!event) return progress.clear(), c.fail(event.error());
        if (interrupted()) return progress.clear(), c.fail(interrupted_error());
        if (!over && what.limit_s && Clock::now() > deadline)
            return progress.clear(), c.fail(Error{Errc::timeout, "job " + what.job + " has not ended in time",
                                                  "it goes on: `sightline watch " + what.job + "`"});
        if (*event) {
            const json& e = **event;
            const std::string kind = e.value("kind", "");
            const json body = e.value("body", json::object());
            const bool ours = e.value("job", body.value("job", "")) == what.job;
            if (!ours) continue;
            if (c.json) c.print_line(e);
            if (kind == "alert" && !c.json) {
                progress.clear();
                std::cout << alert_line(body) << std::endl;
            } else if (kind == "job.progress") {
                for (const char* key : {"frames_done", "frames_total", "stage"})
                    if (body.contains(key)) job[key] = body[key];
            } else if (const auto state = states.find(kind); state != states.end()) {
                job["state"] = state->second;
                over = over || ended(job);
            }
            continue;
        }
        if (over) break;
        // Nothing for a while: ask, in case the broker changed.
        if (auto again = fetch(); again)
            job = again->value("job", job);
        else if (again.error().code != Errc::unavailable)
            return progress.clear(), c.fail(again.error());
        over = ended(job);
    }
    progress.clear();
    reply = fetch();
    if (!reply) return c.fail(reply.error());
    return print_end(c, reply->value("job", job));
}

}  // namespace sl::cli
