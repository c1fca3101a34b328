// What every detector backend keeps, whoever wrote it: each row of backend_table() runs all of this.
#include "workers/detect/backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

extern "C" {
#include <libavutil/frame.h>
}

#include "tests/support/models.hpp"
#include "workers/detect/nms.hpp"
#include "workers/preprocess/letterbox.hpp"

namespace sl::detect {
namespace {

class BackendContract : public testing::TestWithParam<const BackendPlugin*> {
protected:
    // Opens the backend with the first model of schema/models/ that names it (opencv_dnn: what it can read).
    void SetUp() override {
        std::string why;
        if (!GetParam()->usable(why)) GTEST_SKIP() << why;
        const auto model = test::test_model(std::string(GetParam()->name) == "hog_people" ? "hog_people"
                                            : std::string(GetParam()->name) == "motion"   ? "motion"
                                                                                          : "yolox_nano");
        if (!model) {
            if (test::may_skip(model.error())) GTEST_SKIP() << model.error().text();
            FAIL() << model.error().text();
        }
        manifest_ = model->manifest;
        file_ = model->file;
        auto backend = GetParam()->open(manifest_, file_);
        ASSERT_TRUE(backend) << backend.error().text();
        backend_ = std::move(*backend);
    }

    std::vector<std::uint8_t> plain(int value) const {
        return std::vector<std::uint8_t>(
            std::size_t(3) * std::size_t(manifest_.input.height) * std::size_t(manifest_.input.width),
            static_cast<std::uint8_t>(value));
    }

    // A street with people, as the model is fed it.
    void load_street(std::vector<std::uint8_t>& tensor) {
        const auto path = test::test_data("coco64/images/" + std::string(street));
        if (!path) {
            if (test::may_skip(path.error())) GTEST_SKIP() << path.error().text();
            FAIL() << path.error().text();
        }
        const auto frame = test::read_picture(*path);
        ASSERT_TRUE(frame) << frame.error().text();
        schema::StreamInfo stream;
        stream.width = (*frame)->width;
        stream.height = (*frame)->height;
        auto letterbox = preprocess::Letterbox::open(stream, manifest_.input, {});
        ASSERT_TRUE(letterbox) << letterbox.error().text();
        tensor.resize(letterbox->tensor_bytes());
        ASSERT_TRUE(letterbox->convert(**frame, tensor));
    }

