// One contract for every job store, then what only a server can do wrong.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <numeric>
#include <thread>

#include "common/store/job_store.hpp"
#include "tests/support/redis_server.hpp"

namespace sl::store {
namespace {

using test::eventually;
using test::RedisServer;
using testing::HasSubstr;

Write set(std::string record, std::string field, std::string value) {
    return {Write::Kind::set, std::move(record), std::move(field), std::move(value)};
}
Write erase_field(std::string record, std::string field) {
    return {Write::Kind::erase_field, std::move(record), std::move(field), ""};
}
Write erase_record(std::string record) {
    return {Write::Kind::erase_record, std::move(record), "", ""};
}

LogEntry entry(std::uint64_t epoch, std::uint64_t n) {
    return {{epoch, n},
            "job.J1.state",
            "job.queued",
            "J1",
            std::int64_t(1'700'000'000'000'000'000 + n),
            R"({"n":)" + std::to_string(n) + "}",
            n % 2 == 0};
}

// One server for all tests of this program; each store has a fleet of its own.
RedisServer& shared_redis() {
    static RedisServer server;
    return server;
}

std::unique_ptr<JobStore> open_redis(const std::string& url, const std::string& fleet,
                                     std::int64_t timeout_ms = 5000) {
    auto store = redis_store({url, fleet, timeout_ms});
    if (!store) throw std::runtime_error(store.error().text());
    return std::move(*store);
}

class StoreContract : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (GetParam() == std::string("memory")) {
            store_ = memory_store();
            return;
        }
        if (!RedisServer::installed()) SL_SKIP_OR_FAIL("redis-server is not installed");
        store_ =
            open_redis(shared_redis().url(), testing::UnitTest::GetInstance()->current_test_info()->name());
    }

