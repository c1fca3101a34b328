// The audit trail in PostgreSQL: schema/postgres says the tables. Rows by COPY, the position in the same
// transaction; the position's row is locked, so writers that compete take turns and skip what is there.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <pqxx/pqxx>
#include <thread>
#include <tuple>

#include "common/log.hpp"
#include "common/store/audit.hpp"
#include "common/store/embedded.hpp"

namespace sl::store {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t migration_lock = 0x5349474854;  // "SIGHT": advisory lock of the migrations

// A server that is away must not hold the thread for the operating system's two minutes.
std::string with_timeouts(const std::string& dsn) {
    if (dsn.find("connect_timeout") != std::string::npos) return dsn;
    if (!dsn.starts_with("postgres://") && !dsn.starts_with("postgresql://"))
        return "connect_timeout=3 tcp_user_timeout=10000 application_name=sightline " + dsn;
    return dsn + (dsn.find('?') == std::string::npos ? "?" : "&") +
           "connect_timeout=3&tcp_user_timeout=10000";
}

// libpq's texts come in lines; an error is one sentence.
std::string one_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    std::ranges::replace(text, '\n', ' ');
    return text;
}

// What libpq says why it could not connect: it has text only.
Error connect_error(const std::string& libpq) {
    const std::string why = one_line(libpq);
    const auto says = [&](const char* part) { return why.find(part) != std::string::npos; };
    const auto error = [&](Errc code, const char* hint) {
        return Error{code, "cannot connect to PostgreSQL: " + why, hint};
    };
    if (says("authentication failed") || says("no password supplied"))
        return error(Errc::invalid_argument, "correct user and password in the audit's dsn");
    if (says("pg_hba.conf")) return error(Errc::invalid_argument, "let this host in by pg_hba.conf");
    if (says("database \"") && says("does not exist"))
        return error(Errc::invalid_argument, "make it (createdb), or correct the audit's dsn");
    if (says("role \"") && says("does not exist"))
        return error(Errc::invalid_argument, "make the role (createuser), or correct the audit's dsn");
    if (says("invalid connection option") || says("missing \"=\"") || says("invalid URI"))
        return error(Errc::invalid_argument, "write postgresql://user:password@host/database");
    return error(Errc::unavailable,
                 "start PostgreSQL, or correct the audit's dsn; the next call connects again");
}

std::string bigint(std::uint64_t value) {
    return std::to_string(value);
}

// ISO 8601, UTC, to the microsecond: what COPY reads.
std::string timestamp(std::int64_t ns) {
    ns = std::max<std::int64_t>(ns, 0);
    const std::time_t seconds = std::time_t(ns / 1'000'000'000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                       utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ns % 1'000'000'000 / 1000);
}

// Texts that PostgreSQL refuses: broken UTF-8 and NUL become U+FFFD, a body that is no JSON becomes a string.
std::string clean(const std::string& text) {
    const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string out = Json::parse(json).get<std::string>();
    for (auto at = out.find('\0'); at != out.npos; at = out.find('\0', at)) out.replace(at, 1, "\uFFFD");
    return out;
}
Json clean(const Json& value) {
    if (value.is_string()) return clean(value.get<std::string>());
    if (!value.is_structured()) return value;
    Json out = value.is_array() ? Json::array() : Json::object();
    for (const auto& [key, item] : value.items()) {
        if (value.is_array())
            out.push_back(clean(item));
        else
            out[clean(key)] = clean(item);
    }
    return out;
}
LogEntry clean(LogEntry entry) {
    const Json body = Json::parse(entry.body, nullptr, false);
    entry.body = (body.is_discarded() ? Json{{"text", clean(entry.body)}} : clean(body)).dump();
    entry.topic = clean(entry.topic);
    entry.kind = clean(entry.kind);
    entry.job = clean(entry.job);
    return entry;
}

// A server that is stopped answers nothing, and libpq waits for ever: the kernel still takes what is sent, so
// no time-out of a socket helps. After `limit` a thread of our own cuts the connection, and the call fails.
class CallLimit {
public:
    explicit CallLimit(std::chrono::milliseconds limit)
        : limit_(limit), thread_([this](const std::stop_token& stop) { run(stop); }) {}

    // Of one call; the connection must outlive it.
    class Call {
    public:
        Call(CallLimit& limit, int fd) : limit_(limit) { limit_.set(fd); }
        ~Call() { limit_.set(-1); }
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;

