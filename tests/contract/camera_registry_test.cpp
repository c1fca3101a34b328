// The registry of cameras in a real PostgreSQL: kept from the events, each once and in order, in the
// transaction of their audit rows; and a broker whose store is empty fills it from there.
#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>
#include <thread>

#include "broker/broker.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"
#include "tests/support/postgres_server.hpp"

// libpqxx 6.4 forgets the result of a COPY that the server refused.
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libpqxx";
}

namespace sl::broker {
namespace {

using Json = nlohmann::json;
using store::LogEntry;
using store::LogId;
using test::PostgresServer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

PostgresServer& server() {
    static PostgresServer one;
    return one;
}

class CameraRegistry : public ::testing::Test {
protected:
    void SetUp() override {
        if (!PostgresServer::installed()) SL_SKIP_OR_FAIL("PostgreSQL is not installed");
        fleet = ::testing::UnitTest::GetInstance()->current_test_info()->name();
        reopen();
    }
    void reopen() { audit = std::move(*store::postgres_audit({server().dsn(), fleet})); }

    LogEntry event(const std::string& kind, const Json& body) {
        return {{7, ++n}, "t", kind, "", 1'722'470'400'000'000'000 + std::int64_t(n), body.dump(), true};
    }
    LogEntry set(const std::string& camera, int revision, int fps = 5) {
        return event("camera.set",
                     {{"camera", camera}, {"url", "rtsp://h"}, {"revision", revision}, {"fps", fps}});
    }
    std::vector<std::string> rows(const std::string& sql) const {
        pqxx::connection connection(server().dsn());
        pqxx::work tx(connection);
        std::vector<std::string> out;
        for (const auto& row : tx.exec_params(sql, fleet)) out.push_back(row[0].as<std::string>());
        return out;
    }
    std::vector<std::string> cameras() const {
        return rows(
            "SELECT camera || ' ' || revision || ' ' || (spec->>'fps') FROM sightline.cameras "
            "WHERE fleet = $1 ORDER BY camera");
    }
    std::size_t audited() const { return rows("SELECT n FROM sightline.audit WHERE fleet = $1").size(); }

