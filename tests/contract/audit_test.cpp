// One contract for every audit trail, then what only a file or only a server can do wrong.
#include "common/store/audit.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>
#include <thread>

#include "tests/support/postgres_server.hpp"

// libpqxx 6.4 forgets the result of a COPY that the server refused.
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libpqxx";
}

namespace sl::store {
namespace {

using test::PostgresServer;
using testing::ElementsAre;
using testing::HasSubstr;

LogEntry entry(std::uint64_t n, bool audit = true) {
    return {{1'722'470'400'000, n},
            "job.J1.state",
            "job.queued",
            "J1",
            1'722'470'400'123'456'789,
            R"({"n":)" + std::to_string(n) + "}",
            audit};
}
std::vector<LogEntry> entries(std::uint64_t from, std::uint64_t to) {
    std::vector<LogEntry> out;
    for (std::uint64_t n = from; n <= to; ++n) out.push_back(entry(n));
    return out;
}

// A trail that the test can open again, and read by the kept rows' n.
class Trail {
public:
    virtual ~Trail() = default;
    virtual Result<std::unique_ptr<Audit>> open() = 0;
    virtual std::vector<std::uint64_t> rows() = 0;
};

class FileTrail final : public Trail {
public:
    Result<std::unique_ptr<Audit>> open() override { return jsonl_audit(path()); }
    std::string path() const { return folder_.path() + "/audit.jsonl"; }
    std::vector<std::uint64_t> rows() override {
        std::vector<std::uint64_t> out;
        std::ifstream in(path());
        for (std::string line; std::getline(in, line);)
            out.push_back(parse_log_id(nlohmann::json::parse(line).at("id"))->n);
        return out;
    }

private:
    test::ScratchFolder folder_{"audit"};
};

// One server for all tests of this program, ended with it.
PostgresServer& server() {
    static PostgresServer one;
    return one;
}

class ServerTrail final : public Trail {
public:
    explicit ServerTrail(std::string fleet) : fleet_(std::move(fleet)) {}
    Result<std::unique_ptr<Audit>> open() override { return postgres_audit({server().dsn(), fleet_}); }
    std::vector<std::uint64_t> rows() override {
        pqxx::connection connection(server().dsn());
        pqxx::work tx(connection);
        std::vector<std::uint64_t> out;
        for (const auto& row :
             tx.exec_params("SELECT n FROM sightline.audit WHERE fleet = $1 ORDER BY epoch, n", fleet_))
            out.push_back(row[0].as<std::uint64_t>());
        return out;
    }

private:
    std::string fleet_;
};

class AuditContract : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (GetParam() == std::string("jsonl")) {
            trail_ = std::make_unique<FileTrail>();
        } else {
            if (!PostgresServer::installed()) SL_SKIP_OR_FAIL("PostgreSQL is not installed");
            trail_ =
                std::make_unique<ServerTrail>(testing::UnitTest::GetInstance()->current_test_info()->name());
        }
        reopen();
    }
    void reopen() {
        audit_.reset();
        auto audit = trail_->open();
        ASSERT_TRUE(audit) << audit.error().text();
        audit_ = std::move(*audit);
    }
    LogId position() {
        const auto at = audit_->position();
        EXPECT_TRUE(at) << at.error().text();
        return at ? *at : LogId{};
    }

    std::unique_ptr<Trail> trail_;
    std::unique_ptr<Audit> audit_;
};

