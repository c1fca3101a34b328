// pools (list, drain, reload), health
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>
#include <iostream>

#include "broker/cli/commands.hpp"
#include "broker/cli/interrupt.hpp"
#include "common/ids.hpp"
#include "common/spelling.hpp"

namespace sl::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::string plural(std::size_t n, const char* what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

void list(Context& c) {
    const auto reply = c.request({{"type", "pools"}});
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const json pools = reply->value("pools", json::array());
    if (c.json) return void(c.print({{"pools", pools}}));
    for (const json& pool : pools) {
        const json workers = pool.value("workers", json::array());
        std::cout << fmt::format("{}  {}, {}\n", pool.value("pool", ""),
                                 pool.value("state", pool.value("ready", true) ? "ready" : "not ready"),
                                 plural(pool.value("replicas", workers.size()), "worker"));
        if (const std::string error = pool.value("last_error", ""); !error.empty())
            std::cout << "  last error: " << error << '\n';
        for (const json& w : workers) {
            std::cout << fmt::format("  {:<28} {}:{}  {:<9} holds {}, did {}\n", w.value("worker", ""),
                                     w.value("host", ""), w.value("pid", 0), w.value("state", ""),
                                     w.contains("held") ? w["held"].dump() : "0",
                                     w.contains("done") ? w["done"].dump() : "0");
            if (const std::string error = w.value("last_error", ""); !error.empty())
                std::cout << "    last error: " << error << '\n';
        }
    }
    if (pools.empty()) std::cout << "no worker has joined\n";
}

struct Order {
    std::string target;
    double deadline_s = 30;
    bool wait = false;
};

// Looks at the pools until `done` says so; gives up some time after the order's own deadline.
Result<void> wait_until(Context& c, const std::string& what, double limit_s,
                        const std::function<bool(const json& pools)>& done) {
    catch_interrupts();
    const auto deadline = Clock::now() + milliseconds(static_cast<std::int64_t>(limit_s * 1000));
    for (;;) {
        const auto reply = c.request({{"type", "pools"}});
        if (!reply) return reply.error();
        if (done(reply->value("pools", json::array()))) return {};
        if (interrupted()) return interrupted_error();
        if (Clock::now() > deadline)
            return Error{Errc::timeout,
                         "cannot say that " + what + ": not within " + fmt::format("{:g} s", limit_s),
                         "`sightline pools` shows what is left"};
        pause(milliseconds(100));
    }
}

void report(Context& c, const char* done, const std::vector<std::string>& workers, bool waited) {
    if (c.json) return void(c.print({{"workers", workers}, {"done", waited}}));
    std::cout << (waited ? done : "told") << ": " << plural(workers.size(), "worker") << '\n';
    for (const std::string& worker : workers) std::cout << "  " << worker << '\n';
}

void drain(Context& c, const Order& o) {
    // Worker ids are ULIDs; pools are named like stages.
    const bool worker =
        o.target.size() == 26 && o.target.find_first_of("abcdefghijklmnopqrstuvwxyz/") == std::string::npos;
    const auto reply =
        c.request({{"type", "drain"}, {worker ? "worker" : "pool", o.target}, {"deadline_s", o.deadline_s}});
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const auto workers = reply->value("workers", std::vector<std::string>{});
    if (o.wait) {
        const auto gone = [&](const json& pools) {
            for (const json& pool : pools)
                for (const json& w : pool.value("workers", json::array()))
                    if (std::find(workers.begin(), workers.end(), w.value("worker", "")) != workers.end())
                        return false;
            return true;
        };
        if (auto ok = wait_until(c, o.target + " is drained", o.deadline_s + 30, gone); !ok)
            return void(c.exit_code = c.fail(ok.error()));
    }
    report(c, "drained", workers, o.wait);
}

void reload(Context& c, const Order& o) {
    const auto reply = c.request({{"type", "reload"}, {"pool", o.target}, {"deadline_s", o.deadline_s}});
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const auto workers = reply->value("workers", std::vector<std::string>{});
    if (o.wait) {
        std::string refused;
        const auto over = [&](const json& pools) {
            for (const json& pool : pools) {
                if (pool.value("pool", "") != o.target) continue;
                if (pool.value("state", "") == "reloading") return false;
                // A worker that refused is there still, under its old id.
                for (const json& w : pool.value("workers", json::array()))
                    if (std::find(workers.begin(), workers.end(), w.value("worker", "")) != workers.end())
                        refused = pool.value("last_error", "a worker kept its configuration");
                return true;
            }
            return false;  // its last worker is just beginning again
        };
        if (auto ok = wait_until(c, o.target + " is reloaded",
                                 (o.deadline_s + 5) * double(workers.size() + 1), over);
            !ok)
            return void(c.exit_code = c.fail(ok.error()));
        if (!refused.empty())
            return void(c.exit_code = c.fail(
                            Error{Errc::conflict, "cannot reload " + o.target + ": " + refused,
                                  "the pool goes on as it was; mend its configuration, then reload again"}));
    }
    report(c, "reloaded", workers, o.wait);
}

void health(Context& c) {
    const auto reply = c.request({{"type", "health"}});
    if (!reply) return void(c.exit_code = c.fail(reply.error()));
    const bool ready = reply->value("ready", false);
    c.exit_code = ready ? exit_ok : exit_unavailable;
    if (c.json) {
        nlohmann::ordered_json out{{"ready", ready}};
        for (const auto& [key, value] : reply->items())
            if (key != "type" && key != "req" && key != "ok" && key != "ready") out[key] = value;
        return void(c.print(out));
    }
    std::cout << (ready ? "ready" : "not ready")
              << (reply->value("admitting", true) ? "" : "; takes no new jobs") << '\n';
    for (const json& part : reply->value("parts", json::array()))
        std::cout << fmt::format("  {:<24} {:<4} {}\n", part.value("name", ""),
                                 part.value("ok", false) ? "ok" : "BAD", part.value("detail", ""));
    for (const char* group : {"retained", "counts"}) {
        const json numbers = reply->value(group, json::object());
        std::vector<std::string> texts;
        for (const auto& [name, value] : numbers.items()) texts.push_back(name + " " + value.dump());
        if (!texts.empty()) std::cout << fmt::format("{:<11}{}\n", group, join(texts));
    }
    if (const std::string error = reply->value("last_error", ""); !error.empty())
        std::cout << "last error " << error << '\n';
}

void add_order(CLI::App* parent, Context& c, const char* name, const char* help, const char* target,
               double deadline_s, const char* deadline, void (*run)(Context&, const Order&),
               const char* examples) {
    auto o = std::make_shared<Order>();
    o->deadline_s = deadline_s;
    auto* cmd = parent->add_subcommand(name, help);
    cmd->add_option("target", o->target, target)->required();
    cmd->add_option("--deadline", o->deadline_s, deadline)
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    cmd->add_flag("--wait", o->wait, "wait until it is so");
    cmd->footer(examples);
    cmd->callback([&c, o, run] { run(c, *o); });
}

}  // namespace

