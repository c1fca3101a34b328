// A scripted broker: answers requests by a function, publishes what it is told, welcomes subscribers.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

namespace sl::test {

// One thread owns both sockets. Replies are made by `answer` (nullopt: none is sent), on that thread.
class FakeBroker {
public:
    using Answer = std::function<std::optional<nlohmann::json>(const nlohmann::json& request)>;

    explicit FakeBroker(Answer answer)
        : FakeBroker(std::move(answer), (std::filesystem::temp_directory_path() / "broker").string(),
                     std::to_string(::getpid())) {}
    // Listens at ipc://{path}{suffix} and ipc://{path}{suffix}.events.
    FakeBroker(Answer answer, const std::string& path, const std::string& suffix)
        : path_(path + suffix), answer_(std::move(answer)), thread_([this] { run(); }) {
        while (!bound_) std::this_thread::yield();
    }
    ~FakeBroker() {
        stop_ = true;
        thread_.join();
    }
    std::string endpoint() const { return "ipc://" + path_; }

    void publish(const std::string& topic, nlohmann::json event) {
        event["topic"] = topic;
        const std::lock_guard lock(mutex_);
        to_publish_.push_back(std::move(event));
    }
    std::vector<nlohmann::json> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    std::string protocol = "SL1";
    std::string welcome_id = "1-10";
    nlohmann::json before_welcome;  // an event that overtakes the welcome; null: none

private:
    static zmq::message_t frame(const std::string& text) { return zmq::message_t(text.data(), text.size()); }
    static zmq::message_t frame(const nlohmann::json& map) {
        const auto bytes = nlohmann::json::to_msgpack(map);
        return zmq::message_t(bytes.data(), bytes.size());
    }
    void send_event(zmq::socket_t& xpub, const nlohmann::json& event) {
        xpub.send(frame(event.at("topic").get<std::string>()), zmq::send_flags::sndmore);
        xpub.send(frame(std::string("SL1")), zmq::send_flags::sndmore);
        xpub.send(frame(event), zmq::send_flags::none);
    }
    void run() {
        zmq::context_t context(1);
        zmq::socket_t router(context, zmq::socket_type::router);
        zmq::socket_t xpub(context, zmq::socket_type::xpub);
        router.set(zmq::sockopt::linger, 0);
        xpub.set(zmq::sockopt::linger, 0);
        xpub.set(zmq::sockopt::xpub_verboser, true);
        router.bind("ipc://" + path_);
        xpub.bind("ipc://" + path_ + ".events");
        bound_ = true;
        while (!stop_) {
            zmq::pollitem_t items[]{{router.handle(), 0, ZMQ_POLLIN, 0}, {xpub.handle(), 0, ZMQ_POLLIN, 0}};
            zmq::poll(items, 2, std::chrono::milliseconds(5));
            if (items[0].revents) serve(router);
            if (items[1].revents) {
                zmq::message_t subscription;
                (void)xpub.recv(subscription);
                const std::string text = subscription.to_string();
                if (text[0] == 1 && !before_welcome.is_null()) send_event(xpub, before_welcome);
                if (text[0] == 1)
                    send_event(xpub, {{"kind", "welcome"}, {"topic", text.substr(1)}, {"id", welcome_id}});
            }
            const std::lock_guard lock(mutex_);
            for (const auto& event : to_publish_) send_event(xpub, event);
            to_publish_.clear();
        }
    }
    void serve(zmq::socket_t& router) {
        std::vector<zmq::message_t> in;
        do {
            in.emplace_back();
            (void)router.recv(in.back());
        } while (in.back().more());
        const auto* begin = in.back().data<std::uint8_t>();
        const auto request = nlohmann::json::from_msgpack(begin, begin + in.back().size());
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request);
        }
        auto reply = answer_(request);
        if (!reply) return;
        reply->emplace("type", "reply");
        reply->emplace("ok", true);
        reply->emplace("req", request.at("req"));
        router.send(std::move(in[0]), zmq::send_flags::sndmore);
        router.send(frame(protocol), zmq::send_flags::sndmore);
        router.send(frame(*reply), zmq::send_flags::none);
    }

    const std::string path_;
    const Answer answer_;
    std::atomic<bool> bound_ = false, stop_ = false;
    mutable std::mutex mutex_;
    std::vector<nlohmann::json> to_publish_, requests_;
    std::thread thread_;  // last: starts when the rest is there
};

}  // namespace sl::test
