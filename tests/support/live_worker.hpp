// A scripted worker of live work, against a real broker: it says hello, takes every camera and watch that it
// is given, lists what it holds, lets go of what it is told to drop, and says what the test makes it say.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/bus/endpoint.hpp"
#include "common/bus/socket.hpp"
#include "common/ids.hpp"
#include "schema/live.hpp"
#include "schema/messages.hpp"

namespace sl::test {

// True as soon as `so` is; the ceiling is generous, for a machine that has much to do.
inline bool eventually(const std::function<bool()>& so, int seconds = 60) {
    const auto until = Clock::now() + std::chrono::seconds(seconds);
    while (!so())
        if (Clock::now() > until)
            return false;
        else
            std::this_thread::yield(), std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return true;
}

class LiveWorker {
public:
    LiveWorker(zmq::context_t& context, const std::string& jobs_endpoint, const std::string& stage,
               std::map<std::string, std::string> labels = {}, const std::string& pool = "",
               const std::string& supervisor = "", const std::string& process = "")
        : context_(context), endpoint_(bus::broker_endpoints(jobs_endpoint)->workers) {
        hello_.worker = make_ulid();
        hello_.stage = stage;
        hello_.pool = pool.empty() ? stage : pool;
        hello_.host = "test";
        hello_.endpoints = {"inproc://" + hello_.worker};
        hello_.labels = std::move(labels);
        hello_.supervisor = supervisor;
        hello_.process = process;
        thread_ = std::jthread([this] { run(); });
    }
    ~LiveWorker() { stop_ = true; }
    LiveWorker(const LiveWorker&) = delete;

    const std::string& id() const { return hello_.worker; }
    bool welcomed() const { return welcomed_; }
    void stand_still(bool still) {
        still_ = still;
    }  // like a stopped process: it says nothing, hears nothing

    std::vector<schema::CameraTask> cameras() const { return values(cameras_); }
    std::vector<schema::WatchTask> watches() const { return values(watches_); }
    std::vector<std::string> order() const {  // of the first task of each lease: "watch a", "camera a"
        const std::lock_guard lock(mutex_);
        return order_;
    }
    bool holds(const std::string& camera) const {
        for (const auto& t : cameras())
            if (t.token.job == camera) return true;
        for (const auto& t : watches())
            if (t.token.job == camera) return true;
        return false;
    }
    void bye() { say(schema::Bye{}); }
    template <typename T>
    void say(const T& message, schema::Bytes payload = {}) {
        auto e = bus::Envelope::make(message);
        if (!payload.empty()) e.payload.push_back(bus::to_frame(std::move(payload)));
        const std::lock_guard lock(mutex_);
        out_.push_back(std::move(e));
    }
    // A request and its status, repeated until it is answered.
    template <typename T>
    std::string ask(T message, schema::Bytes payload = {}) {
        message.req = ++req_;
        std::string status;
        auto next = Clock::now();
        const bool answered = eventually([&] {
            if (Clock::now() >= next) {
                say(message, payload);
                next = Clock::now() + std::chrono::milliseconds(500);
            }
            const std::lock_guard lock(mutex_);
            const auto at = answers_.find(message.req);
            if (at == answers_.end()) return false;
            status = at->second;
            return true;
        });
        EXPECT_TRUE(answered) << "no answer to " << message.type;
        return status;
    }

private:
    template <typename T>
    std::vector<T> values(const std::map<schema::Token, T>& map) const {
        const std::lock_guard lock(mutex_);
        std::vector<T> all;
        for (const auto& [token, task] : map) all.push_back(task);
        return all;
    }
    void send(zmq::socket_t& socket, bus::Envelope e) {
        std::vector<zmq::message_t> frames;
        e.append_to(frames);
        bus::send(socket, frames);
    }
    void run() {
        auto socket = bus::make_socket(context_, bus::Kind::dealer);
        socket.set(zmq::sockopt::routing_id, hello_.worker);
        socket.connect(endpoint_);
        auto beat_at = Clock::now();
        while (!stop_) {
            if (still_) {
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
                continue;
            }
            if (Clock::now() >= beat_at) {
                beat_at = Clock::now() + std::chrono::milliseconds(50);
                if (!welcomed_) {
                    send(socket, bus::Envelope::make(hello_));
                } else {
                    schema::Beat beat;
                    beat.epoch = epoch_;
                    beat.peers = peers_;
                    const std::lock_guard lock(mutex_);
                    beat.draining = draining_;
                    for (const auto& [token, task] : cameras_) beat.held.push_back(token);
                    for (const auto& [token, task] : watches_) beat.held.push_back(token);
                    send(socket, bus::Envelope::make(beat));
                }
            }
            for (;;) {
                const std::lock_guard lock(mutex_);
                if (out_.empty() || !welcomed_) break;
                send(socket, std::move(out_.front()));
                out_.pop_front();
            }
            zmq::pollitem_t p{socket.handle(), 0, ZMQ_POLLIN, 0};
            zmq::poll(&p, 1, std::chrono::milliseconds(5));
            while (auto frames = bus::receive(socket)) hear(std::move(*frames));
        }
    }
    void hear(std::vector<zmq::message_t> frames) {
        const auto e = bus::Envelope::parse(std::move(frames));
        ASSERT_TRUE(e) << e.error().text();
        const std::lock_guard lock(mutex_);
        if (e->type() == "welcome") {
            epoch_ = e->as<schema::Welcome>()->epoch;
            welcomed_ = true;
        } else if (e->type() == "beat_answer") {
            const auto m = *e->as<schema::BeatAnswer>();
            if (m.who) welcomed_ = false;
            for (const auto& token : m.drop) cameras_.erase(token), watches_.erase(token);
        } else if (e->type() == "answer") {
            const auto m = *e->as<schema::Answer>();
            answers_[m.req] = m.status;
        } else if (e->type() == "peers") {
            peers_ = e->as<schema::Peers>()->n;
        } else if (e->type() == "drain") {
            draining_ = true;
        } else if (e->type() == "camera") {
            take(cameras_, *e->as<schema::CameraTask>());
        } else if (e->type() == "watch") {
            take(watches_, *e->as<schema::WatchTask>());
        }
    }
    template <typename T>
    void take(std::map<schema::Token, T>& held, T task) {
        const auto [at, fresh] = held.try_emplace(task.token, task);
        if (fresh) order_.push_back(task.type + " " + task.token.job);
        if (task.revision > at->second.revision) at->second = task;
    }

    zmq::context_t& context_;
    const std::string endpoint_;
    schema::Hello hello_;
    std::atomic<bool> stop_{false}, still_{false}, welcomed_{false};
    std::atomic<std::uint64_t> req_{0};
    std::uint64_t epoch_ = 0, peers_ = 0;  // of the thread alone
    mutable std::mutex mutex_;             // guards what follows
    bool draining_ = false;
    std::deque<bus::Envelope> out_;
    std::map<schema::Token, schema::CameraTask> cameras_;
    std::map<schema::Token, schema::WatchTask> watches_;
    std::vector<std::string> order_;
    std::map<std::uint64_t, std::string> answers_;
    std::jthread thread_;  // last: starts when the rest is there
};

}  // namespace sl::test
