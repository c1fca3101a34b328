// The accuracy of a model through our own letterbox, engine and decoding, on 64 held-out pictures, against
// the figure of its reference code: a shifted box, swapped colours or a wrong class shows here at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>

extern "C" {
#include <libavutil/frame.h>
}

#include "tests/support/coco_eval.hpp"
#include "tests/support/models.hpp"
#include "workers/detect/backend.hpp"
#include "workers/preprocess/letterbox.hpp"

namespace sl::detect {
namespace {
namespace fs = std::filesystem;

std::vector<schema::Box> read_labels(const fs::path& path, int width, int height) {
    std::vector<schema::Box> out;
    std::ifstream in(path);
    int class_id = 0;
    for (double cx, cy, w, h; in >> class_id >> cx >> cy >> w >> h;)
        out.push_back({float((cx - w / 2) * width), float((cy - h / 2) * height), float(w * width),
                       float(h * height), 0, class_id, 0});
    return out;
}

struct Expected {
    const char* backend;
    const char* model;
    double map, map50;  // yolox_nano: of its reference code; yolov8n: as first measured here
    bool in_test_data;  // false: weights that scripts/setup may have fetched, or not
};

class BackendAccuracy : public testing::TestWithParam<Expected> {};

TEST_P(BackendAccuracy, IsTheReferences) {
    const auto* row = find_backend(GetParam().backend);
    if (!row) GTEST_SKIP() << "backend " << GetParam().backend << " is not built";
    const auto model = test::test_model(GetParam().model);
    const auto images = test::test_data("coco64/images");
    if (!model || !images) {
        const auto& error = model ? images.error() : model.error();
        if (test::may_skip(error) || !GetParam().in_test_data) GTEST_SKIP() << error.text();
        FAIL() << error.text();
    }
    auto backend = row->open(model->manifest, model->file);
    ASSERT_TRUE(backend) << backend.error().text();

    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(*images)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    ASSERT_EQ(paths.size(), 64u);
    std::vector<test::Evaluated> evaluated;
    double seconds = 0;
    for (const auto& path : paths) {
        const auto frame = test::read_picture(path.string());
        ASSERT_TRUE(frame) << frame.error().text();
        schema::StreamInfo stream;
        stream.width = (*frame)->width;
        stream.height = (*frame)->height;
        auto letterbox = preprocess::Letterbox::open(stream, model->manifest.input, {});
        ASSERT_TRUE(letterbox) << letterbox.error().text();
        std::vector<std::uint8_t> tensor(letterbox->tensor_bytes());
        const auto mapping = letterbox->convert(**frame, tensor);
        ASSERT_TRUE(mapping) << mapping.error().text();
        const auto start = std::chrono::steady_clock::now();
        const auto boxes =
            (*backend)->detect(tensor, {.confidence = 0.001, .nms = 0.65, .classes = {}, .max_boxes = 100});
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        ASSERT_TRUE(boxes) << boxes.error().text();
        test::Evaluated image;
        image.truth = read_labels(fs::path(*images).parent_path() / "labels" / path.stem().concat(".txt"),
                                  stream.width, stream.height);
        for (const auto& box : *boxes)
            if (const auto mapped = schema::to_canvas(*mapping, box)) image.found.push_back(*mapped);
        evaluated.push_back(std::move(image));
    }
    const auto score = test::coco_score(evaluated);
    std::cout << row->engine() << " " << model->manifest.name << ": mAP50-95 " << score.map << " mAP50 "
              << score.map50 << " over " << score.classes << " classes, "
              << 1000 * seconds / double(paths.size()) << " ms an image\n";
    EXPECT_NEAR(score.map, GetParam().map, 0.012);
    EXPECT_NEAR(score.map50, GetParam().map50, 0.012);
}

INSTANTIATE_TEST_SUITE_P(Models, BackendAccuracy,
                         testing::Values(Expected{"onnxruntime", "yolox_nano", 0.341, 0.513, true},
                                         Expected{"onnxruntime", "yolov8n", 0.446, 0.609, false},
                                         Expected{"opencv_dnn", "yolox_nano", 0.341, 0.513, true}),
                         [](const auto& expected) {
                             return std::string(expected.param.backend) + "_" + expected.param.model;
                         });

}  // namespace
}  // namespace sl::detect
