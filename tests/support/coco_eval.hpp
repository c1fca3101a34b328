// COCO-style mean average precision: the measure of pycocotools, area "all", 101 recall points, at most 100
// detections an image and class, ground truth without crowds.
#pragma once

#include <array>
#include <vector>

#include "schema/types.hpp"

namespace sl::test {

// One image: what is there, and what was found (score and class_id of `truth` boxes: class_id only).
struct Evaluated {
    std::vector<schema::Box> truth;
    std::vector<schema::Box> found;
};

struct CocoScore {
    double map = 0;    // mean over IoU 0.50, 0.55 … 0.95 and the classes that occur in the truth
    double map50 = 0;  // at IoU 0.50
    int classes = 0;
};

CocoScore coco_score(const std::vector<Evaluated>& images);

// Average precision of one class at one IoU; -1 when the truth has none of it.
double average_precision(const std::vector<Evaluated>& images, int class_id, double min_iou);

}  // namespace sl::test