    private:
        CallLimit& limit_;
    };
    void cut() {
        const std::lock_guard lock(mutex_);
        if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
    }

private:
    void set(int fd) {
        const std::lock_guard lock(mutex_);
        fd_ = fd;
        until_ = std::chrono::steady_clock::now() + limit_;
        if (idle_ && fd >= 0) begun_.notify_one();
    }
    void run(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!stop.stop_requested()) {
            idle_ = fd_ < 0;
            const auto until = until_;
            if (idle_)
                begun_.wait(lock, stop, [&] { return fd_ >= 0; });
            else if (std::chrono::steady_clock::now() < until)  // a later call has more time: looked at then
                begun_.wait_until(lock, stop, until, [] { return false; });
            else
                ::shutdown(std::exchange(fd_, -1), SHUT_RDWR);
        }
    }

    const std::chrono::milliseconds limit_;
    std::mutex mutex_;
    std::condition_variable_any begun_;
    int fd_ = -1;  // of the call that is under way, and until when it may; guarded by mutex_, as all below
    bool idle_ = true;  // the thread waits for a call
    std::chrono::steady_clock::time_point until_;
    std::jthread thread_;  // last: it uses all of the above
};

class PostgresAudit final : public Audit {
public:
    explicit PostgresAudit(const PostgresOptions& options)
        : dsn_(with_timeouts(options.dsn)),
          fleet_(options.fleet),
          dedup_(options.dedup),
          limit_(std::chrono::milliseconds(options.answer_ms)) {}

    void interrupt() override { limit_.cut(); }

    Result<LogId> position() override {
        return guarded<LogId>("cannot read the audit position", [&] {
            pqxx::work tx(*connection_);
            return read_position(tx, "").value_or(LogId{});
        });
    }

    Result<void> append(std::span<const LogEntry> entries) override {
        if (entries.empty()) return {};
        const auto once = [&](bool cleaned) {
            return guarded<bool>("cannot append " + std::to_string(entries.size()) + " audit rows", [&] {
                try {
                    copy(entries, cleaned);
                    return true;
                } catch (const pqxx::sql_error& e) {
                    // A text that PostgreSQL refuses must not stop the trail: once more, cleaned.
                    if (cleaned || !connection_->is_open()) throw;
                    log::warn("audit_cleaned", "why='{}'", one_line(e.what()));
                    return false;
                }
            });
        };
        auto done = once(false);
        if (done && !*done) done = once(true);
        if (!done) return done.error();
        return {};
    }

    Result<Registry> registry() override {
        return guarded<Registry>("cannot read the registry of cameras", [&] {
            pqxx::work tx(*connection_);
            Registry all;
            all.kept = true;
            for (const auto& row : tx.exec_params(
                     "SELECT spec FROM sightline.cameras WHERE fleet = $1 ORDER BY camera", fleet_))
                all.cameras.push_back(row[0].as<std::string>());
            for (const auto& row :
                 tx.exec_params(R"(SELECT jsonb_build_object('of', "of", 'zones', zones, 'rules', rules))"
                                R"( FROM sightline.zones WHERE fleet = $1 ORDER BY "of")",
                                fleet_))
                all.zones.push_back(row[0].as<std::string>());
            return all;
        });
    }

private:
    // Connects when needed, runs `body`, and turns what pqxx throws into an Error.
    template <typename T, typename Body>
    Result<T> guarded(const std::string& what, Body body) {
        try {
            if (auto ok = connect(); !ok) return ok.error();
            const CallLimit::Call call(limit_, connection_->sock());
            return body();
        } catch (const pqxx::broken_connection& e) {
            return lost(what, e.what());
        } catch (const pqxx::in_doubt_error& e) {
            return lost(what, e.what());
        } catch (const pqxx::sql_error& e) {
            // Class 57: shut down or cancelled by a timeout; 53: out of disk, memory or connections; 40:
            // rolled back.
            const std::string state = e.sqlstate().substr(0, 2);
            if (!connection_ || !connection_->is_open() || state == "57" || state == "53" || state == "40")
                return lost(what, e.what());
            connection_.reset();
            return Error{Errc::internal, what + ": " + one_line(e.what()), "the statement was: " + e.query()};
        } catch (const pqxx::failure& e) {
            return lost(what, e.what());
        } catch (const std::exception& e) {
            connection_.reset();
            return Error{Errc::internal, what + ": " + e.what(), ""};
        }
    }

    Error lost(const std::string& what, const std::string& why) {
        connection_.reset();
        return {Errc::unavailable, what + ": " + one_line(why),
                "PostgreSQL is away; the next call connects again"};
    }

    Result<void> connect() {
        if (connection_) return {};
        std::unique_ptr<pqxx::connection> made;
        try {
            made = std::make_unique<pqxx::connection>(dsn_);
        } catch (const std::exception& e) {
            return connect_error(e.what());
        }
        auto ok = [&] {
            const CallLimit::Call call(limit_, made->sock());
            return migrate(*made);
        }();
        if (ok) connection_ = std::move(made);
        return ok;
    }