INSTANTIATE_TEST_SUITE_P(, AuditContract, testing::Values("jsonl", "postgres"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(AuditContract, BeginsEmpty) {
    EXPECT_EQ(position(), LogId{});
    EXPECT_TRUE(audit_->append({}));
    EXPECT_EQ(position(), LogId{});
    EXPECT_TRUE(trail_->rows().empty());
}

TEST_P(AuditContract, KeepsRowsAndPositionOverAReopen) {
    ASSERT_TRUE(audit_->append(entries(1, 3)));
    ASSERT_TRUE(audit_->append(entries(4, 5)));
    EXPECT_EQ(position(), entry(5).id);
    reopen();
    EXPECT_EQ(position(), entry(5).id);
    EXPECT_THAT(trail_->rows(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_P(AuditContract, RepeatedAndOverlappingAppendsKeepEachOnce) {
    ASSERT_TRUE(audit_->append(entries(1, 3)));
    ASSERT_TRUE(audit_->append(entries(1, 3)));
    reopen();
    ASSERT_TRUE(audit_->append(entries(2, 5)));
    ASSERT_TRUE(audit_->append(entries(1, 1)));
    EXPECT_EQ(position(), entry(5).id);
    EXPECT_THAT(trail_->rows(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_P(AuditContract, ProgressIsPassedOver) {
    ASSERT_TRUE(audit_->append(std::vector{entry(1), entry(2, false), entry(3), entry(4, false)}));
    EXPECT_EQ(position(), entry(4).id) << "the position moves over what is not kept";
    EXPECT_THAT(trail_->rows(), ElementsAre(1, 3));
    ASSERT_TRUE(audit_->append(std::vector{entry(5, false)}));
    EXPECT_EQ(position(), entry(5).id);
    reopen();
    EXPECT_GE(position(), entry(3).id) << "never behind the last row kept";
    EXPECT_THAT(trail_->rows(), ElementsAre(1, 3));
}

TEST_P(AuditContract, OddTextStopsNothing) {
    LogEntry broken = entry(1), nul = entry(2), latin = entry(3), nested = entry(4);
    broken.body = "not json";
    nul.body = R"({"name":"a\u0000b"})";
    latin.job = "caf\xe9";
    latin.body = "{\"name\":\"caf\xe9\"}";
    nul.topic = std::string("a\0b", 3);
    nested.body = R"({"path":"C:\\u0000\ttab\n","list":[1,{"x":null}]})";
    ASSERT_TRUE(audit_->append(std::vector{broken, nul, latin, nested}))
        << audit_->append({&nul, 1}).error().text();
    ASSERT_TRUE(audit_->append(entries(5, 6)));
    EXPECT_THAT(trail_->rows(), ElementsAre(1, 2, 3, 4, 5, 6));
}

// --- files alone ---

class JsonlAudit : public testing::Test {
protected:
    FileTrail trail_;
    std::string text() const { return test::read_text(trail_.path()); }
    void write(const std::string& bytes) const { std::ofstream(trail_.path(), std::ios::binary) << bytes; }
};

TEST_F(JsonlAudit, LinesSayEverything) {
    ASSERT_TRUE((*trail_.open())->append(entries(7, 7)));
    EXPECT_EQ(text(), R"({"id":"1722470400000-7","time_ns":1722470400123456789,"topic":"job.J1.state",)"
                      R"("kind":"job.queued","job":"J1","body":{"n":7}})"
                      "\n");
}

TEST_F(JsonlAudit, TornLastLineIsCutOffAtEveryByte) {
    ASSERT_TRUE((*trail_.open())->append(entries(1, 2)));
    const std::string whole = text();
    const std::size_t first = whole.find('\n') + 1;
    for (std::size_t size = first; size < whole.size(); ++size) {
        write(whole.substr(0, size));
        auto audit = trail_.open();
        ASSERT_TRUE(audit) << size;
        EXPECT_EQ(*(*audit)->position(), entry(1).id) << size;
        ASSERT_TRUE((*audit)->append(entries(1, 2)));
        ASSERT_EQ(text(), whole) << size;
    }
    for (std::size_t size = 0; size < first; ++size) {
        write(whole.substr(0, size));
        EXPECT_EQ(*(*trail_.open())->position(), LogId{}) << size;
        EXPECT_EQ(text(), "") << size;
    }
}

TEST_F(JsonlAudit, LongLinesAreFoundAgain) {
    LogEntry big = entry(2);
    big.body = R"({"x":")" + std::string(300'000, 'y') + "\"}";
    ASSERT_TRUE((*trail_.open())->append(std::vector{entry(1), big}));
    EXPECT_EQ(*(*trail_.open())->position(), big.id);
    std::ofstream(trail_.path(), std::ios::app) << R"({"id":"1722470400000-3",)" << std::string(200'000, ' ');
    EXPECT_EQ(*(*trail_.open())->position(), big.id);
    EXPECT_THAT(trail_.rows(), ElementsAre(1, 2));
}

TEST_F(JsonlAudit, SecondWriterIsRefused) {
    const auto first = trail_.open();
    ASSERT_TRUE(first);
    EXPECT_EQ(trail_.open().error().code, Errc::conflict);
}

TEST_F(JsonlAudit, FilesOfOthersAreNotTouched) {
    write("hello\nworld\n");
    const auto audit = trail_.open();
    ASSERT_FALSE(audit);
    EXPECT_THAT(audit.error().text(), HasSubstr("is not ours"));
    EXPECT_EQ(text(), "hello\nworld\n");
    write("{\"id\":5}\n");
    EXPECT_EQ(trail_.open().error().code, Errc::conflict);
    EXPECT_EQ(jsonl_audit(trail_.path() + "/none/audit.jsonl").error().code, Errc::io);
}

// --- PostgreSQL alone ---

class PostgresAudit : public testing::Test {
protected:
    void SetUp() override {
        if (!PostgresServer::installed()) SL_SKIP_OR_FAIL("PostgreSQL is not installed");
        server();  // started by this thread, as it dies with the one that started it
    }
    static Error refusal(const std::string& dsn) {
        const auto at = (*postgres_audit({dsn, "f"}))->position();
        return at ? Error{Errc::internal, "it was not refused", ""} : at.error();
    }
    static void run(const std::string& sql) {
        pqxx::connection connection(server().dsn());
        pqxx::nontransaction(connection).exec(sql);
    }
};

TEST_F(PostgresAudit, WritersThatCompeteKeepEachOnce) {
    ServerTrail trail("compete");
    constexpr std::uint64_t last = 2000, step = 20;
    const auto write = [&](std::uint64_t phase) {
        const auto audit = trail.open();
        for (std::uint64_t n = 1; n <= last; n += step)
            EXPECT_TRUE((*audit)->append(entries(n, std::min(last, n + step - 1 + phase))));
    };
    { std::jthread a(write, 0), b(write, 7), c(write, 13); }
    std::vector<std::uint64_t> all(last);
    for (std::uint64_t n = 0; n < last; ++n) all[n] = n + 1;
    EXPECT_EQ(trail.rows(), all);
}

TEST_F(PostgresAudit, FirstConnectionsMigrateOnce) {
    run("DROP SCHEMA IF EXISTS sightline CASCADE");
    {
        std::vector<std::jthread> many;
        for (int i = 0; i < 4; ++i)
            many.emplace_back([] {
                EXPECT_TRUE((*postgres_audit({server().dsn(), "migrate"}))->position());
            });
    }
    run("INSERT INTO sightline.migration (number, name) VALUES (9999, 'of the future')");
    const Error error = refusal(server().dsn());
    run("DELETE FROM sightline.migration WHERE number = 9999");
    EXPECT_EQ(error.code, Errc::unsupported_version);
    EXPECT_THAT(error.hint, HasSubstr("upgrade"));
}

TEST_F(PostgresAudit, BrokenConnectionIsUnavailableThenHealed) {
    ServerTrail trail("broken");
    const auto audit = std::move(*trail.open());
    ASSERT_TRUE(audit->append(entries(1, 2)));
    server().kill();
    for (int again = 0; again < 2; ++again) {
        const auto cut = audit->append(entries(1, 4));
        ASSERT_FALSE(cut);
        EXPECT_EQ(cut.error().code, Errc::unavailable) << cut.error().text();
    }
    EXPECT_EQ(audit->position().error().code, Errc::unavailable);
    server().start();
    EXPECT_TRUE(audit->append(entries(1, 4)));
    EXPECT_EQ(*audit->position(), entry(4).id);
    EXPECT_THAT(trail.rows(), ElementsAre(1, 2, 3, 4));
}

// Stopped, not dead: the kernel takes what is sent to it, and nobody answers.
TEST_F(PostgresAudit, FrozenServerIsUnavailableInTimeThenHealed) {
    const auto audit = std::move(*postgres_audit({server().dsn(), "frozen", 300}));
    ServerTrail trail("frozen");
    ASSERT_TRUE(audit->append(entries(1, 2)));
    server().freeze();
    const auto late = audit->append(entries(3, 4));
    server().thaw();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::unavailable) << late.error().text();
    EXPECT_TRUE(audit->append(entries(3, 4)));
    EXPECT_EQ(*audit->position(), entry(4).id);
    EXPECT_THAT(trail.rows(), ElementsAre(1, 2, 3, 4));
}

TEST_F(PostgresAudit, InterruptEndsACallThatWaits) {
    const auto audit = std::move(*postgres_audit({server().dsn(), "interrupted", 60'000}));
    ASSERT_TRUE(audit->append(entries(1, 2)));
    server().freeze();
    std::atomic<bool> over{false};
    std::jthread call([&] {
        EXPECT_EQ(audit->append(entries(3, 4)).error().code, Errc::unavailable);
        over = true;
    });
    EXPECT_TRUE(test::eventually([&] {
        audit->interrupt();
        return over.load();
    }));
    call.join();
    server().thaw();
    EXPECT_TRUE(audit->append(entries(3, 4)));
}

// Small jobs come many in a row; by job they are read one by one.
TEST_F(PostgresAudit, EventsOfSmallJobsAreReadByJob) {
    LogEntry some = entry(2), all = entry(1);
    all.topic = some.topic = "jobs.noop";
    all.job = some.job = "";
    all.kind = "jobs.queued";
    all.body = R"({"pipeline":"noop","state":"queued","jobs":["a","b","c"]})";
    some.kind = "jobs.started";
    some.body = R"({"pipeline":"noop","state":"running","jobs":["b"]})";
    ASSERT_TRUE((*ServerTrail("small").open())->append(std::vector{all, some, entry(3)}));
    pqxx::connection connection(server().dsn());
    pqxx::work tx(connection);
    std::vector<std::string> seen;
    for (const auto& row : tx.exec("SELECT job, kind, topic, body->>'state' FROM sightline.job_event "
                                   "WHERE fleet = 'small' ORDER BY epoch, n, job"))
        seen.push_back(row[0].as<std::string>() + " " + row[1].as<std::string>() + " " +
                       row[2].as<std::string>() + " " + row[3].as<std::string>(""));
    EXPECT_THAT(seen, ElementsAre("a job.queued job.a.state queued", "b job.queued job.b.state queued",
                                  "c job.queued job.c.state queued", "b job.started job.b.state running",
                                  "J1 job.queued job.J1.state "));
}

TEST_F(PostgresAudit, AlertsAreReadByColumn) {
    LogEntry alert = entry(1);
    alert.kind = "alert";
    alert.body =
        R"({"alert":"J1-00ff","job":"J1","stream":"a.mp4","rule":"person","class_name":"person","frame":42,)"
        R"("time_s":1.5,"box":{"x":1,"y":2,"width":3,"height":4,"score":0.75}})";
    ASSERT_TRUE((*ServerTrail("alerts").open())->append(std::vector{alert, entry(2)}));
    pqxx::connection connection(server().dsn());
    pqxx::work tx(connection);
    const auto row = tx.exec1(
        "SELECT alert, stream, rule, class_name, frame, time_s, score, width, "
        "to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') "
        "FROM sightline.alert WHERE fleet = 'alerts'");
    EXPECT_EQ(row[0].as<std::string>(), "J1-00ff");
    EXPECT_EQ(row[1].as<std::string>(), "a.mp4");
    EXPECT_EQ(row[2].as<std::string>(), "person");
    EXPECT_EQ(row[3].as<std::string>(), "person");
    EXPECT_EQ(row[4].as<int>(), 42);
    EXPECT_EQ(row[5].as<double>(), 1.5);
    EXPECT_EQ(row[6].as<float>(), 0.75f);
    EXPECT_EQ(row[7].as<float>(), 3.f);
    EXPECT_EQ(row[8].as<std::string>(), "2024-08-01 00:00:00.123456");
}

TEST_F(PostgresAudit, WrongAccessIsSaidClearly) {
    run("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'right'");
    const auto expect = [](const Error& error, Errc code, const char* hint) {
        EXPECT_EQ(error.code, code) << error.text();
        EXPECT_THAT(error.hint, HasSubstr(hint)) << error.text();
        EXPECT_THAT(error.text(), testing::Not(HasSubstr("hunter2")));
    };
    expect(refusal(server().dsn("postgres", "guest") + " password=hunter2"), Errc::invalid_argument,
           "correct user and password");
    expect(refusal(server().dsn("postgres", "guest")), Errc::invalid_argument, "correct user and password");
    expect(refusal(server().dsn("missing")), Errc::invalid_argument, "createdb");
    expect(refusal(server().dsn("postgres", "nobody_of_that_name")), Errc::invalid_argument, "createuser");
    expect(refusal("nonsense"), Errc::invalid_argument, "postgresql://");
    expect(refusal("host=/nowhere dbname=postgres"), Errc::unavailable, "start PostgreSQL");
    expect(refusal("postgresql://u:hunter2@127.0.0.1:" + std::to_string(test::free_port()) + "/d"),
           Errc::unavailable, "start PostgreSQL");
    EXPECT_FALSE(postgres_audit({"", "f"}));
    EXPECT_FALSE(postgres_audit({"dbname=postgres", ""}));
}

}  // namespace
}  // namespace sl::store