    std::uint64_t lead(const std::string& broker = "a") {
        const auto lead = store_->lead(broker, 60'000);
        EXPECT_TRUE(lead && lead->leads);
        return lead->epoch;
    }
    Records records() { return *store_->load(); }

    std::unique_ptr<JobStore> store_;
};

INSTANTIATE_TEST_SUITE_P(, StoreContract, testing::Values("memory", "redis"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(StoreContract, OneLeadsTheOtherLearnsWho) {
    const auto a = store_->lead("a", 60'000);
    ASSERT_TRUE(a) << a.error().text();
    EXPECT_TRUE(a->leads);
    EXPECT_EQ(a->leader, "a");
    EXPECT_GT(a->epoch, 1'700'000'000'000u) << "milliseconds since 1970";
    const auto b = store_->lead("b", 60'000);
    EXPECT_FALSE(b->leads);
    EXPECT_EQ(b->leader, "a");
    EXPECT_EQ(b->epoch, a->epoch);
    EXPECT_EQ(store_->lead("a", 60'000)->epoch, a->epoch) << "kept, not taken anew";
}

TEST_P(StoreContract, ResignedEpochNeverComesBack) {
    const auto epoch = lead("a");
    ASSERT_TRUE(store_->resign("b"));
    ASSERT_TRUE(store_->commit({epoch, 1, {set("r", "f", "1")}, {}}))
        << "another's resignation changes nothing";
    ASSERT_TRUE(store_->resign("a"));
    EXPECT_EQ(store_->commit({epoch, 2, {set("r", "f", "2")}, {}}).error().code, Errc::stale);
    EXPECT_GT(lead("a"), epoch);
    EXPECT_EQ(records(), (Records{{"r", {{"f", "1"}}}}));
}

TEST_P(StoreContract, ExpiredLeadGoesToWhoAsks) {
    const auto a = store_->lead("a", 1);
    ASSERT_TRUE(a->leads);
    ASSERT_TRUE(store_->commit({a->epoch, 1, {set("r", "f", "a")}, {}}));
    Lead b;
    ASSERT_TRUE(eventually([&] { return (b = *store_->lead("b", 60'000)).leads; }));
    EXPECT_GT(b.epoch, a->epoch);
    const auto refused = store_->commit({a->epoch, 2, {set("r", "f", "late")}, {entry(a->epoch, 1)}});
    EXPECT_EQ(refused.error().code, Errc::stale);
    EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(b.epoch)));
    EXPECT_EQ(records(), (Records{{"r", {{"f", "a"}}}}));
    EXPECT_TRUE(store_->read_log({}, 10)->empty());
    ASSERT_TRUE(store_->commit({b.epoch, 1, {set("r", "f", "b")}, {}})) << "numbers begin anew";
    EXPECT_EQ(records(), (Records{{"r", {{"f", "b"}}}}));
}

TEST_P(StoreContract, NobodyLeadsNobodyWrites) {
    EXPECT_EQ(store_->commit({17, 1, {set("r", "f", "1")}, {}}).error().code, Errc::stale);
    EXPECT_TRUE(records().empty());
}

TEST_P(StoreContract, WritesApplyInOrder) {
    const auto epoch = lead();
    ASSERT_TRUE(store_->commit(
        {epoch,
         1,
         {set("job:1", "a", "x"), set("job:1", "a", "y"), set("job:1", "b", ""), set("job:2", "a", "1"),
          set("job:3", "a", "1"), erase_record("job:3"), set("job:3", "c", "3"), erase_field("job:2", "a"),
          erase_field("job:2", "none"), erase_record("job:9")},
         {}}));
    EXPECT_EQ(records(), (Records{{"job:1", {{"a", "y"}, {"b", ""}}}, {"job:3", {{"c", "3"}}}}));
}

TEST_P(StoreContract, RepeatedBatchAppliesOnce) {
    const auto epoch = lead();
    const Batch first{epoch, 1, {set("r", "f", "1")}, {entry(epoch, 1)}};
    const Batch second{epoch, 2, {set("r", "f", "2")}, {entry(epoch, 2)}};
    for (const Batch& batch : {first, first, second, first, second}) ASSERT_TRUE(store_->commit(batch));
    EXPECT_EQ(records()["r"]["f"], "2");
    EXPECT_EQ(store_->read_log({}, 10)->size(), 2u);
}

TEST_P(StoreContract, MissingBatchIsStale) {
    const auto epoch = lead();
    ASSERT_TRUE(store_->commit({epoch, 1, {set("r", "f", "1")}, {}}));
    const auto gap = store_->commit({epoch, 3, {set("r", "f", "3")}, {}});
    EXPECT_EQ(gap.error().code, Errc::stale);
    EXPECT_THAT(gap.error().hint, HasSubstr("load again"));
    EXPECT_EQ(records()["r"]["f"], "1");
}

TEST_P(StoreContract, WrongBatchesWriteNothing) {
    const auto epoch = lead();
    ASSERT_TRUE(store_->commit({epoch, 1, {}, {entry(epoch, 5)}}));
    const auto code = [&](const Batch& batch) { return store_->commit(batch).error().code; };
    EXPECT_EQ(code({0, 2, {set("r", "f", "1")}, {}}), Errc::invalid_argument);
    EXPECT_EQ(code({epoch, 0, {set("r", "f", "1")}, {}}), Errc::invalid_argument);
    EXPECT_EQ(code({epoch, 2, {set("", "f", "1")}, {}}), Errc::invalid_argument);
    EXPECT_EQ(code({epoch, 2, {set("r", "f", "1")}, {entry(epoch, 7), entry(epoch, 7)}}),
              Errc::invalid_argument);
    EXPECT_EQ(code({epoch, 2, {set("r", "f", "1")}, {entry(epoch, 5)}}), Errc::invalid_argument)
        << "not above the last";
    EXPECT_EQ(code({epoch, 2, std::vector<Write>(200'001, set("r", "f", "1")), {}}), Errc::invalid_argument);
    EXPECT_TRUE(records().empty());
    EXPECT_TRUE(store_->commit({epoch, 2, {}, {entry(epoch, 6)}})) << "none of them was counted";
}

TEST_P(StoreContract, ValuesAreBytes) {
    const auto epoch = lead();
    std::string big(1 << 20, '\0');
    for (std::size_t i = 0; i < big.size(); ++i) big[i] = char(i * 2654435761u >> 13);
    const std::string odd("a\0b\r\n{}\xff", 8);
    ASSERT_TRUE(store_->commit({epoch, 1, {set("job:{x}", "big", big), set("job:{x}", odd, odd)}, {}}));
    const Records loaded = records();
    EXPECT_TRUE(loaded.at("job:{x}").at("big") == big);
    EXPECT_EQ(loaded.at("job:{x}").at(odd), odd);
}

TEST_P(StoreContract, TwentyThousandWritesAreOneBatch) {
    const auto epoch = lead();
    Batch batch{epoch, 1, {}, {}};
    for (int i = 0; i < 20'000; ++i)
        batch.writes.push_back(
            set("job:" + std::to_string(i % 1000), "chunk:" + std::to_string(i), std::string(50, 'x')));
    for (std::uint64_t n = 1; n <= 2000; ++n) batch.log.push_back(entry(epoch, n));
    ASSERT_TRUE(store_->commit(batch));
    const Records loaded = records();
    std::size_t fields = 0;
    for (const auto& [name, record] : loaded) fields += record.size();
    EXPECT_EQ(loaded.size(), 1000u);
    EXPECT_EQ(fields, 20'000u);
    EXPECT_EQ(store_->read_log({}, 5000)->size(), 2000u);
}

// Stores may keep the entries of a large batch together; nobody must notice.
TEST_P(StoreContract, LargeBatchesAreReadAndTrimmedEntryByEntry) {
    const auto epoch = lead();
    constexpr std::uint64_t each = 500;
    for (std::uint64_t b = 0; b < 3; ++b) {
        Batch batch{epoch, b + 1, {}, {}};
        for (std::uint64_t n = 1; n <= each; ++n) batch.log.push_back(entry(epoch, b * each + n));
        ASSERT_TRUE(store_->commit(batch));
    }
    const auto ids_after = [&](std::uint64_t n, std::size_t limit) {
        std::vector<std::uint64_t> ids;
        const auto page = store_->read_log({epoch, n}, limit);
        EXPECT_TRUE(page);
        for (const auto& e : *page) {
            EXPECT_EQ(e.body, entry(epoch, e.id.n).body);
            EXPECT_EQ(e.audit, e.id.n % 2 == 0);
            ids.push_back(e.id.n);
        }
        return ids;
    };
    const auto range = [](std::uint64_t first, std::uint64_t last) {
        std::vector<std::uint64_t> ids(last - first + 1);
        std::iota(ids.begin(), ids.end(), first);
        return ids;
    };
    EXPECT_EQ(ids_after(0, 10000), range(1, 1500));
    EXPECT_EQ(ids_after(777, 100), range(778, 877));
    EXPECT_EQ(ids_after(1499, 100), range(1500, 1500));
    ASSERT_TRUE(store_->trim_log({epoch, 600}));
    EXPECT_EQ(ids_after(0, 10000), range(601, 1500));
    ASSERT_TRUE(store_->trim_log({epoch, 550}));
    EXPECT_EQ(ids_after(0, 10000), range(601, 1500)) << "what is forgotten does not come back";
    Batch old{epoch, 4, {}, {}};
    for (std::uint64_t n = 1500; n < 1500 + each; ++n) old.log.push_back(entry(epoch, n));
    EXPECT_EQ(store_->commit(old).error().code, Errc::invalid_argument) << "its first id does not rise";
    ASSERT_TRUE(store_->trim_log({epoch, 5000}));
    ASSERT_TRUE(store_->commit({epoch, 4, {}, {entry(epoch, 1501)}}));
    EXPECT_EQ(ids_after(0, 10), range(1501, 1501)) << "what comes later is not forgotten beforehand";
}

TEST_P(StoreContract, ManyFieldsOfOneRecordInOneBatch) {
    Batch batch{lead(), 1, {}, {}};
    for (int i = 0; i < 2500; ++i) batch.writes.push_back(set("r", std::to_string(i), std::to_string(2 * i)));
    batch.writes.push_back(set("r", "7", "again"));
    for (int i = 1000; i < 2500; ++i) batch.writes.push_back(erase_field("r", std::to_string(i)));
    ASSERT_TRUE(store_->commit(batch));
    auto records = store_->load();
    ASSERT_TRUE(records);
    EXPECT_EQ((*records)["r"].size(), 1000u);
    EXPECT_EQ((*records)["r"]["7"], "again");
    EXPECT_EQ((*records)["r"]["999"], "1998");
}

TEST_P(StoreContract, LogIsReadInPagesAndTrimmed) {
    const auto epoch = lead();
    for (std::uint64_t b = 0; b < 5; ++b) {
        Batch batch{epoch, b + 1, {}, {}};
        for (std::uint64_t n = 1; n <= 10; ++n) batch.log.push_back(entry(epoch, b * 10 + n));
        ASSERT_TRUE(store_->commit(batch));
    }
    LogId at;
    std::uint64_t expected = 0;
    for (;;) {
        const auto page = store_->read_log(at, 7);
        ASSERT_TRUE(page);
        if (page->empty()) break;
        EXPECT_LE(page->size(), 7u);
        for (const LogEntry& got : *page) {
            const LogEntry want = entry(epoch, ++expected);
            EXPECT_EQ(got.id, want.id);
            EXPECT_EQ(got.topic, want.topic);
            EXPECT_EQ(got.kind, want.kind);
            EXPECT_EQ(got.job, want.job);
            EXPECT_EQ(got.time_ns, want.time_ns);
            EXPECT_EQ(got.body, want.body);
            EXPECT_EQ(got.audit, want.audit);
        }
        at = page->back().id;
    }
    EXPECT_EQ(expected, 50u);

    ASSERT_TRUE(store_->trim_log({epoch, 30}));
    ASSERT_TRUE(store_->trim_log({epoch, 10})) << "already gone";
    EXPECT_EQ(store_->read_log({}, 100)->front().id, (LogId{epoch, 31}));
    ASSERT_TRUE(store_->trim_log({epoch, 1000}));
    EXPECT_TRUE(store_->read_log({}, 100)->empty());
    EXPECT_FALSE(store_->commit({epoch, 6, {}, {entry(epoch, 50)}})) << "a trimmed id does not come again";
    EXPECT_TRUE(store_->commit({epoch, 6, {}, {entry(epoch, 51)}}));
}

TEST(LogIds, AreReadAndOrdered) {
    EXPECT_EQ(*parse_log_id("1722470400000-17"), (LogId{1722470400000, 17}));
    EXPECT_EQ(*parse_log_id(LogId{~0ull, ~0ull}.text()), (LogId{~0ull, ~0ull}));
    for (const char* bad : {"", "-", "1", "1-", "-1", "1-2-3", "a-1", "1-1 ", "99999999999999999999-1"})
        EXPECT_FALSE(parse_log_id(bad)) << bad;
    EXPECT_LT((LogId{1, 9}), (LogId{2, 1}));
}

// --- Redis alone ---

class RedisStoreTest : public testing::Test {
protected:
    void SetUp() override {
        if (!RedisServer::installed()) SL_SKIP_OR_FAIL("redis-server is not installed");
    }
    static Error refusal(const std::string& url, const std::string& fleet = "f") {
        auto store = redis_store({url, fleet, 1000});
        if (!store) return store.error();
        auto loaded = (*store)->load();
        return loaded ? Error{Errc::internal, "it was not refused", ""} : loaded.error();
    }
    static void run(const std::string& url, std::vector<const char*> args) {
        redisContext* context = redisConnectUnix(url.substr(7).c_str());
        auto* reply =
            static_cast<redisReply*>(redisCommandArgv(context, int(args.size()), args.data(), nullptr));
        ASSERT_TRUE(reply && reply->type != REDIS_REPLY_ERROR) << (reply ? reply->str : context->errstr);
        freeReplyObject(reply);
        redisFree(context);
    }
};

TEST_F(RedisStoreTest, AnswerLostBatchAppliedOnce) {
    RedisServer server;
    const auto store = open_redis(server.url(), "f", 200), witness = open_redis(server.url(), "f");
    const auto epoch = store->lead("a", 60'000)->epoch;
    const Batch batch{epoch, 1, {set("r", "f", "1")}, {entry(epoch, 1)}};
    server.freeze();  // the batch lies in the server's socket, no answer comes
    const auto cut = store->commit(batch);
    server.thaw();
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::unavailable);
    EXPECT_THAT(cut.error().message, HasSubstr("no answer within 200 ms"));
    ASSERT_TRUE(eventually([&] { return witness->read_log({}, 10)->size() == 1; }))
        << "it was applied all the same";
    EXPECT_TRUE(store->commit(batch));
    EXPECT_EQ(witness->read_log({}, 10)->size(), 1u);
    EXPECT_TRUE(store->commit({epoch, 2, {}, {entry(epoch, 2)}}));
}

TEST_F(RedisStoreTest, KilledServerKeepsEverything) {
    RedisServer server;
    const auto store = open_redis(server.url(), "f");
    const auto epoch = store->lead("a", 60'000)->epoch;
    for (std::uint64_t n = 1; n <= 40; ++n) {
        ASSERT_TRUE(store->commit({epoch, n, {set("r", std::to_string(n), "v")}, {entry(epoch, n)}}));
        if (n % 20 != 0) continue;
        server.kill();
        EXPECT_EQ(store->load().error().code, Errc::unavailable);
        EXPECT_EQ(store->commit({epoch, n + 1, {}, {}}).error().code, Errc::unavailable);
        server.start();
    }
    EXPECT_EQ(store->lead("a", 60'000)->epoch, epoch) << "the lead outlives the restart";
    EXPECT_EQ((*store->load())["r"].size(), 40u);
    EXPECT_EQ(store->read_log({}, 100)->size(), 40u);
}

TEST_F(RedisStoreTest, RestartedBrokerOfTheSameNameIsAnother) {
    auto& server = shared_redis();
    const auto before = open_redis(server.url(), "same_name"), after = open_redis(server.url(), "same_name");
    const auto epoch = before->lead("a", 60'000)->epoch;
    EXPECT_FALSE(after->lead("a", 60'000)->leads);
    ASSERT_TRUE(after->resign("a"));
    EXPECT_TRUE(before->commit({epoch, 1, {}, {}})) << "nor may it resign for it";
}

TEST_F(RedisStoreTest, FleetsDoNotMeet) {
    auto& server = shared_redis();
    const auto north = open_redis(server.url(), "north"), south = open_redis(server.tcp_url(), "south");
    const auto epoch = north->lead("a", 60'000)->epoch;
    ASSERT_TRUE(north->commit({epoch, 1, {set("r", "f", "1")}, {entry(epoch, 1)}}));
    EXPECT_TRUE(south->lead("b", 60'000)->leads);
    EXPECT_TRUE(south->load()->empty());
    EXPECT_TRUE(south->read_log({}, 10)->empty());
}

TEST_F(RedisStoreTest, ForgottenScriptsAreLoadedAgain) {
    auto& server = shared_redis();
    const auto store = open_redis(server.url(), "scripts");
    const auto epoch = store->lead("a", 60'000)->epoch;
    run(server.url(), {"SCRIPT", "FLUSH"});
    EXPECT_TRUE(store->commit({epoch, 1, {set("r", "f", "1")}, {}}));
    EXPECT_TRUE(store->commit({epoch, 2, {set("r", "f", "2")}, {}}));
    EXPECT_EQ((*store->load())["r"]["f"], "2");
}

TEST_F(RedisStoreTest, LostKeysAreStale) {
    RedisServer server;
    const auto store = open_redis(server.url(), "f");
    const auto epoch = store->lead("a", 60'000)->epoch;
    ASSERT_TRUE(store->commit({epoch, 1, {}, {}}));
    run(server.url(), {"FLUSHALL"});
    EXPECT_EQ(store->commit({epoch, 2, {}, {}}).error().code, Errc::stale);
}

TEST_F(RedisStoreTest, FullMemoryWritesNothing) {
    RedisServer server;
    const auto store = open_redis(server.url(), "f");
    const auto epoch = store->lead("a", 60'000)->epoch;
    run(server.url(), {"CONFIG", "SET", "maxmemory", "1"});
    const Batch batch{epoch, 1, {set("r", "f", "1")}, {entry(epoch, 1)}};
    const auto full = store->commit(batch);
    EXPECT_EQ(full.error().code, Errc::unavailable);
    EXPECT_THAT(full.error().hint, HasSubstr("maxmemory"));
    EXPECT_TRUE(store->load()->empty());
    run(server.url(), {"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_TRUE(store->commit(batch));
    EXPECT_EQ(store->load()->size(), 1u);
}

TEST_F(RedisStoreTest, EvictingRedisIsRefused) {
    RedisServer server({"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"});
    const Error error = refusal(server.url());
    EXPECT_EQ(error.code, Errc::invalid_argument);
    EXPECT_THAT(error.text(), HasSubstr("allkeys-lru"));
    EXPECT_THAT(error.hint, HasSubstr("noeviction"));
}

TEST_F(RedisStoreTest, PasswordIsUsedAndNeverShown) {
    RedisServer server({"--requirepass", "se/cr@t"});
    const std::string host = "127.0.0.1:" + std::to_string(server.port());
    EXPECT_TRUE((*redis_store({"redis://:se%2Fcr%40t@" + host, "f", 1000}))->load());
    EXPECT_TRUE((*redis_store({"redis://default:se%2Fcr@t@" + host, "f", 1000}))->load());
    const Error wrong = refusal("redis://:hunter2@" + host), none = refusal("redis://" + host);
    EXPECT_EQ(wrong.code, Errc::invalid_argument);
    EXPECT_THAT(wrong.hint, HasSubstr("password"));
    EXPECT_THAT(wrong.text(), testing::Not(HasSubstr("hunter2")));
    EXPECT_EQ(none.code, Errc::invalid_argument);
    EXPECT_THAT(none.hint, HasSubstr("password"));
    const Error superfluous = refusal("redis://:x@127.0.0.1:" + std::to_string(shared_redis().port()));
    EXPECT_EQ(superfluous.code, Errc::invalid_argument);
    EXPECT_THAT(superfluous.hint, HasSubstr("leave the password out"));
}

TEST_F(RedisStoreTest, OtherVersionOfTheKeysIsRefused) {
    auto& server = shared_redis();
    run(server.url(), {"SET", "sl:{future}:version", "2"});
    const Error error = refusal(server.url(), "future");
    EXPECT_EQ(error.code, Errc::unsupported_version);
    EXPECT_THAT(error.message, HasSubstr("sl:{future}:version"));
}

TEST(RedisUrls, WrongOnesAreRefusedAtOnce) {
    for (const char* url : {"", "redis", "http://localhost", "redis://", "redis://:6379", "redis://h:x",
                            "redis://h:70000", "redis://h/zero", "redis://secret@h", "redis://:%zz@h",
                            "rediss://h", "unix://relative", "unix:///s?x=1"}) {
        const auto store = redis_store({url, "f", 1000});
        ASSERT_FALSE(store) << url;
        EXPECT_EQ(store.error().code, Errc::invalid_argument) << url;
        EXPECT_FALSE(store.error().hint.empty()) << url;
    }
    EXPECT_TRUE(redis_store({"redis://[::1]:7000/3", "f", 1000}));
    EXPECT_FALSE(redis_store({"redis://h", "{f}", 1000}));
    EXPECT_FALSE(redis_store({"redis://h", "f", 0}));
}

// Answers one connection on the loopback with `answer` and closes it.
class OneAnswer {
public:
    explicit OneAnswer(std::string answer) : port_(test::free_port()) {
        fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(std::uint16_t(port_));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_, 1) != 0)
            throw std::runtime_error("cannot listen");
        thread_ = std::jthread([this, text = std::move(answer)] {
            const int peer = ::accept(fd_, nullptr, nullptr);
            char request[64];
            EXPECT_GT(::read(peer, request, sizeof request), 0);
            EXPECT_EQ(::write(peer, text.data(), text.size()), ssize_t(text.size()));
            ::close(peer);
        });
    }
    ~OneAnswer() {
        thread_.join();
        ::close(fd_);
    }
    OneAnswer(const OneAnswer&) = delete;
    OneAnswer& operator=(const OneAnswer&) = delete;
    std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

private:
    int port_;
    int fd_ = -1;
    std::jthread thread_;
};

TEST(RedisUrls, WhatIsNoRedisIsSaidSo) {
    OneAnswer web("HTTP/1.1 400 Bad Request\r\n\r\n");
    const auto http = (*redis_store({web.url(), "f", 2000}))->load();
    EXPECT_EQ(http.error().code, Errc::invalid_argument);
    EXPECT_THAT(http.error().message, HasSubstr("does not speak the Redis protocol"));
    OneAnswer mute("");
    const auto closed = (*redis_store({mute.url(), "f", 2000}))->load();
    EXPECT_EQ(closed.error().code, Errc::unavailable);
    EXPECT_THAT(closed.error().hint, HasSubstr("is it a Redis"));
}

TEST(RedisUrls, NobodyThereIsUnavailable) {
    const auto store = redis_store({"redis://127.0.0.1:" + std::to_string(test::free_port()), "f", 1000});
    const auto loaded = (*store)->load();
    EXPECT_EQ(loaded.error().code, Errc::unavailable);
    EXPECT_THAT(loaded.error().text(), HasSubstr("start Redis"));
}

}  // namespace
}  // namespace sl::store
