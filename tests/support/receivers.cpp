#include "tests/support/receivers.hpp"

#include <hiredis/hiredis.h>
#include <mosquitto.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace sl::test {
namespace {

std::string source_dir() {
    return std::getenv("SIGHTLINE_SOURCE_DIR");
}
bool installed(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}
void await(ServerProcess& process, const std::string& log, const std::function<bool()>& ready) {
    if (!eventually([&] { return process.ended() || ready(); }) || process.ended())
        throw std::runtime_error("a receiver did not start: " + read_text(log));
}

}  // namespace

std::vector<std::string> Receiver::received(std::size_t wanted) {
    std::vector<std::string> unique;
    (void)eventually([&] {
        unique.clear();
        std::set<std::string> seen;
        for (const auto& key : keys())
            if (seen.insert(key).second) unique.push_back(key);
        return unique.size() >= wanted;
    });
    return unique;
}

// --- Python

Script::Script(std::string mode, std::vector<std::string> arguments)
    : mode_(std::move(mode)), arguments_(std::move(arguments)), port_(free_port()) {
    start();
}

void Script::start() {
    std::vector<std::string> argv{"/usr/bin/python3",
                                  source_dir() + "/tests/support/alert_receiver.py",
                                  mode_,
                                  "--port",
                                  std::to_string(port_),
                                  "--out",
                                  folder_.path() + "/out",
                                  "--answer",
                                  folder_.path() + "/answer"};
    argv.insert(argv.end(), arguments_.begin(), arguments_.end());
    const std::string log = folder_.path() + "/log";
    std::remove(log.c_str());  // of the last time
    process_ = ServerProcess(argv, log);
    await(process_, log, [&] { return read_text(log).find("listening") != std::string::npos; });
}

nlohmann::json Script::options() {
    const bool tls = std::find(arguments_.begin(), arguments_.end(), "--cert") != arguments_.end();
    if (mode_ == "tcp") return {{"host", "127.0.0.1"}, {"port", port_}};
    nlohmann::json o{
        {"url", (tls ? "https" : "http") + std::string("://127.0.0.1:") + std::to_string(port_) + "/alarm"}};
    if (mode_ == "hikvision") o["width"] = 1280, o["height"] = 720;
    return o;
}

nlohmann::json Script::options_when_away() {
    auto o = options();
    if (mode_ == "tcp")
        o["port"] = free_port();
    else
        o["url"] = "http://127.0.0.1:" + std::to_string(free_port()) + "/alarm";
    return o;
}

std::vector<nlohmann::json> Script::lines() const {
    std::vector<nlohmann::json> out;
    std::ifstream in(folder_.path() + "/out");
    for (std::string line; std::getline(in, line);)
        if (auto json = nlohmann::json::parse(line, nullptr, false); json.is_object())
            out.push_back(std::move(json));
    return out;
}

std::vector<std::string> Script::keys() {
    std::vector<std::string> out;
    for (const auto& line : lines()) {
        if (line.contains("refused")) out.push_back("refused: " + line["refused"].get<std::string>());
        if (line.contains("key")) out.push_back(line["key"]);
    }
    return out;
}

void Script::answer(const std::string& what) {
    std::ofstream(folder_.path() + "/answer") << what;
}

// --- mosquitto

Mosquitto::Mosquitto(Setup setup) : setup_(std::move(setup)), port_(free_port()) {
    if (!installed("/usr/sbin/mosquitto")) throw Missing("mosquitto is not installed");
    std::ofstream conf(folder_.path() + "/conf");
    conf << "listener " << port_ << " 127.0.0.1\npersistence false\nuser root\nlog_type all\n";
    if (setup_.user.empty())
        conf << "allow_anonymous true\n";
    else
        conf << "allow_anonymous false\npassword_file " << folder_.path() << "/passwords\n";
    if (!setup_.certificate.empty())
        conf << "certfile " << setup_.certificate << "\nkeyfile " << setup_.key << "\n";
    if (!setup_.user.empty()) {
        const std::string command =
            "mosquitto_passwd -c -b " + folder_.path() + "/passwords " + setup_.user + " " + setup_.password;
        if (std::system(command.c_str()) != 0) throw std::runtime_error("mosquitto_passwd failed");
    }
    conf.close();
    mosquitto_lib_init();
    start();
}