    Result<void> migrate(pqxx::connection& connection) {
        pqxx::work tx(connection);
        tx.exec("SET statement_timeout = '30s'; SET client_encoding = 'UTF8'");
        tx.exec("SELECT pg_advisory_xact_lock(" + std::to_string(migration_lock) + ")");
        tx.exec("CREATE SCHEMA IF NOT EXISTS sightline");
        tx.exec(
            "CREATE TABLE IF NOT EXISTS sightline.migration "
            "(number int PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())");
        const auto row = tx.exec1("SELECT coalesce(max(number), 0) FROM sightline.migration");
        const int applied = row[0].as<int>();
        const auto files = postgres_migrations();
        if (applied > int(files.size()))
            return Error{Errc::unsupported_version,
                         "cannot use the audit tables: they are of version " + std::to_string(applied) +
                             ", this program knows " + std::to_string(files.size()),
                         "upgrade this program"};
        for (int number = applied + 1; number <= int(files.size()); ++number) {
            const Embedded& file = files[std::size_t(number - 1)];
            tx.exec(std::string(file.text));
            tx.exec_params("INSERT INTO sightline.migration (number, name) VALUES ($1, $2)", number,
                           std::string(file.name));
            log::info("audit_migrated", "migration={}", file.name);
        }
        tx.commit();
        return {};
    }

    std::optional<LogId> read_position(pqxx::work& tx, const std::string& lock) {
        const auto rows =
            tx.exec_params("SELECT epoch, n FROM sightline.position WHERE fleet = $1 " + lock, fleet_);
        if (rows.empty()) return {};
        return LogId{rows[0][0].as<std::uint64_t>(), rows[0][1].as<std::uint64_t>()};
    }
    LogId lock_position(pqxx::work& tx) {
        if (const auto position = read_position(tx, "FOR UPDATE")) return *position;
        tx.exec_params("INSERT INTO sightline.position VALUES ($1, 0, 0) ON CONFLICT DO NOTHING", fleet_);
        return read_position(tx, "FOR UPDATE").value();  // a competing writer may have moved it meanwhile
    }

    void copy(std::span<const LogEntry> entries, bool cleaned) {
        pqxx::work tx(*connection_);
        LogId position = lock_position(tx);
        if (!dedup_) position = {};
        if (entries.back().id <= position) return;
        {
            static const std::vector<std::string> columns{"fleet", "epoch", "n",   "time",
                                                          "topic", "kind",  "job", "body"};
            pqxx::stream_to stream(tx, "sightline.audit", columns);
            for (const LogEntry& entry : entries) {
                if (!entry.audit || entry.id <= position) continue;
                const std::string epoch = bigint(entry.id.epoch), n = bigint(entry.id.n),
                                  time = timestamp(entry.time_ns);
                const auto write = [&](const LogEntry& row) {
                    stream << std::tie(fleet_, epoch, n, time, row.topic, row.kind, row.job, row.body);
                };
                cleaned ? write(clean(entry)) : write(entry);
            }
            stream.complete();
        }
        for (const LogEntry& entry : entries)
            if (entry.audit && entry.id > position) keep(tx, cleaned ? clean(entry) : entry);
        tx.exec_params("UPDATE sightline.position SET epoch = $2, n = $3 WHERE fleet = $1", fleet_,
                       bigint(entries.back().id.epoch), bigint(entries.back().id.n));
        tx.commit();
    }

    // What the event says of the registry.
    void keep(pqxx::work& tx, const LogEntry& entry) {
        if (entry.kind == "camera.set")
            tx.exec_params(
                "INSERT INTO sightline.cameras SELECT $1::text, b->>'camera', b, (b->>'revision')::bigint, "
                "$3::timestamptz "
                "FROM (SELECT $2::jsonb AS b) AS body ON CONFLICT (fleet, camera) DO UPDATE "
                "SET spec = excluded.spec, revision = excluded.revision, changed = excluded.changed",
                fleet_, entry.body, timestamp(entry.time_ns));
        else if (entry.kind == "camera.removed")
            tx.exec_params("DELETE FROM sightline.cameras WHERE fleet = $1 AND camera = $2::jsonb->>'camera'",
                           fleet_, entry.body);
        else if (entry.kind == "zones.set")
            tx.exec_params(
                "INSERT INTO sightline.zones SELECT $1::text, b->>'of', b->'zones', b->'rules', "
                "$3::timestamptz "
                "FROM (SELECT $2::jsonb AS b) AS body ON CONFLICT (fleet, \"of\") DO UPDATE "
                "SET zones = excluded.zones, rules = excluded.rules, changed = excluded.changed",
                fleet_, entry.body, timestamp(entry.time_ns));
        if (entry.kind == "zones.set")  // none left: no row
            tx.exec_params("DELETE FROM sightline.zones WHERE fleet = $1 AND zones = '[]' AND rules = '[]'",
                           fleet_);
    }

    std::string dsn_;
    std::string fleet_;
    const bool dedup_;
    CallLimit limit_;
    std::unique_ptr<pqxx::connection> connection_;
};

}  // namespace

Result<std::unique_ptr<Audit>> postgres_audit(const PostgresOptions& options) {
    if (options.dsn.empty() || options.fleet.empty())
        return Error{Errc::invalid_argument, "cannot open the audit trail: it has no dsn or no fleet name",
                     "write postgresql://user:password@host/database"};
    return std::unique_ptr<Audit>(std::make_unique<PostgresAudit>(options));
}

}  // namespace sl::store
