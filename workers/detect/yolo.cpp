#include "workers/detect/yolo.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "workers/detect/nms.hpp"

namespace sl::detect {
namespace {

constexpr std::array strides = {8, 16, 32};

// Collects what passes the thresholds of the job.
class Candidates {
public:
    Candidates(const model::Manifest& manifest, const Thresholds& thresholds)
        : width_(static_cast<float>(manifest.input.width)),
          height_(static_cast<float>(manifest.input.height)),
          confidence_(static_cast<float>(thresholds.confidence)),
          thresholds_(thresholds) {}

    // False when no class can lift a cell of this objectness over the threshold; 0.0005 is what settle()
    // may round up.
    bool worth(float objectness) const { return objectness + 0.0005f >= confidence_; }

    void add(float centre_x, float centre_y, float width, float height, float score, int class_id) {
        const auto& wanted = thresholds_.classes;
        if (!wanted.empty() && (std::size_t(class_id) >= wanted.size() || !wanted[std::size_t(class_id)]))
            return;
        schema::Box box{centre_x - width / 2, centre_y - height / 2, width, height, score, class_id, 0};
        if (settle(box, width_, height_) && box.score >= confidence_) boxes_.push_back(box);
    }

    std::vector<schema::Box> take() {
        return suppress(std::move(boxes_), thresholds_.nms, thresholds_.max_boxes);
    }

private:
    const float width_, height_, confidence_;
    const Thresholds& thresholds_;
    std::vector<schema::Box> boxes_;
};

std::vector<schema::Box> yolox(const model::Manifest& m, const float* cell, Candidates found) {
    const auto classes = static_cast<std::ptrdiff_t>(m.input.classes.size());
    for (const int stride : strides) {
        const auto size = static_cast<float>(stride);
        for (int row = 0; row < m.input.height / stride; ++row) {
            for (int col = 0; col < m.input.width / stride; ++col, cell += 5 + classes) {
                if (!found.worth(cell[4])) continue;
                const float* best = std::max_element(cell + 5, cell + 5 + classes);
                found.add((cell[0] + static_cast<float>(col)) * size,
                          (cell[1] + static_cast<float>(row)) * size, std::exp(cell[2]) * size,
                          std::exp(cell[3]) * size, cell[4] * *best, static_cast<int>(best - cell - 5));
            }
        }
    }
    return found.take();
}

std::vector<schema::Box> yolov8(const model::Manifest& m, std::span<const float> output, Candidates found) {
    const std::size_t classes = m.input.classes.size();
    const std::size_t cells = output.size() / (4 + classes);
    // Row by row, as the tensor lies in memory: the strongest class of every cell.
    std::vector<float> best(output.begin() + std::ptrdiff_t(4 * cells),
                            output.begin() + std::ptrdiff_t(5 * cells));
    std::vector<int> best_class(cells, 0);
    for (std::size_t c = 1; c < classes; ++c) {
        const float* row = output.data() + (4 + c) * cells;
        for (std::size_t i = 0; i < cells; ++i) {
            if (row[i] <= best[i]) continue;
            best[i] = row[i];
            best_class[i] = static_cast<int>(c);
        }
    }
    for (std::size_t i = 0; i < cells; ++i)
        if (found.worth(best[i]))
            found.add(output[i], output[cells + i], output[2 * cells + i], output[3 * cells + i], best[i],
                      best_class[i]);
    return found.take();
}

std::string text_of(std::span<const std::int64_t> shape) {
    std::string out;
    for (const auto n : shape) out += (out.empty() ? "" : "x") + std::to_string(n);
    return out;
}

}  // namespace

std::vector<std::int64_t> yolo_shape(const model::Manifest& manifest) {
    std::int64_t cells = 0;
    for (const int stride : strides)
        cells += std::int64_t(manifest.input.width / stride) * (manifest.input.height / stride);
    const auto classes = static_cast<std::int64_t>(manifest.input.classes.size());
    if (manifest.decoding == "yolox") return {1, cells, 5 + classes};
    if (manifest.decoding == "yolov8") return {1, 4 + classes, cells};
    return {};
}

std::vector<schema::Box> yolo_boxes(const model::Manifest& manifest, std::span<const float> output,
                                    const Thresholds& thresholds) {
    if (manifest.decoding == "yolox") return yolox(manifest, output.data(), {manifest, thresholds});
    return yolov8(manifest, output, {manifest, thresholds});
}

void yolo_input(const model::Manifest& manifest, std::span<const std::uint8_t> tensor,
                std::span<float> floats) {
    const std::size_t plane = tensor.size() / 3;
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const float mean = manifest.mean[channel], scale = manifest.scale[channel];
        const std::uint8_t* in = tensor.data() + channel * plane;
        float* out = floats.data() + channel * plane;
        for (std::size_t i = 0; i < plane; ++i) out[i] = (static_cast<float>(in[i]) - mean) * scale;
    }
}

Result<void> check_yolo_shape(const model::Manifest& manifest, std::span<const std::int64_t> shape,
                              const std::string& model_file) {
    const auto want = yolo_shape(manifest);
    if (want.empty())
        return Error{Errc::invalid_argument,
                     "model " + manifest.name + " has decoding '" + manifest.decoding +
                         "', which this backend does not read",
                     "correct `backend:` in its manifest"};
    if (std::equal(want.begin(), want.end(), shape.begin(), shape.end())) return {};
    return Error{Errc::invalid_argument,
                 "model file " + model_file + " does not fit its manifest: its output is " + text_of(shape) +
                     ", " + manifest.decoding + " with this input and these classes has " + text_of(want),
                 "correct width, height, decoding or classes in the manifest of " + manifest.name};
}

}  // namespace sl::detect
