#include "workers/ingest/frame_queue.hpp"

#include <algorithm>

#include "common/age.hpp"
#include "common/media/i420.hpp"

namespace sl::ingest {
namespace {

constexpr std::size_t most_stills = 32;  // behind a frame that waits

}  // namespace

FrameQueue::FrameQueue(const schema::Camera& camera, std::string ingest, std::function<void()> ring)
    : camera_(camera.camera), ingest_(std::move(ingest)), ring_(std::move(ring)) {
    configure(camera);
}

void FrameQueue::configure(const schema::Camera& camera) {
    const std::lock_guard lock(mutex_);
    policy_ = camera.policy;
    deadline_s_ = policy_ == "deadline" ? camera.deadline_s : 0;
    room_.notify_all();
}

void FrameQueue::restart() {
    const std::lock_guard lock(mutex_);
    items_.clear();
    dropped_.clear();
    seq_ = 0;
    room_.notify_all();
}

std::deque<FrameQueue::Item>::iterator FrameQueue::slot() {
    return std::find_if(items_.begin(), items_.end(), [](const Item& i) { return !i.still; });
}

// What comes after it was numbered before it was dropped, and says so all the same.
void FrameQueue::drop(std::deque<Item>::iterator item, const std::string& reason) {
    ++dropped_[reason];
    for (auto after = std::next(item); after != items_.end(); ++after) ++after->capture.dropped[reason];
    items_.erase(item);
}

void FrameQueue::put(const LiveFrame& frame) {
    Item item;
    item.still = frame.still;
    {
        std::unique_lock lock(mutex_);
        if (policy_ == "wait" && !frame.still)
            room_.wait(lock, [&] { return closed_ || policy_ != "wait" || slot() == items_.end(); });
        if (closed_) return;
        // Only this thread adds frames: what it would drop it need not pack.
        const bool full = frame.still ? items_.size() >= most_stills : slot() != items_.end();
        if (full && (policy_ == "drop_latest" || frame.still)) {
            ++seq_;
            ++dropped_["drop_latest"];
            return;
        }
    }
    if (!frame.still) item.i420 = media::pack_i420(*frame.i420, frame.width, frame.height);
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return;
        if (const auto old = slot(); !item.still && old != items_.end()) drop(old, "drop_oldest");
        item.capture.camera = camera_;
        item.capture.seq = ++seq_;
        item.capture.capture_ns = frame.capture_ns;
        item.capture.width = frame.width;
        item.capture.height = frame.height;
        item.capture.ingest = ingest_;
        item.capture.dropped = dropped_;
        item.capture.deadline_s = deadline_s_;
        items_.push_back(std::move(item));
    }
    ring_();
}

std::optional<FrameQueue::Item> FrameQueue::take(bool credit, std::int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    if (const auto old = slot(); old != items_.end() && too_old(old->capture, now_ns)) {
        drop(old, "deadline");
        room_.notify_all();
    }
    if (items_.empty() || (!items_.front().still && !credit)) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    if (!item.still) room_.notify_all();
    return item;
}

void FrameQueue::give_up(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    while (!items_.empty()) drop(items_.begin(), reason);
    room_.notify_all();
}

void FrameQueue::lost(std::int64_t n) {
    if (n == 0) return;
    const std::lock_guard lock(mutex_);
    dropped_["lost"] += n;
}

bool FrameQueue::waits() const {
    const std::lock_guard lock(mutex_);
    return !items_.empty() && !items_.front().still;
}

std::map<std::string, std::int64_t> FrameQueue::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

void FrameQueue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
}

}  // namespace sl::ingest