    static constexpr const char* street = "000000007281.jpg";
    model::Manifest manifest_;
    std::string file_;
    std::unique_ptr<Backend> backend_;
};

TEST_P(BackendContract, SaysWhatItIs) {
    EXPECT_NE(std::string(GetParam()->name), "");
    EXPECT_NE(std::string(GetParam()->help), "");
    EXPECT_NE(GetParam()->engine(), "");
    EXPECT_EQ(find_backend(GetParam()->name), GetParam());
}

TEST_P(BackendContract, RefusesAFileThatIsNoModel) {
    if (manifest_.file.empty()) GTEST_SKIP() << "this backend reads no file";
    const std::string path = testing::TempDir() + "no_model.onnx";
    std::ofstream(path) << "this is no model";
    const auto backend = GetParam()->open(manifest_, path);
    std::remove(path.c_str());
    ASSERT_FALSE(backend);
    EXPECT_EQ(backend.error().code, Errc::invalid_argument);
    EXPECT_THAT(backend.error().message, testing::HasSubstr(path));
    EXPECT_NE(backend.error().hint, "");
    EXPECT_FALSE(GetParam()->open(manifest_, path)) << "the file is gone";
}

TEST_P(BackendContract, RefusesAManifestThatDoesNotFit) {
    auto other = manifest_;
    other.input.classes = {"one", "two"};
    const auto backend = GetParam()->open(other, file_);
    ASSERT_FALSE(backend);
    EXPECT_EQ(backend.error().code, Errc::invalid_argument);
}

TEST_P(BackendContract, FindsNothingInAnEmptyPicture) {
    for (const int value : {0, 114, 255}) {
        const auto boxes = backend_->detect(plain(value), {});
        ASSERT_TRUE(boxes) << boxes.error().text();
        EXPECT_THAT(*boxes, testing::IsEmpty()) << value;
    }
}

TEST_P(BackendContract, RefusesATensorOfAnotherSize) {
    auto tensor = plain(0);
    tensor.pop_back();
    const auto boxes = backend_->detect(tensor, {});
    ASSERT_FALSE(boxes);
    EXPECT_EQ(boxes.error().code, Errc::bad_message);
}

TEST_P(BackendContract, BoxesAreInsideSortedAndSuppressed) {
    if (backend_->compares()) GTEST_SKIP() << "one picture is no change: see motion_backend_test";
    std::vector<std::uint8_t> tensor;
    load_street(tensor);
    if (tensor.empty()) return;
    const Thresholds loose{.confidence = 0.01, .nms = 0.5, .classes = {}, .max_boxes = 40};
    const auto boxes = backend_->detect(tensor, loose);
    ASSERT_TRUE(boxes) << boxes.error().text();
    ASSERT_GE(boxes->size(), 2u);
    EXPECT_LE(boxes->size(), 40u);
    EXPECT_TRUE(std::is_sorted(boxes->begin(), boxes->end(), stronger));
    for (std::size_t i = 0; i < boxes->size(); ++i) {
        const auto& box = (*boxes)[i];
        EXPECT_GE(box.x, 0);
        EXPECT_GE(box.y, 0);
        EXPECT_GT(box.width, 0);
        EXPECT_GT(box.height, 0);
        EXPECT_LE(box.x + box.width, manifest_.input.width);
        EXPECT_LE(box.y + box.height, manifest_.input.height);
        EXPECT_GE(box.score, 0.01f);
        EXPECT_LE(box.score, 1);
        EXPECT_GE(box.class_id, 0);
        EXPECT_LT(std::size_t(box.class_id), manifest_.input.classes.size());
        for (std::size_t k = 0; k < i; ++k)
            if ((*boxes)[k].class_id == box.class_id) {
                EXPECT_LE(iou((*boxes)[k], box), 0.5);
            }
    }
}

TEST_P(BackendContract, FindsPeople) {
    if (backend_->compares()) GTEST_SKIP() << "one picture is no change: see motion_backend_test";
    std::vector<std::uint8_t> tensor;
    load_street(tensor);
    if (tensor.empty()) return;
    const auto boxes = backend_->detect(tensor, {});
    ASSERT_TRUE(boxes) << boxes.error().text();
    ASSERT_THAT(*boxes, testing::Not(testing::IsEmpty()));
    EXPECT_EQ(manifest_.input.classes[std::size_t(boxes->front().class_id)], "person");
}

TEST_P(BackendContract, IsPure) {
    std::vector<std::uint8_t> tensor;
    load_street(tensor);
    if (tensor.empty()) return;
    const auto before = tensor;
    const Thresholds loose{.confidence = 0.01, .nms = 0.5, .classes = {}, .max_boxes = 300};
    const auto first = backend_->detect(tensor, loose);
    ASSERT_TRUE(first);
    EXPECT_EQ(tensor, before) << "the input was written";
    ASSERT_TRUE(backend_->detect(plain(77), loose));
    const auto again = backend_->detect(tensor, loose);
    ASSERT_TRUE(again);
    EXPECT_EQ(*first, *again) << "another picture in between left a trace";
    auto other = GetParam()->open(manifest_, file_);
    ASSERT_TRUE(other);
    const auto elsewhere = (*other)->detect(tensor, loose);
    ASSERT_TRUE(elsewhere);
    EXPECT_EQ(*first, *elsewhere) << "a second instance sees something else";
}

TEST_P(BackendContract, KeepsTheThresholds) {
    if (backend_->compares()) GTEST_SKIP() << "one picture is no change: see motion_backend_test";
    std::vector<std::uint8_t> tensor;
    load_street(tensor);
    if (tensor.empty()) return;
    const auto all = backend_->detect(tensor, {});
    ASSERT_TRUE(all);
    ASSERT_FALSE(all->empty());
    const auto one =
        backend_->detect(tensor, {.confidence = 0.3, .nms = 0.45, .classes = {}, .max_boxes = 1});
    ASSERT_TRUE(one);
    EXPECT_THAT(*one, testing::ElementsAre(all->front()));
    const auto exact = backend_->detect(
        tensor, {.confidence = all->front().score, .nms = 0.45, .classes = {}, .max_boxes = 300});
    ASSERT_TRUE(exact);
    EXPECT_THAT(*exact, testing::Contains(all->front())) << "a score at the threshold counts";
    std::vector<bool> none(manifest_.input.classes.size(), true);
    none[std::size_t(all->front().class_id)] = false;
    const auto others =
        backend_->detect(tensor, {.confidence = 0.3, .nms = 0.45, .classes = none, .max_boxes = 300});
    ASSERT_TRUE(others);
    for (const auto& box : *others) EXPECT_NE(box.class_id, all->front().class_id);
}

INSTANTIATE_TEST_SUITE_P(Table, BackendContract,
                         testing::ValuesIn(backend_table().begin(), backend_table().end()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace sl::detect
