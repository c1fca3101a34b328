// One contract for every alert sink, then the log sink's own promises.
#include "workers/alert/sink.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/support/server_process.hpp"

namespace sl::alert {
namespace {

using schema::Alert;
using testing::ElementsAre;
using testing::HasSubstr;

Alert alert(int n) {
    Alert out;
    out.alert = "01J-" + std::to_string(n);
    out.job = "01J";
    out.stream = "cam/a \"quoted\".mp4";
    out.rule = "watch";
    out.class_name = "person";
    out.frame = n;
    out.time_s = 0.5 * n;
    out.box = {1, 2, 3, 4, 0.75f, 5, 0};
    return out;
}

// A receiver at work that the sink can be pointed at.
class Receiver {
public:
    virtual ~Receiver() = default;
    virtual std::string options() = 0;                // of a target that reaches it
    virtual std::string options_when_away() = 0;      // of one that opens, and whose receiver is away
    virtual std::vector<std::string> received() = 0;  // ids, each as often as it came
};

class LogFile final : public Receiver {
public:
    std::string options() override { return nlohmann::json{{"path", path()}}.dump(); }
    std::string options_when_away() override { return R"({"path":"/dev/full"})"; }
    std::vector<std::string> received() override {
        std::vector<std::string> out;
        std::ifstream in(path());
        for (std::string line; std::getline(in, line);)
            if (const auto json = nlohmann::json::parse(line, nullptr, false); json.is_object())
                out.push_back(json.at("alert"));
        return out;
    }
    std::string path() const { return folder_.path() + "/alerts.jsonl"; }

private:
    test::ScratchFolder folder_{"sink"};
};

// A new sink needs a line here: the suite fails for one that has none.
const std::map<std::string, std::function<std::unique_ptr<Receiver>()>> receivers{
    {"log", [] { return std::make_unique<LogFile>(); }},
};

class SinkContract : public testing::TestWithParam<const SinkPlugin*> {
protected:
    void SetUp() override {
        ASSERT_TRUE(receivers.contains(GetParam()->name))
            << "tests/contract/sink_test.cpp has no receiver for it";
        receiver_ = receivers.at(GetParam()->name)();
    }
    Result<std::unique_ptr<Sink>> open(const std::string& options) {
        return GetParam()->open({"here", GetParam()->name, {}, 0, 0, options});
    }

    std::unique_ptr<Receiver> receiver_;
};

INSTANTIATE_TEST_SUITE_P(, SinkContract, testing::ValuesIn(sink_table().begin(), sink_table().end()),
                         [](const auto& which) { return std::string(which.param->name); });

TEST_P(SinkContract, SaysWhatItIs) {
    EXPECT_FALSE(std::string(GetParam()->name).empty());
    EXPECT_FALSE(std::string(GetParam()->help).empty());
}

TEST_P(SinkContract, DeliversEachAlertInOrder) {
    auto sink = open(receiver_->options());
    ASSERT_TRUE(sink) << sink.error().text();
    for (int n = 1; n <= 3; ++n) ASSERT_TRUE((*sink)->send(alert(n)));
    EXPECT_THAT(receiver_->received(), ElementsAre("01J-1", "01J-2", "01J-3"));
}

TEST_P(SinkContract, RepeatedAlertIsHarmless) {
    for (int life = 0; life < 2; ++life) {
        auto sink = open(receiver_->options());
        ASSERT_TRUE(sink) << sink.error().text();
        for (int n = 1; n <= 2; ++n)
            for (int again = 0; again < 2; ++again) ASSERT_TRUE((*sink)->send(alert(n)));
    }
    EXPECT_THAT(receiver_->received(), ElementsAre("01J-1", "01J-2"));
}

TEST_P(SinkContract, WrongOptionsAreRefusedAtOpen) {
    for (const char* wrong : {"{", "[]", "3", R"({"no_such_option":1})"}) {
        const auto sink = open(wrong);
        ASSERT_FALSE(sink) << wrong;
        EXPECT_EQ(sink.error().code, Errc::invalid_argument) << wrong;
        EXPECT_THAT(sink.error().message, HasSubstr("here")) << "names the target";
        EXPECT_FALSE(sink.error().hint.empty()) << wrong;
    }
}

TEST_P(SinkContract, AwayReceiverIsWorthARetryAndTakesNoLongTime) {
    auto sink = open(receiver_->options_when_away());
    ASSERT_TRUE(sink) << sink.error().text();
    const auto begin = std::chrono::steady_clock::now();
    const auto sent = (*sink)->send(alert(1));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    ASSERT_FALSE(sent);
    EXPECT_THAT(sent.error().code, testing::AnyOf(Errc::unavailable, Errc::timeout, Errc::io));
}

// --- the log sink alone ---

class LogSink : public testing::Test {
protected:
    static Result<std::unique_ptr<Sink>> open(const std::string& options) {
        for (const SinkPlugin* plugin : sink_table())
            if (plugin->name == std::string("log")) return plugin->open({"here", "log", {}, 0, 0, options});
        return Error{Errc::not_found, "there is no log sink", ""};
    }
    std::unique_ptr<Sink> sink() { return std::move(*open(file_.options())); }
    void append(const std::string& text) { std::ofstream(file_.path(), std::ios::app) << text; }

