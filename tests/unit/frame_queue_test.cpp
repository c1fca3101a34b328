// What happens to a camera's frames when they cannot be sent: by policy, counted, and told in the numbers of
// those that follow.
#include "workers/ingest/frame_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/ids.hpp"
#include "common/image/picture.hpp"
#include "common/media/i420.hpp"
#include "common/media/libav.hpp"

namespace sl::ingest {
namespace {

using Dropped = std::map<std::string, std::int64_t>;

LiveFrame frame(std::int64_t capture_ns = 1, bool still = false) {
    LiveFrame f;
    f.i420 = std::move(*image::blank(6, 4, {81, 90, 240}));
    f.width = 6;
    f.height = 4;
    f.capture_ns = capture_ns;
    f.still = still;
    return f;
}

class FrameQueueTest : public ::testing::Test {
protected:
    std::atomic<int> rung{0};
    schema::Camera camera;
    std::unique_ptr<FrameQueue> queue;
    void open(const std::string& policy, double deadline_s = 1) {
        camera.camera = "c";
        camera.policy = policy;
        camera.deadline_s = deadline_s;
        queue = std::make_unique<FrameQueue>(camera, "me", [this] { ++rung; });
    }
};

TEST_F(FrameQueueTest, NumbersFramesAndPacksTheirPlanes) {
    open("drop_oldest");
    queue->put(frame(7));
    const auto item = queue->take(true, 0);
    ASSERT_TRUE(item);
    EXPECT_EQ(rung, 1);
    EXPECT_EQ(item->capture.seq, 1);
    EXPECT_EQ(item->capture.capture_ns, 7);
    EXPECT_EQ(item->capture.ingest, "me");
    EXPECT_EQ(item->capture.deadline_s, 0);
    ASSERT_EQ(item->i420.size(), media::i420_bytes(6, 4));
    EXPECT_EQ(item->i420.front(), 81);
    EXPECT_EQ(item->i420.back(), 240);
    EXPECT_FALSE(queue->take(true, 0));
}

TEST_F(FrameQueueTest, WithoutCreditTheOldestGives) {
    open("drop_oldest");
    for (int i = 0; i < 3; ++i) queue->put(frame());
    EXPECT_FALSE(queue->take(false, 0));
    const auto item = queue->take(true, 0);
    ASSERT_TRUE(item);
    EXPECT_EQ(item->capture.seq, 3);
    EXPECT_EQ(item->capture.dropped, (Dropped{{"drop_oldest", 2}}));
}

TEST_F(FrameQueueTest, OrTheLatestWhichIsTold) {
    open("drop_latest");
    for (int i = 0; i < 3; ++i) queue->put(frame());
    EXPECT_EQ(queue->take(true, 0)->capture.seq, 1);
    queue->put(frame());
    const auto next = queue->take(true, 0);
    EXPECT_EQ(next->capture.seq, 4);
    EXPECT_EQ(next->capture.dropped, (Dropped{{"drop_latest", 2}}));
}

TEST_F(FrameQueueTest, DeadlineDropsWhatWaitedTooLong) {
    open("deadline", 0.5);
    queue->put(frame(1'000'000'000));
    EXPECT_FALSE(queue->take(true, 1'600'000'000));
    EXPECT_EQ(queue->dropped(), (Dropped{{"deadline", 1}}));
    queue->put(frame(2'000'000'000));
    const auto next = queue->take(true, 2'100'000'000);
    EXPECT_EQ(next->capture.seq, 2);
    EXPECT_EQ(next->capture.deadline_s, 0.5);
    EXPECT_EQ(next->capture.dropped, (Dropped{{"deadline", 1}}));
}

TEST_F(FrameQueueTest, WaitHoldsTheReaderUntilThereIsRoomOrItIsClosed) {
    open("wait");
    queue->put(frame());
    std::atomic<int> passed{0};
    std::thread reader([&] {
        queue->put(frame()), ++passed;
        queue->put(frame()), ++passed;
    });
    EXPECT_EQ(passed, 0);
    EXPECT_EQ(queue->take(true, 0)->capture.seq, 1);
    while (passed == 0) std::this_thread::yield();
    EXPECT_EQ(queue->take(true, 0)->capture.seq, 2);
    while (passed == 1) std::this_thread::yield();
    std::thread last([&] { queue->put(frame()), ++passed; });
    queue->close();
    reader.join();
    last.join();
    EXPECT_EQ(passed, 3);
    EXPECT_TRUE(queue->dropped().empty());
}

TEST_F(FrameQueueTest, StillFramesNeedNoCreditAndKeepTheirPlace) {
    open("drop_oldest");
    queue->put(frame(1, true));
    queue->put(frame());
    queue->put(frame(1, true));
    EXPECT_TRUE(queue->take(false, 0)->still);
    EXPECT_FALSE(queue->take(false, 0));  // the last still one is behind a frame
    EXPECT_TRUE(queue->waits());
    queue->put(frame());  // in the place of the one that waits
    const auto still = queue->take(false, 0);
    ASSERT_TRUE(still && still->still);
    EXPECT_EQ(still->capture.seq, 3);
    EXPECT_EQ(still->capture.dropped, (Dropped{{"drop_oldest", 1}}));  // told though it was numbered before
    EXPECT_TRUE(still->i420.empty());
    EXPECT_EQ(queue->take(true, 0)->capture.seq, 4);
}

TEST_F(FrameQueueTest, WhatNobodyCanTakeIsDroppedByReason) {
    open("drop_oldest");
    queue->put(frame());
    queue->put(frame(1, true));
    queue->give_up("no_home");
    queue->lost(2);
    EXPECT_EQ(queue->dropped(), (Dropped{{"lost", 2}, {"no_home", 2}}));
    queue->restart();
    queue->put(frame());
    const auto item = queue->take(true, 0);
    EXPECT_EQ(item->capture.seq, 1);
    EXPECT_TRUE(item->capture.dropped.empty());
}

TEST(I420, FullRangeIsBroughtToLimited) {
    auto picture = std::move(*image::blank(2, 2, {}));
    picture->color_range = AVCOL_RANGE_JPEG;
    picture->data[0][0] = 0;
    picture->data[0][1] = 255;
    picture->data[1][0] = 128;
    picture->data[2][0] = 255;
    const auto bytes = media::pack_i420(*picture, 2, 2);
    EXPECT_EQ(bytes[0], 16);
    EXPECT_EQ(bytes[1], 235);
    EXPECT_EQ(bytes[4], 128);
    EXPECT_EQ(bytes[5], 240);
    EXPECT_TRUE(media::view_i420(bytes, 2, 2));
    EXPECT_EQ(media::view_i420(bytes, 2, 3).error().code, Errc::bad_message);
    EXPECT_EQ(media::view_i420(bytes, -2, 2).error().code, Errc::bad_message);
}

}  // namespace
}  // namespace sl::ingest
