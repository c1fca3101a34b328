// What clients ask of a broker that has no workers: the queue and its end, retry, forget, prune, health.
// Topology: one DEALER, one broker on a memory store, inproc.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "broker/broker.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"

namespace sl::broker {
namespace {

using Json = nlohmann::json;

class BrokerRequests : public ::testing::Test {
protected:
    void start(const Options& wanted) {
        folder = std::filesystem::temp_directory_path() / ("sl-" + make_ulid());
        std::filesystem::create_directories(folder);
        options = wanted;
        options.endpoint = "inproc://broker";
        options.roots = {{"media", folder}};
        options.output = {"media", "out"};
        catalogue.resolve = [](const std::string&, const std::string&, const Json&, schema::JobSpec&) {
            return Result<void>{};
        };
        audit = std::move(*store::jsonl_audit(folder / "audit.jsonl"));
        std::promise<void> bound;
        thread = std::thread([&] {
            EXPECT_TRUE(run_broker(context, *jobs, *jobs, *audit, catalogue, options, stop,
                                   [&] { bound.set_value(); }));
        });
        bound.get_future().wait();
        client = bus::make_socket(context, bus::Kind::dealer);
        client.connect(options.endpoint);
    }
    void TearDown() override {
        if (!thread.joinable()) return;
        const std::uint64_t one = 1;
        ASSERT_EQ(::write(stop, &one, sizeof one), ssize_t(sizeof one));
        thread.join();
        ::close(stop);
        std::filesystem::remove_all(folder);
    }
    Json ask(Json body) {
        std::vector<zmq::message_t> request;
        request.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
        request.push_back(bus::to_frame(Json::to_msgpack(body)));
        EXPECT_TRUE(bus::send(client, request));
        zmq::pollitem_t p{client.handle(), 0, ZMQ_POLLIN, 0};
        zmq::poll(&p, 1, std::chrono::seconds(60));
        const auto reply = bus::receive(client);
        if (!reply || reply->size() != 2) {
            ADD_FAILURE() << "no answer to " << body.dump();
            return {};
        }
        const auto* data = reply->back().data<std::uint8_t>();
        return Json::from_msgpack(data, data + reply->back().size());
    }
    Json submit(const std::string& name, int priority = 0) {
        return ask({{"type", "submit"},
                    {"name", name},
                    {"priority", priority},
                    {"inputs", {{{"root", "media"}, {"path", ""}}}}});
    }
    std::string state(const std::string& job) {
        const Json reply = ask({{"type", "job"}, {"job", job}});
        return reply["ok"] ? reply["job"]["state"].get<std::string>() : reply["code"].get<std::string>();
    }

