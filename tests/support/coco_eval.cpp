#include "tests/support/coco_eval.hpp"

#include <algorithm>
#include <set>

namespace sl::test {
namespace {

double overlap(const schema::Box& a, const schema::Box& b) {
    const double w = std::min(double(a.x) + a.width, double(b.x) + b.width) - std::max(a.x, b.x);
    const double h = std::min(double(a.y) + a.height, double(b.y) + b.height) - std::max(a.y, b.y);
    if (w <= 0 || h <= 0) return 0;
    return w * h / (double(a.width) * a.height + double(b.width) * b.height - w * h);
}

std::vector<schema::Box> of_class(const std::vector<schema::Box>& boxes, int class_id) {
    std::vector<schema::Box> out;
    std::copy_if(boxes.begin(), boxes.end(), std::back_inserter(out),
                 [&](const auto& b) { return b.class_id == class_id; });
    return out;
}

}  // namespace

double average_precision(const std::vector<Evaluated>& images, int class_id, double min_iou) {
    struct Hit {
        float score;
        bool right;
    };
    std::vector<Hit> hits;
    std::size_t truths = 0;
    for (const auto& image : images) {
        const auto truth = of_class(image.truth, class_id);
        auto found = of_class(image.found, class_id);
        truths += truth.size();
        std::stable_sort(found.begin(), found.end(),
                         [](const auto& a, const auto& b) { return a.score > b.score; });
        if (found.size() > 100) found.resize(100);
        std::vector<bool> taken(truth.size(), false);
        for (const auto& box : found) {
            // The free truth with the largest overlap of at least min_iou; of equals the last, as
            // pycocotools.
            double best = std::min(min_iou, 1 - 1e-10);
            std::size_t match = truth.size();
            for (std::size_t t = 0; t < truth.size(); ++t) {
                const double o = taken[t] ? -1 : overlap(box, truth[t]);
                if (o < best) continue;
                best = o;
                match = t;
            }
            if (match < truth.size()) taken[match] = true;
            hits.push_back({box.score, match < truth.size()});
        }
    }
    if (truths == 0) return -1;
    std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });

    std::vector<double> recall, precision;
    double right = 0;
    for (std::size_t i = 0; i < hits.size(); ++i) {
        right += hits[i].right ? 1 : 0;
        recall.push_back(right / double(truths));
        precision.push_back(right / double(i + 1));
    }
    for (std::size_t i = precision.size(); i > 1; --i)
        precision[i - 2] = std::max(precision[i - 2], precision[i - 1]);
    double sum = 0;
    for (int point = 0; point <= 100; ++point) {
        const auto at = std::lower_bound(recall.begin(), recall.end(), point / 100.0);
        if (at != recall.end()) sum += precision[std::size_t(at - recall.begin())];
    }
    return sum / 101;
}

CocoScore coco_score(const std::vector<Evaluated>& images) {
    std::set<int> classes;
    for (const auto& image : images)
        for (const auto& box : image.truth) classes.insert(box.class_id);
    CocoScore out;
    out.classes = static_cast<int>(classes.size());
    if (classes.empty()) return out;
    for (const int class_id : classes) {
        for (int step = 0; step < 10; ++step) {
            const double ap = average_precision(images, class_id, 0.5 + 0.05 * step);
            out.map += ap / 10;
            if (step == 0) out.map50 += ap;
        }
    }
    out.map /= double(classes.size());
    out.map50 /= double(classes.size());
    return out;
}

}  // namespace sl::test
