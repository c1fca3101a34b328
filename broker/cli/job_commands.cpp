// jobs, job, cancel, artifacts, pools
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/job_text.hpp"
#include "broker/cli/location.hpp"

namespace sl::cli {

using nlohmann::json;

void add_jobs(CLI::App& app, Context& c) {
    struct Options {
        std::string state, tag;
        int limit = 20;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = app.add_subcommand("jobs", "list jobs, newest first");
    cmd->add_option("--state", o->state, "only these")
        ->check(CLI::IsMember({"queued", "running", "succeeded", "failed", "canceled"}));
    cmd->add_option("--tag", o->tag, "only with this tag, KEY=VALUE");
    cmd->add_option("--limit", o->limit, "at most so many")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    cmd->footer("Examples:\n  sightline jobs --state running\n  sightline jobs --tag site=north --json");
    cmd->callback([&c, o] {
        json ask{{"type", "jobs"}, {"limit", o->limit}};
        if (!o->state.empty()) ask["state"] = o->state;
        if (!o->tag.empty()) ask["tag"] = o->tag;
        const auto reply = c.request(ask);
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const json jobs = reply->value("jobs", json::array());
        if (c.json) return void(c.print({{"jobs", jobs}}));
        std::cout << job_header() << '\n';
        for (const json& job : jobs) std::cout << job_line(job) << '\n';
    });
}

void add_job(CLI::App& app, Context& c) {
    auto id = std::make_shared<std::string>();
    auto* cmd = app.add_subcommand("job", "say everything about one job");
    cmd->add_option("job", *id, "its id")->required();
    cmd->footer("Example:\n  sightline job 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --json");
    cmd->callback([&c, id] {
        const auto reply = c.request({{"type", "job"}, {"job", *id}});
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const json job = reply->value("job", json::object());
        if (c.json)
            c.print(job);
        else
            std::cout << job_text(job);
    });
}

void add_cancel(CLI::App& app, Context& c) {
    struct Options {
        std::vector<std::string> jobs;
        bool keep = false;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = app.add_subcommand("cancel", "end jobs that have not ended");
    cmd->add_option("job", o->jobs, "their ids")->required();
    cmd->add_flag("--keep-partial", o->keep, "keep what was finished; else it is removed");
    cmd->footer("Example:\n  sightline cancel 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --keep-partial");
    cmd->callback([&c, o] {
        nlohmann::ordered_json states = nlohmann::ordered_json::object();
        for (const std::string& job : o->jobs) {
            const auto reply = c.request({{"type", "cancel"}, {"job", job}, {"keep_partial", o->keep}});
            if (!reply) {
                c.exit_code = c.fail(reply.error());
                continue;
            }
            states[job] = reply->value("state", "");
            if (!c.json) std::cout << "job " << job << " " << reply->value("state", "") << std::endl;
        }
        if (c.json && c.exit_code == exit_ok) c.print({{"states", states}});
    });
}

namespace {

void print_artifacts(const json& reply, const std::string& folder) {
    const std::string base =
        folder.empty() ? reply.value("root", "") + ":" + reply.value("path", "") : folder;
    std::cout << base << '\n';
    const json manifest = reply.value("manifest", json());
    if (!manifest.is_object()) return void(std::cout << "  (no manifest yet: the job has not ended)\n");
    const json outputs = manifest.value("outputs", json::object());
    for (const auto& [input, files] : outputs.items())
        for (const json& file : files)
            std::cout << fmt::format("  {:<16} {}/{}\n", file.value("role", file.value("type", "")), base,
                                     file.value("path", ""));
}

}  // namespace

void add_artifacts(CLI::App& app, Context& c) {
    auto id = std::make_shared<std::string>();
    auto* cmd = app.add_subcommand("artifacts", "say where the results of a job are");
    cmd->add_option("job", *id, "its id")->required();
    cmd->footer("Example:\n  sightline artifacts 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --json | jq -r .folder");
    cmd->callback([&c, id] {
        const auto config = c.load_client_config();
        if (!config) return void(c.exit_code = c.fail(config.error()));
        auto reply = c.request({{"type", "artifacts"}, {"job", *id}});
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const std::string folder = local_path(*config, reply->value("root", ""), reply->value("path", ""));
        if (!c.json) return print_artifacts(*reply, folder);
        nlohmann::ordered_json out{
            {"job", *id}, {"root", reply->value("root", "")}, {"path", reply->value("path", "")}};
        if (!folder.empty()) out["folder"] = folder;
        if (reply->contains("manifest")) out["manifest"] = (*reply)["manifest"];
        c.print(out);
    });
}

void add_pools(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("pools", "list the workers of the fleet, by pool");
    cmd->footer("Example:\n  sightline pools");
    cmd->callback([&c] {
        const auto reply = c.request({{"type", "pools"}});
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const json pools = reply->value("pools", json::array());
        if (c.json) return void(c.print({{"pools", pools}}));
        for (const json& pool : pools) {
            const json workers = pool.value("workers", json::array());
            std::cout << fmt::format("{}  ({} {})\n", pool.value("pool", ""), workers.size(),
                                     workers.size() == 1 ? "worker" : "workers");
            for (const json& w : workers)
                std::cout << fmt::format("  {:<28} {}:{}  {:<9} holds {}, did {}\n", w.value("worker", ""),
                                         w.value("host", ""), w.value("pid", 0), w.value("state", ""),
                                         w.contains("held") ? w["held"].dump() : "0",
                                         w.contains("done") ? w["done"].dump() : "0");
        }
    });
}

}  // namespace sl::cli