void add_pools(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("pools", "list the workers of the fleet by pool; drain or reload them");
    cmd->footer(
        "Examples:\n  sightline pools\n  sightline pools drain detect/yolox_nano@1 --wait\n"
        "  sightline pools reload annotate --wait");
    cmd->callback([&c, cmd] {
        if (cmd->get_subcommands().empty()) list(c);
    });
    add_order(cmd, c, "drain", "let workers finish what they hold, hand the rest back, and leave",
              "a pool, or a worker's id", 30, "seconds until what is unfinished is handed back", &drain,
              "Workers of a supervisor stay away until `sightline scale`.\n"
              "Examples:\n  sightline pools drain annotate --deadline 60 --wait\n"
              "  sightline pools drain 01HX3W5T9Q2Z8Y6V4B7N1M0KJC");
    add_order(cmd, c, "reload",
              "let the workers of a pool begin again, one after the other, with the configuration of today",
              "a pool", 30, "seconds that each has to finish what it holds", &reload,
              "Exit status 5: a worker refused its new configuration, and all go on as they were.\n"
              "Example:\n  sightline pools reload detect/yolox_nano@1 --wait");
}

void add_health(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("health", "say whether the fleet takes jobs and can work on them");
    cmd->footer("Exit status 0: ready, 4: not.\nExample:\n  sightline health --json");
    cmd->callback([&c] { health(c); });
}

}  // namespace sl::cli