    std::string fleet;
    std::uint64_t n = 0;
    std::unique_ptr<store::Audit> audit;
};

TEST_F(CameraRegistry, IsWhatTheEventsSayInTheirOrder) {
    ASSERT_TRUE(audit->append(std::vector{set("a", 1), set("b", 1), set("a", 2, 9)}));
    EXPECT_THAT(cameras(), ElementsAre("a 2 9", "b 1 5"));
    ASSERT_TRUE(audit->append(std::vector{event("camera.removed", {{"camera", "b"}}), set("c", 1)}));
    EXPECT_THAT(cameras(), ElementsAre("a 2 9", "c 1 5"));
    ASSERT_TRUE(audit->append(std::vector{event("camera.removed", {{"camera", "c"}}), set("c", 2)}));
    EXPECT_THAT(cameras(), ElementsAre("a 2 9", "c 2 5"));
    EXPECT_EQ(audited(), 7u);
}

TEST_F(CameraRegistry, EventsThatComeAgainChangeNothing) {
    const std::vector first{set("a", 1), event("camera.removed", {{"camera", "a"}})}, second{set("b", 1)};
    ASSERT_TRUE(audit->append(first));
    ASSERT_TRUE(audit->append(second));
    reopen();
    ASSERT_TRUE(audit->append(first));
    EXPECT_THAT(cameras(), ElementsAre("b 1 5"));
    EXPECT_EQ(audited(), 3u);
}

TEST_F(CameraRegistry, RowsAndRegistryComeTogetherOrNotAtAll) {
    ASSERT_TRUE(audit->append(std::vector{set("a", 1)}));
    LogEntry bad = set("b", 1);
    bad.body = R"({"camera": null, "revision": "no number"})";  // JSON, and no registration
    EXPECT_FALSE(audit->append(std::vector{set("c", 1), bad}));
    EXPECT_THAT(cameras(), ElementsAre("a 1 5"));
    EXPECT_EQ(audited(), 1u);
    EXPECT_EQ(*audit->position(), (LogId{7, 1}));
}

TEST_F(CameraRegistry, ZonesAreKeptByNameUntilNoneIsLeft) {
    const Json yard{{{"name", "yard"}}};
    ASSERT_TRUE(audit->append(
        std::vector{event("zones.set", {{"of", "a"}, {"zones", yard}, {"rules", Json::array()}}),
                    event("zones.set", {{"of", "b"}, {"zones", yard}, {"rules", yard}})}));
    const std::string sql = R"(SELECT "of" FROM sightline.zones WHERE fleet = $1 ORDER BY 1)";
    EXPECT_THAT(rows(sql), ElementsAre("a", "b"));
    ASSERT_TRUE(audit->append(
        std::vector{event("zones.set", {{"of", "a"}, {"zones", Json::array()}, {"rules", Json::array()}})}));
    EXPECT_THAT(rows(sql), ElementsAre("b"));
    const auto registry = audit->registry();
    ASSERT_TRUE(registry);
    EXPECT_TRUE(registry->kept);
    ASSERT_EQ(registry->zones.size(), 1u);
    EXPECT_EQ(Json::parse(registry->zones[0])["rules"], yard);
}

TEST_F(CameraRegistry, OfAnotherFleetIsNotSeen) {
    ASSERT_TRUE(audit->append(std::vector{set("a", 1)}));
    const auto other = std::move(*store::postgres_audit({server().dsn(), fleet + "2"}));
    EXPECT_THAT(other->registry()->cameras, IsEmpty());
}

// A broker on a memory store, which is empty whenever it begins.
class Broker {
public:
    explicit Broker(const std::string& fleet) {
        audit_ = std::move(*store::postgres_audit({server().dsn(), fleet}));
        options_.endpoint = "inproc://broker";
        catalogue_.resolve = [](const std::string&, const std::string&, const Json&, schema::JobSpec&) {
            return Result<void>{};
        };
        std::promise<void> bound;
        thread_ = std::thread([&] {
            EXPECT_TRUE(run_broker(context_, *jobs_, *jobs_, *audit_, catalogue_, options_, stop_,
                                   [&] { bound.set_value(); }));
        });
        bound.get_future().wait();
        client_ = bus::make_socket(context_, bus::Kind::dealer);
        client_.connect(options_.endpoint);
    }
    ~Broker() {
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(stop_, &one, sizeof one), ssize_t(sizeof one));
        thread_.join();
        ::close(stop_);
    }
    Json ask(const Json& body) {
        const auto bytes = Json::to_msgpack(body);
        client_.send(zmq::buffer(schema::protocol_id.data(), schema::protocol_id.size()),
                     zmq::send_flags::sndmore);
        client_.send(zmq::buffer(bytes));
        zmq::pollitem_t p{client_.handle(), 0, ZMQ_POLLIN, 0};
        zmq::poll(&p, 1, std::chrono::seconds(60));
        zmq::message_t protocol, reply;
        EXPECT_TRUE(client_.recv(protocol, zmq::recv_flags::dontwait));
        EXPECT_TRUE(client_.recv(reply, zmq::recv_flags::dontwait));
        const auto* data = static_cast<const std::uint8_t*>(reply.data());
        return Json::from_msgpack(data, data + reply.size());
    }

private:
    zmq::context_t context_;
    std::unique_ptr<store::JobStore> jobs_ = store::memory_store();
    std::unique_ptr<store::Audit> audit_;
    Catalogue catalogue_;
    Options options_;
    int stop_ = ::eventfd(0, EFD_CLOEXEC);
    std::thread thread_;
    zmq::socket_t client_;
};

template <typename F>
bool eventually(F so) {
    const auto until = Clock::now() + std::chrono::seconds(60);
    while (!so() && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return so();
}

TEST_F(CameraRegistry, FillsAStoreThatIsEmpty) {
    const Json yard{{"name", "yard"}, {"points", {{0, 0}, {1, 0}, {1, 1}}}};
    {
        Broker broker(fleet);
        EXPECT_TRUE(broker.ask({{"type", "camera_set"},
                                {"camera", "a"},
                                {"url", "rtsp://h/a"},
                                {"fps", 2},
                                {"params", {{"x", 1}}}})["ok"]);
        EXPECT_TRUE(broker.ask({{"type", "camera_set"}, {"camera", "b"}, {"url", "rtsp://h/b"}})["ok"]);
        EXPECT_TRUE(broker.ask({{"type", "camera_remove"}, {"camera", "b"}})["ok"]);
        EXPECT_TRUE(broker.ask({{"type", "zone_set"}, {"of", "a"}, {"zone", yard}})["ok"]);
        EXPECT_TRUE(eventually([&] { return cameras().size() == 1; }));
    }
    Broker broker(fleet);
    ASSERT_TRUE(eventually([&] { return broker.ask({{"type", "zones"}})["zones"].contains("a"); }));
    const Json a = broker.ask({{"type", "camera"}, {"camera", "a"}})["camera"];
    EXPECT_EQ(a["spec"]["url"], "rtsp://h/a");
    EXPECT_EQ(a["spec"]["fps"], 2);
    EXPECT_EQ(a["spec"]["params"]["x"], 1);
    EXPECT_EQ(a["revision"], 2);
    EXPECT_EQ(a["zones"][0]["name"], "yard");
    EXPECT_EQ(broker.ask({{"type", "cameras"}})["cameras"].size(), 1u);
}

TEST_F(CameraRegistry, WhatWasSetMeanwhileIsNewerThanWhatItKnows) {
    ASSERT_TRUE(audit->append(std::vector{set("a", 4, 5), set("b", 1)}));
    // Away until the camera is set again: whatever comes first, what was set stands.
    server().kill();
    Broker broker(fleet);
    EXPECT_TRUE(broker.ask({{"type", "camera_set"}, {"camera", "a"}, {"url", "rtsp://new"}})["ok"]);
    server().start();
    ASSERT_TRUE(eventually([&] { return broker.ask({{"type", "cameras"}})["cameras"].size() == 2; }));
    EXPECT_EQ(broker.ask({{"type", "camera"}, {"camera", "a"}})["camera"]["url"], "rtsp://new");
}

}  // namespace
}  // namespace sl::broker
