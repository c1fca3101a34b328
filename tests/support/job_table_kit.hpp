// A job table, and beside it the store that its journals went to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/job_table.hpp"

namespace sl::broker {

using schema::Token;
using State = Unit::State;
using std::chrono::milliseconds;

class Kit {
public:
    explicit Kit(std::vector<OutboxOptions::Target> targets = {{"log", "log", {}}}) {
        alerts.targets = std::move(targets);
        Journal j;
        table.deliver_to(alerts, j);
        keep(j);
    }

    JobTable table{1, {}};
    OutboxOptions alerts;  // of reloaded()
    store::Records records;
    std::vector<store::LogEntry> log;

    template <typename F>
    auto operator()(F f) {
        Journal j;
        if constexpr (std::is_void_v<decltype(f(j))>) {
            f(j);
            keep(j);
        } else {
            auto r = f(j);
            keep(j);
            return r;
        }
    }
    void keep(const Journal& j) {
        for (const auto& w : j.writes) {
            if (w.kind == store::Write::Kind::set) records[w.record][w.field] = w.value;
            if (w.kind == store::Write::Kind::erase_field) records[w.record].erase(w.field);
            if (w.kind == store::Write::Kind::erase_record) records.erase(w.record);
        }
        log.insert(log.end(), j.log.begin(), j.log.end());
    }
    bool no_job_kept() const {  // but for what is the fleet's own
        return std::all_of(records.begin(), records.end(), [](const auto& r) { return r.first == "fleet"; });
    }
    JobTable reloaded() const {
        JobTable other(2, {});
        EXPECT_TRUE(other.load(records));
        other.load_undelivered(log);
        Journal j;
        other.deliver_to(alerts, j);
        return other;
    }

    std::string submit(const std::string& id, const std::string& key = "") {
        schema::JobSpec spec;
        spec.job = id;
        spec.inputs = {{"media", "a.mp4"}};
        spec.pools = {{"detect/m@1", 1, 1, "bgr", "stretch", 0, {}}};
        return *(*this)([&](Journal& j) { return table.submit(spec, key, j); });
    }
    // A job whose streams have so many chunks each.
    Job& running(const std::string& id, std::vector<int> chunks) {
        submit(id);
        Job& job = *table.find(id);
        scan(job, chunks);
        return job;
    }
    void scan(Job& job, const std::vector<int>& chunks) {
        const Token t = (*this)([&](Journal& j) { return table.lease_scan(job, "ingest", j); });
        std::vector<std::string> names;
        for (std::size_t i = 0; i < chunks.size(); ++i) names.push_back("s" + std::to_string(i));
        EXPECT_TRUE((*this)([&](Journal& j) { return table.found(t, names, j); }));
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            schema::Scanned m;
            m.token = t;
            m.stream = std::int32_t(i);
            for (int k = 0; k < chunks[i]; ++k) {
                schema::Row row;
                row.seq = k;
                row.frames = 10;
                m.rows.push_back(row);
            }
            m.info.frames = 10 * chunks[i];
            EXPECT_TRUE((*this)([&](Journal& j) { return table.scanned(m, j); }));
        }
    }
    Token lease(Job& job, int stream, int seq, const std::string& home = "home") {
        return (*this)([&](Journal& j) { return table.lease_chunk(job, stream, seq, home, j); });
    }
    Result<JobTable::Turn> gathered(const Token& t) {
        return (*this)(
            [&](Journal& j) { return table.gathered(t, schema::encode(schema::Detections{}), j); });
    }
    Result<std::optional<Token>> step(const Token& t, int detected = 1,
                                      std::vector<schema::Alert> alerts = {}) {
        schema::StreamState s;
        s.detected = detected;
        return (*this)([&](Journal& j) { return table.step(t, schema::encode(s), alerts, j); });
    }
    Result<void> done(const Token& t) {
        schema::Counters c;
        c.read = c.decoded = c.annotated = 10;
        return (*this)([&](Journal& j) { return table.done(t, {{"video", "parts/x", 1, "ff"}}, c, j); });
    }
    void complete(const Token& t, int detected = 1) {
        EXPECT_TRUE(gathered(t)->turn);
        EXPECT_TRUE(step(t, detected));
        EXPECT_TRUE(done(t));
    }
    Result<void> fail(const Token& t, const std::string& code = "IO", const std::string& why = "x") {
        return (*this)([&](Journal& j) { return table.fail(t, code, why, j); });
    }
    // A worker dies of these pieces; every one is another worker.
    Result<void> strike(const Token& t, const std::string& stage, std::vector<schema::Piece> pieces = {},
                        std::string worker = "") {
        if (worker.empty()) worker = "w" + std::to_string(++deaths_);
        return (*this)([&](Journal& j) { return table.strike(t, stage, pieces, "signal 11", worker, j); });
    }
    Result<JobState> retry(const std::string& id) {
        return (*this)([&](Journal& j) { return table.retry(id, j); });
    }
    Result<void> forget(const std::string& id, bool results = false) {
        return (*this)([&](Journal& j) { return table.forget(id, results, j); });
    }
    void finalize(Job& job) {
        const Token t = (*this)([&](Journal& j) { return table.lease_final(job, "home", j); });
        EXPECT_TRUE((*this)([&](Journal& j) { return table.final_done(t, "digest", j); }));
    }
    void sweep(Job& job) {
        const Token t = (*this)([&](Journal& j) { return table.lease_sweep(job, "home", j); });
        EXPECT_TRUE((*this)([&](Journal& j) { return table.swept(t, j); }));
    }
    // The target's worker gets what waits, 64 at most; the token, and what it got.
    std::pair<Token, std::vector<schema::Alert>> deliver(const std::string& target = "log") {
        std::vector<schema::Alert> alerts_of_lease;
        const Token t = table.lease_deliver(target, "alerts", 64, alerts_of_lease);
        return {t, alerts_of_lease};
    }
    // It finished the first `taken` of them.
    Result<void> delivered(const Token& t, int taken, bool ended = true,
                           std::vector<schema::GivenUp> dead = {}) {
        schema::Delivered m;
        m.token = t;
        m.taken = taken;
        m.ended = ended;
        m.dead = std::move(dead);
        m.state = "closed";
        return (*this)([&](Journal& j) { return table.delivered(m, j); });
    }
    std::vector<std::string> kinds(const std::string& job) const {
        std::vector<std::string> k;
        for (const auto& e : log)
            if (e.job == job && e.kind != "job.progress" && e.kind != "job.strike" && e.kind != "job.dead")
                k.push_back(e.kind);
        return k;
    }

private:
    int deaths_ = 0;
};

using Kinds = std::vector<std::string>;

}  // namespace sl::broker