    std::filesystem::path folder;
    zmq::context_t context;
    std::unique_ptr<store::JobStore> jobs = store::memory_store();
    std::unique_ptr<store::Audit> audit;
    Catalogue catalogue;
    Options options;
    int stop = ::eventfd(0, EFD_CLOEXEC);
    std::thread thread;
    zmq::socket_t client;
};

TEST_F(BrokerRequests, AFullQueueRefusesAndSaysWhenToComeBack) {
    Options o;
    o.queued_jobs = 2;
    start(o);
    EXPECT_TRUE(submit("a")["ok"]);
    EXPECT_TRUE(submit("b")["ok"]);
    const Json refused = submit("c", 100);
    EXPECT_FALSE(refused["ok"]);
    EXPECT_EQ(refused["code"], "ADMISSION_REJECT");
    EXPECT_GE(refused["retry_after_s"].get<double>(), 1);
    EXPECT_FALSE(ask({{"type", "health"}})["admitting"]);
    EXPECT_TRUE(ask({{"type", "cancel"}, {"job", "a"}})["ok"]);
    EXPECT_TRUE(submit("c")["ok"]);
}

TEST_F(BrokerRequests, OrTheJobThatWaitsLongestMakesRoom) {
    Options o;
    o.queued_jobs = 3;
    o.drop_lru = true;
    start(o);
    EXPECT_TRUE(submit("high", 5)["ok"]);
    EXPECT_TRUE(submit("old")["ok"]);
    EXPECT_TRUE(submit("young")["ok"]);
    EXPECT_EQ(submit("lower", -1)["code"], "ADMISSION_REJECT");  // it would itself be the first to go
    EXPECT_TRUE(submit("new")["ok"]);
    EXPECT_EQ(state("old"), "failed");
    EXPECT_EQ(ask({{"type", "job"}, {"job", "old"}})["job"]["error"]["code"], "QUEUE_FULL_DROP_LRU");
    EXPECT_EQ(state("young"), "queued");
    EXPECT_TRUE(submit("newer")["ok"]);
    EXPECT_EQ(state("young"), "failed");
    EXPECT_EQ(state("high"), "queued");
    const Json log = ask({{"type", "log"}, {"topics", {"job.old.state"}}})["entries"];
    ASSERT_EQ(log.size(), 2u);
    EXPECT_EQ(log[1]["kind"], "job.failed");
    EXPECT_EQ(ask({{"type", "retry"}, {"job", "old"}})["state"], "queued");
}

TEST_F(BrokerRequests, EndedJobsAreForgottenOneByOneOrByTheirStateAndAge) {
    start({});
    for (const char* id : {"a", "b", "c"}) EXPECT_TRUE(submit(id)["ok"]);
    EXPECT_EQ(ask({{"type", "forget"}, {"job", "a"}})["code"], "CONFLICT");
    EXPECT_EQ(ask({{"type", "retry"}, {"job", "a"}})["code"], "CONFLICT");
    EXPECT_EQ(ask({{"type", "forget"}, {"job", "nobody"}})["code"], "NOT_FOUND");
    for (const char* id : {"a", "b"}) EXPECT_TRUE(ask({{"type", "cancel"}, {"job", id}})["ok"]);
    EXPECT_TRUE(ask({{"type", "forget"}, {"job", "a"}})["ok"]);
    EXPECT_EQ(state("a"), "NOT_FOUND");
    EXPECT_EQ(ask({{"type", "prune"}, {"state", "failed"}})["jobs"], Json::array());
    EXPECT_EQ(ask({{"type", "prune"}, {"older_than_s", 3600}})["jobs"], Json::array());
    EXPECT_EQ(ask({{"type", "prune"}, {"state", "queued"}})["code"], "INVALID_PARAMS");
    EXPECT_EQ(ask({{"type", "prune"}, {"older_than_s", -1}})["code"], "INVALID_PARAMS");
    EXPECT_EQ(ask({{"type", "prune"}, {"dry_run", true}})["jobs"], Json{"b"});
    EXPECT_EQ(state("b"), "canceled");
    EXPECT_EQ(ask({{"type", "prune"}})["jobs"], Json{"b"});
    EXPECT_EQ(state("b"), "NOT_FOUND");
    EXPECT_EQ(state("c"), "queued");
    EXPECT_EQ(ask({{"type", "log"}, {"topics", {"job.b.state"}}})["entries"].back()["kind"], "job.forgotten");
}

TEST_F(BrokerRequests, HealthSaysThatNobodyWorksAndWhatIsRetained) {
    Options o;
    o.retention.jobs = 1;
    start(o);
    for (const char* id : {"a", "b"}) {
        EXPECT_TRUE(submit(id)["ok"]);
        EXPECT_TRUE(ask({{"type", "cancel"}, {"job", id}})["ok"]);
    }
    while (state("a") != "NOT_FOUND")  // the retention lets the older one go
        std::this_thread::yield();
    const Json health = ask({{"type", "health"}});
    EXPECT_FALSE(health["ready"]);
    EXPECT_TRUE(health["admitting"]);
    EXPECT_EQ(health["retained"]["jobs"], 1);
    EXPECT_GE(health["retained"]["log_entries"].get<int>(), 4);
    EXPECT_GT(health["retained"]["log_bytes"].get<int>(), 100);
    EXPECT_EQ(health["counts"]["bad_messages"], 0);
    EXPECT_EQ(health["counts"]["unbalanced"], 0);
}

}  // namespace
}  // namespace sl::broker
