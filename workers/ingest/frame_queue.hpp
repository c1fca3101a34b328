// Frame queue: the sampled frames of one camera between its reader's thread and the bus thread: numbers
// them, keeps the one that waits to be sent, drops by the camera's policy, and counts what it drops
// (PROTOCOL.md section 9, L1). Still frames keep their place behind the one that waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "schema/live.hpp"
#include "workers/ingest/camera_reader.hpp"

namespace sl::ingest {

class FrameQueue {
public:
    // `ring` is called on the reader's thread when there is something to take.
    FrameQueue(const schema::Camera& camera, std::string ingest, std::function<void()> ring);

    // Reader's thread. Policy "wait": returns when there is room.
    void put(const LiveFrame& frame);

    // --- bus thread
    void configure(const schema::Camera& camera);
    void restart();  // of another lease: counts from 1 again, and drops what waits
    struct Item {
        schema::Capture capture;
        bool still = false;
        schema::Bytes i420;  // empty when still
    };
    // The next one in order; with `credit` false only a still frame that nothing is before.
    std::optional<Item> take(bool credit, std::int64_t now_ns);
    // What waits cannot be sent.
    void give_up(const std::string& reason);
    // Sent frames that nobody said were seen.
    void lost(std::int64_t n);
    bool waits() const;  // a frame that needs credit is next
    std::map<std::string, std::int64_t> dropped() const;
    void close();  // put() no longer waits and takes nothing

private:
    void drop(std::deque<Item>::iterator item, const std::string& reason);
    std::deque<Item>::iterator slot();

    const std::string camera_, ingest_;
    const std::function<void()> ring_;
    mutable std::mutex mutex_;
    std::condition_variable room_;
    // guarded by mutex_
    std::string policy_;
    double deadline_s_ = 0;
    std::deque<Item> items_;  // by seq; at most one is not still
    std::int64_t seq_ = 0;
    std::map<std::string, std::int64_t> dropped_;  // of this lease, by reason
    bool closed_ = false;
};

}  // namespace sl::ingest
