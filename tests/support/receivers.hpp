// Receivers that alert sinks are tried against: a real Redis, a real mosquitto, a file, and servers written
// in Python that take nothing but what the documents promise.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/redis_server.hpp"

struct mosquitto;
struct mosquitto_message;

namespace sl::test {

// What it needs to run is not installed.
struct Missing : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Receiver {
public:
    virtual ~Receiver() = default;
    virtual nlohmann::json options() = 0;            // of a target that reaches it
    virtual nlohmann::json options_when_away() = 0;  // of one that opens, and whose receiver is away
    virtual std::vector<std::string> keys() = 0;     // of what came so far, each as often as it came

    // The receiver's part of "exactly once": doubles are removed by key. Waits until there are so many.
    std::vector<std::string> received(std::size_t wanted);
};

// A scripted server in Python: tests/support/alert_receiver.py.
class Script : public Receiver {
public:
    Script(std::string mode, std::vector<std::string> arguments = {});
    nlohmann::json options() override;
    nlohmann::json options_when_away() override;
    std::vector<std::string> keys() override;
    std::vector<nlohmann::json> lines() const;  // all that it noted
    // Instead of taking what comes: a status code, "nack", "silent", "close"; "": it takes it again.
    void answer(const std::string& what);
    int port() const { return port_; }
    void stop() { process_.stop(SIGKILL); }
    void start();
    void freeze() const { process_.signal(SIGSTOP); }
    void thaw() const { process_.signal(SIGCONT); }

private:
    const std::string mode_;
    const std::vector<std::string> arguments_;
    ScratchFolder folder_{"receiver"};
    int port_ = 0;
    ServerProcess process_;
};

class Mosquitto : public Receiver {
public:
    // Lines of mosquitto.conf; user: who may log in (else anybody); certificate, with its key: TLS.
    struct Setup {
        std::string user = {}, password = {};
        std::string certificate = {}, key = {};
    };
    explicit Mosquitto(Setup setup);
    Mosquitto() : Mosquitto(Setup{}) {}
    ~Mosquitto() override;
    nlohmann::json options() override;
    nlohmann::json options_when_away() override;
    std::vector<std::string> keys() override;
    // All messages so far, in the order in which they came: (topic, payload).
    std::vector<std::pair<std::string, std::string>> messages() const;
    int port() const { return port_; }
    void stop();
    void start();
    void freeze() const { process_.signal(SIGSTOP); }
    void thaw() const { process_.signal(SIGCONT); }

private:
    void listen();
    const Setup setup_;
    ScratchFolder folder_{"mosquitto"};
    int port_ = 0;
    ServerProcess process_;
    mosquitto* reader_ = nullptr;
    mutable std::mutex mutex_;
    bool subscribed_ = false;                                    // guarded by mutex_
    std::vector<std::pair<std::string, std::string>> messages_;  // guarded by mutex_
};

class RedisStream : public Receiver {
public:
    explicit RedisStream(std::vector<std::string> arguments = {}) : server_(std::move(arguments)) {}
    nlohmann::json options() override { return {{"url", server_.tcp_url()}, {"stream", "alerts"}}; }
    nlohmann::json options_when_away() override;
    std::vector<std::string> keys() override;
    RedisServer& server() { return server_; }

private:
    RedisServer server_;
};

// A certificate of 127.0.0.1 that signs itself, and its key: paths of PEM files.
struct Certificate {
    explicit Certificate(const std::string& folder);
    std::string file, key;
};

}  // namespace sl::test
