// jobs, job, cancel, retry, artifacts
#include <spdlog/fmt/fmt.h>

#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/follow.hpp"
#include "broker/cli/job_text.hpp"
#include "broker/cli/location.hpp"
#include "broker/cli/params.hpp"

namespace sl::cli {

using nlohmann::json;

namespace {

struct JobList {
    std::string state, tag;
    int limit = 20;
};

void list_jobs(Context& c, const JobList& o) {
    json ask{{"type", "jobs"}, {"limit", o.limit}};
    if (!o.state.empty()) ask["state"] = o.state;
    if (!o.tag.empty()) ask["tag"] = o.tag;
    const auto reply = c.request(ask);
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const json jobs = reply->value("jobs", json::array());
    if (c.json) return void(c.print({{"jobs", jobs}}));
    std::cout << job_header() << '\n';
    for (const json& job : jobs) std::cout << job_line(job) << '\n';
}

void add_rm(CLI::App* jobs, Context& c) {
    struct Options {
        std::vector<std::string> jobs;
        bool results = false;
    };
    auto o = std::make_shared<Options>();
    auto* cmd =
        jobs->add_subcommand("rm", "forget jobs that have ended; their results stay unless --results");
    cmd->add_option("job", o->jobs, "their ids")->required();
    cmd->add_flag("--results", o->results, "remove their results too");
    cmd->footer("Example:\n  sightline jobs rm 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --results");
    cmd->callback([&c, o] {
        json removed = json::array();
        for (const std::string& job : o->jobs) {
            const auto reply = c.request({{"type", "forget"}, {"job", job}, {"results", o->results}});
            if (!reply) {
                c.exit_code = c.fail(reply.error());
                continue;
            }
            removed.push_back(job);
            if (!c.json) std::cout << "job " << job << " is being removed" << std::endl;
        }
        if (c.json && c.exit_code == exit_ok) c.print({{"jobs", removed}});
    });
}

void add_prune(CLI::App* jobs, Context& c) {
    struct Options {
        std::string age, state;
        bool results = false, dry_run = false;
    };
    auto o = std::make_shared<Options>();
    auto* cmd = jobs->add_subcommand("prune", "forget all jobs that ended long ago");
    cmd->add_option("--older-than", o->age, "since they ended: 7d, 12h, 30m or 90s")->required();
    cmd->add_option("--state", o->state, "only these")
        ->check(CLI::IsMember({"succeeded", "failed", "canceled"}));
    cmd->add_flag("--results", o->results, "remove their results too");
    cmd->add_flag("--dry-run", o->dry_run, "only say which");
    cmd->footer("Example:\n  sightline jobs prune --older-than 7d --state failed --results --dry-run");
    cmd->callback([&c, o] {
        const auto age = seconds_of(o->age);
        if (!age) return void(c.exit_code = c.fail(age.error()));
        json ask{{"type", "prune"}, {"older_than_s", *age}, {"results", o->results}, {"dry_run", o->dry_run}};
        if (!o->state.empty()) ask["state"] = o->state;
        const auto reply = c.request(ask);
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const json list = reply->value("jobs", json::array());
        if (c.json) return void(c.print({{"jobs", list}, {"dry_run", o->dry_run}}));
        for (const json& job : list) std::cout << job.get<std::string>() << '\n';
        std::cout << list.size() << (o->dry_run ? " would be removed\n" : " are being removed\n");
    });
}

}  // namespace

void add_jobs(CLI::App& app, Context& c) {
    auto o = std::make_shared<JobList>();
    auto* cmd = app.add_subcommand("jobs", "list jobs, newest first; remove old ones");
    cmd->add_option("--state", o->state, "only these")
        ->check(CLI::IsMember({"queued", "running", "succeeded", "failed", "canceled"}));
    cmd->add_option("--tag", o->tag, "only with this tag, KEY=VALUE");
    cmd->add_option("--limit", o->limit, "at most so many")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    cmd->footer(
        "Examples:\n  sightline jobs --state running\n  sightline jobs --tag site=north --json\n"
        "  sightline jobs rm 01HX3W5T9Q2Z8Y6V4B7N1M0KJC\n  sightline jobs prune --older-than 7d");
    cmd->callback([&c, o, cmd] {
        if (cmd->get_subcommands().empty()) list_jobs(c, *o);
    });
    add_rm(cmd, c);
    add_prune(cmd, c);
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
            std::cout << job_text(job) << frames_text(job);
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

void add_retry(CLI::App& app, Context& c) {
    struct Options {
        std::string job;
        bool wait = false;
    };
    auto o = std::make_shared<Options>();
    auto* cmd =
        app.add_subcommand("retry", "do the dead chunks of a failed job again, and what depends on them");
    cmd->add_option("job", o->job, "its id")->required();
    cmd->add_flag("--wait", o->wait, "wait for the end; the exit status is the job's");
    cmd->footer("Example:\n  sightline retry 01HX3W5T9Q2Z8Y6V4B7N1M0KJC --wait");
    cmd->callback([&c, o] {
        const auto reply = c.request({{"type", "retry"}, {"job", o->job}});
        if (!reply) return void(c.exit_code = c.fail(reply.error()));
        const std::string state = reply->value("state", "");
        if (c.json && !o->wait) return void(c.print({{"job", o->job}, {"state", state}}));
        if (!c.json) std::cout << "job " << o->job << " " << state << std::endl;
        if (o->wait) c.exit_code = follow(c, {.job = o->job, .alerts = false});
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

}  // namespace sl::cli
