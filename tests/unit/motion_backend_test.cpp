// The motion backend: what differs between two tensors, with no memory of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/models.hpp"
#include "workers/detect/backend.hpp"

namespace sl::detect {
namespace {

class MotionBackend : public ::testing::Test {
protected:
    void SetUp() override {
        const auto model = test::test_model("motion");
        ASSERT_TRUE(model) << model.error().text();
        input_ = model->manifest.input;
        auto backend = find_backend("motion")->open(model->manifest, "");
        ASSERT_TRUE(backend) << backend.error().text();
        backend_ = std::move(*backend);
    }
    std::vector<std::uint8_t> grey(int value = 90) const {
        return std::vector<std::uint8_t>(std::size_t(3 * input_.width * input_.height), std::uint8_t(value));
    }
    std::vector<std::uint8_t> with(int x, int y, int w, int h, int value) const {
        auto tensor = grey();
        for (int c = 0; c < 3; ++c)
            for (int py = y; py < y + h; ++py)
                for (int px = x; px < x + w; ++px)
                    tensor[std::size_t((c * input_.height + py) * input_.width + px)] = std::uint8_t(value);
        return tensor;
    }
    std::vector<schema::Box> change(const std::vector<std::uint8_t>& now,
                                    const std::vector<std::uint8_t>& other,
                                    const Thresholds& thresholds = {}) {
        auto boxes = backend_->detect_change(now, other, thresholds);
        EXPECT_TRUE(boxes) << boxes.error().text();
        return boxes ? *boxes : std::vector<schema::Box>{};
    }
    schema::PoolSpec input_;
    std::unique_ptr<Backend> backend_;
};

TEST_F(MotionBackend, FindsWhatMovedAndNothingElse) {
    EXPECT_TRUE(backend_->compares());
    const auto box = with(160, 80, 64, 96, 200);
    EXPECT_THAT(change(box, grey()), ::testing::ElementsAre(schema::Box{160, 80, 64, 96, 1, 0, 0, 0}));
    EXPECT_THAT(change(grey(), box), ::testing::SizeIs(1)) << "the first of a batch looks ahead";
    EXPECT_THAT(change(box, box), ::testing::IsEmpty());
    EXPECT_THAT(change(grey(93), grey()), ::testing::IsEmpty()) << "less than noise may";
    EXPECT_THAT(change(box, {}), ::testing::IsEmpty()) << "nothing to compare with";
}

TEST_F(MotionBackend, IsPureInBothTensors) {
    const auto a = with(16, 16, 80, 80, 10), b = with(300, 200, 40, 120, 250);
    const auto first = change(a, b);
    EXPECT_EQ(first.size(), 2u);
    change(b, grey());
    change(grey(), a);
    EXPECT_EQ(change(a, b), first);
}

TEST_F(MotionBackend, KeepsTheThresholds) {
    const auto a = with(16, 16, 80, 80, 10), b = with(300, 200, 40, 120, 250);
    EXPECT_THAT(change(a, b, {.confidence = 0.3, .nms = 0.45, .classes = {false}, .max_boxes = 300}),
                ::testing::IsEmpty());
    EXPECT_THAT(change(a, b, {.confidence = 0.3, .nms = 0.45, .classes = {true}, .max_boxes = 1}),
                ::testing::SizeIs(1));
    EXPECT_FALSE(backend_->detect_change(std::span(a).first(10), b, {}));
}

}  // namespace
}  // namespace sl::detect