Mosquitto::~Mosquitto() {
    if (reader_) {
        mosquitto_disconnect(reader_);
        mosquitto_loop_stop(reader_, true);
        mosquitto_destroy(reader_);
    }
}

void Mosquitto::start() {
    const std::string log = folder_.path() + "/log";
    std::remove(log.c_str());  // of the last time
    process_ = ServerProcess({"/usr/sbin/mosquitto", "-c", folder_.path() + "/conf"}, log);
    await(process_, log, [&] { return read_text(log).find("running") != std::string::npos; });
    listen();
}

void Mosquitto::stop() {
    process_.stop(SIGKILL);
}

void Mosquitto::listen() {
    if (reader_) {
        mosquitto_loop_stop(reader_, true);
        mosquitto_destroy(reader_);
    }
    subscribed_ = false;
    reader_ = mosquitto_new("reader", true, this);
    if (!setup_.user.empty())
        mosquitto_username_pw_set(reader_, setup_.user.c_str(), setup_.password.c_str());
    if (!setup_.certificate.empty())
        mosquitto_tls_set(reader_, setup_.certificate.c_str(), nullptr, nullptr, nullptr, nullptr);
    mosquitto_subscribe_callback_set(reader_, [](mosquitto*, void* self, int, int, const int*) {
        auto& m = *static_cast<Mosquitto*>(self);
        const std::lock_guard lock(m.mutex_);
        m.subscribed_ = true;
    });
    mosquitto_message_callback_set(reader_, [](mosquitto*, void* self, const mosquitto_message* message) {
        auto& m = *static_cast<Mosquitto*>(self);
        const std::lock_guard lock(m.mutex_);
        m.messages_.emplace_back(message->topic, std::string(static_cast<const char*>(message->payload),
                                                             std::size_t(message->payloadlen)));
    });
    mosquitto_connect_callback_set(
        reader_, [](mosquitto* client, void*, int) { mosquitto_subscribe(client, nullptr, "#", 1); });
    if (mosquitto_connect(reader_, "127.0.0.1", port_, 60) != MOSQ_ERR_SUCCESS ||
        mosquitto_loop_start(reader_) != MOSQ_ERR_SUCCESS)
        throw std::runtime_error("the reader cannot connect to mosquitto");
    if (!eventually([&] {
            const std::lock_guard lock(mutex_);
            return subscribed_;
        }))
        throw std::runtime_error("the reader could not subscribe");
}

nlohmann::json Mosquitto::options() {
    nlohmann::json o{{"host", "127.0.0.1"}, {"port", port_}};
    if (!setup_.certificate.empty()) o["tls"] = true;
    return o;
}
nlohmann::json Mosquitto::options_when_away() {
    return {{"host", "127.0.0.1"}, {"port", free_port()}};
}

std::vector<std::pair<std::string, std::string>> Mosquitto::messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
}

std::vector<std::string> Mosquitto::keys() {
    std::vector<std::string> out;
    for (const auto& [topic, payload] : messages())
        if (topic.ends_with("/alerts"))
            out.push_back(nlohmann::json::parse(payload).at("after").at("key").get<std::string>());
    return out;
}

// --- Redis

nlohmann::json RedisStream::options_when_away() {
    return {{"url", "redis://127.0.0.1:" + std::to_string(free_port())}};
}

std::vector<std::string> RedisStream::keys() {
    std::vector<std::string> out;
    redisContext* context = redisConnect("127.0.0.1", server_.port());
    if (!context->err) {
        auto* reply = static_cast<redisReply*>(redisCommand(context, "XRANGE alerts - +"));
        for (std::size_t i = 0; reply && i < reply->elements; ++i) {
            const redisReply* fields = reply->element[i]->element[1];
            if (std::string(fields->element[0]->str) == "key") out.emplace_back(fields->element[1]->str);
        }
        if (reply) freeReplyObject(reply);
    }
    redisFree(context);
    return out;
}

// --- TLS

Certificate::Certificate(const std::string& folder) : file(folder + "/cert.pem"), key(folder + "/key.pem") {
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout " +
        key + " -out " + file + " >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl makes no certificate");
}

}  // namespace sl::test
