// YOLO: raw output tensors → boxes in model pixels. Two layouts:
//
// "yolox": 1 × N × (5 + classes), N the cells of strides 8, 16, 32, row by row. Of a cell at (col, row):
//     centre = (p + cell) · stride, size = exp(p) · stride, score = objectness · class.
//     (Ge et al., YOLOX, 2021; demo_postprocess of the reference code.)
// "yolov8": 1 × (4 + classes) × N, centre and size in pixels, score = class. (Ultralytics' ONNX export.)
//
// A cell gives at most one box, of its strongest class (the lowest id of equals).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/model/manifest.hpp"
#include "schema/result.hpp"
#include "schema/types.hpp"
#include "workers/detect/backend.hpp"

namespace sl::detect {

// The output shape that the manifest's decoding, input size and classes ask for; empty: not a YOLO.
std::vector<std::int64_t> yolo_shape(const model::Manifest& manifest);

// `output` has yolo_shape() values. Boxes are settled (see nms.hpp), over the confidence, of the classes
// asked for, suppressed, by falling score.
std::vector<schema::Box> yolo_boxes(const model::Manifest& manifest, std::span<const float> output,
                                    const Thresholds& thresholds);

// uint8 planes → float planes, (x - mean) · scale per channel. `floats` has as many values as `tensor`.
void yolo_input(const model::Manifest& manifest, std::span<const std::uint8_t> tensor,
                std::span<float> floats);

// Refuses a model whose output does not have yolo_shape(), with both shapes in the error.
Result<void> check_yolo_shape(const model::Manifest& manifest, std::span<const std::int64_t> shape,
                              const std::string& model_file);

}  // namespace sl::detect