    LogFile file_;
};

TEST_F(LogSink, LineSaysEverything) {
    ASSERT_TRUE(sink()->send(alert(2)));
    EXPECT_EQ(
        test::read_text(file_.path()),
        R"({"alert":"01J-2","job":"01J","stream":"cam/a \"quoted\".mp4","rule":"watch","class_name":"person",)"
        R"("frame":2,"time_s":1.0,"box":{"x":1.0,"y":2.0,"width":3.0,"height":4.0,"score":0.75,"class_id":5}})"
        "\n");
}

TEST_F(LogSink, TornLineAtAnyByteStaysApart) {
    ASSERT_TRUE(sink()->send(alert(1)));
    const std::string line = test::read_text(file_.path());
    for (std::size_t size = 0; size <= line.size(); size += 7) {
        std::ofstream(file_.path(), std::ios::trunc) << line.substr(0, size);
        const auto again = sink();
        ASSERT_TRUE(again->send(alert(1)));
        ASSERT_TRUE(again->send(alert(2)));
        EXPECT_THAT(file_.received(), ElementsAre("01J-1", "01J-2")) << size;
    }
    std::ofstream(file_.path(), std::ios::trunc)
        << line.substr(0, line.size() - 1);  // whole, but for its end
    ASSERT_TRUE(sink()->send(alert(1)));
    ASSERT_TRUE(sink()->send(alert(2)));
    EXPECT_THAT(file_.received(), ElementsAre("01J-1", "01J-2"));
}

TEST_F(LogSink, SharedFileHoldsEachOnce) {
    {
        std::vector<std::jthread> writers;
        for (int w = 0; w < 3; ++w)
            writers.emplace_back([this, w] {
                const auto mine = sink();
                for (int n = 0; n < 20; ++n) EXPECT_TRUE(mine->send(alert((n + 7 * w) % 20)));
            });
    }
    auto ids = file_.received();
    EXPECT_EQ(ids.size(), 20u);
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 20u);
}

TEST_F(LogSink, FileThatWasMovedAwayIsMadeAnew) {
    const auto one = sink();
    ASSERT_TRUE(one->send(alert(1)));
    ASSERT_EQ(::rename(file_.path().c_str(), (file_.path() + ".1").c_str()), 0);
    ASSERT_TRUE(one->send(alert(2)));
    EXPECT_THAT(file_.received(), ElementsAre("01J-2"));
}

TEST_F(LogSink, OnlyTheEndOfALargeFileIsSearched) {
    ASSERT_TRUE(sink()->send(alert(1)));
    append(std::string(2 << 20, ' ') + "\n");
    ASSERT_TRUE(sink()->send(alert(2)));
    ASSERT_TRUE(sink()->send(alert(2)));
    ASSERT_TRUE(sink()->send(alert(1)));
    EXPECT_THAT(file_.received(), ElementsAre("01J-1", "01J-2", "01J-1"));
}

TEST_F(LogSink, HeldFileIsATimeout) {
    const auto one = sink();
    const int fd = ::open(file_.path().c_str(), O_RDWR);
    ASSERT_EQ(::flock(fd, LOCK_EX), 0);
    EXPECT_EQ(one->send(alert(1)).error().code, Errc::timeout);
    ::close(fd);
    EXPECT_TRUE(one->send(alert(1)));
}

TEST_F(LogSink, OptionsAreChecked) {
    EXPECT_EQ(open(R"({"path":3})").error().code, Errc::invalid_argument);
    EXPECT_FALSE(open(nlohmann::json{{"path", file_.path() + "/none/alerts"}}.dump())) << "no such folder";
    auto plain = open("{}");
    ASSERT_TRUE(plain) << "without a path: the program's log";
    EXPECT_TRUE((*plain)->send(alert(1)));
}

}  // namespace
}  // namespace sl::alert
