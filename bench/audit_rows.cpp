// Rows a second into the audit trail, against bare COPY of the same rows, made before, into a table alike.
//   audit_rows DSN ROWS TURNS: prints JSON, rows a second of each turn: {"bare COPY of 1000": […], …}
#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/store/audit.hpp"

namespace {

using sl::store::LogEntry;

// What a job without alerts leaves in the log.
std::vector<LogEntry> entries(std::uint64_t first, std::size_t n) {
    static const char* const kinds[] = {"queued", "started", "succeeded"};
    std::vector<LogEntry> all;
    for (std::size_t i = 0; i < n; ++i) {
        const std::string kind = kinds[i % 3],
                          job = "01JBENCH" + std::to_string(1'000'000'000 + (first + i) / 3);
        all.push_back({{1'700'000'000'000, first + i},
                       "job." + job + ".state",
                       "job." + kind,
                       job,
                       std::int64_t(1'700'000'000'000'000'000 + i * 10'000),
                       R"({"pipeline":"annotate","preset":"default","state":")" + kind + "\"}",
                       true});
    }
    return all;
}

class Bare {  // libpq and nothing else
public:
    explicit Bare(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str())) {
        if (PQstatus(connection_) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_));
        ask("DROP TABLE IF EXISTS sightline.bare");
        ask("CREATE TABLE sightline.bare (LIKE sightline.audit INCLUDING ALL)");
    }
    ~Bare() { PQfinish(connection_); }
    Bare(const Bare&) = delete;
    Bare& operator=(const Bare&) = delete;

    void ask(const char* sql) {
        PGresult* result = PQexec(connection_, sql);
        const auto status = PQresultStatus(result);
        PQclear(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_COPY_IN)
            throw std::runtime_error(PQerrorMessage(connection_));
    }
    void copy(const std::string& text) {
        ask("COPY sightline.bare FROM STDIN");
        if (PQputCopyData(connection_, text.data(), int(text.size())) != 1 ||
            PQputCopyEnd(connection_, nullptr) != 1)
            throw std::runtime_error(PQerrorMessage(connection_));
        while (PGresult* result = PQgetResult(connection_)) {
            const bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
            PQclear(result);
            if (!good) throw std::runtime_error(PQerrorMessage(connection_));
        }
    }

private:
    PGconn* connection_;
};

double rate(std::size_t rows, const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return double(rows) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int measure(const std::string& dsn, std::size_t rows, int turns) {
    auto audit = sl::store::postgres_audit({dsn, "bench"});
    if (!audit) throw std::runtime_error(audit.error().text());
    const auto append = [&](std::span<const LogEntry> some) {
        if (auto ok = (*audit)->append(some); !ok) throw std::runtime_error(ok.error().text());
    };
    std::uint64_t next = 1;
    append(entries(next, 1));  // migrates, and warms up
    next += 1;
    Bare bare(dsn);
    std::map<std::string, std::vector<double>> rates;
    for (int turn = 0; turn < turns; ++turn) {
        std::vector<std::string> texts;
        for (std::size_t at = 0; at < rows; at += 1000) {
            std::string& text = texts.emplace_back();
            for (const auto& e : entries(next + at, std::min<std::size_t>(1000, rows - at)))
                text += "bench\t" + std::to_string(e.id.epoch) + "\t" + std::to_string(e.id.n) +
                        "\t2026-01-01 00:00:00.000001Z\t" + e.topic + "\t" + e.kind + "\t" + e.job + "\t" +
                        e.body + "\n";
        }
        rates["bare COPY of 1000"].push_back(rate(rows, [&] {
            for (const auto& text : texts) bare.copy(text);
        }));
        for (const std::size_t each : {std::size_t(1000), std::size_t(5000)}) {
            const auto all = entries(next, rows);
            next += rows;
            rates["audit, " + std::to_string(each) + " a transaction"].push_back(rate(rows, [&] {
                for (std::size_t at = 0; at < rows; at += each)
                    append(std::span(all).subspan(at, std::min(each, rows - at)));
            }));
        }
    }
    std::cout << nlohmann::json(rates).dump() << "\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc != 4) throw std::runtime_error("usage: audit_rows DSN ROWS TURNS");
        return measure(argv[1], std::stoul(argv[2]), std::stoi(argv[3]));
    } catch (const std::exception& e) {
        std::cerr << "audit_rows: " << e.what() << "\n";
        return 1;
    }
}
