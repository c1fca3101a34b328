// Motion: boxes around what differs between two frames of a stream (common/media/motion.hpp). Needs no
// weights, knows no classes, and costs next to nothing. The score is 0.5 and half the share of the box that
// changed: an order, no probability.
#include "common/media/motion.hpp"

#include <cstdlib>

#include "workers/detect/backend.hpp"
#include "workers/detect/nms.hpp"

namespace sl::detect {
namespace {

constexpr int side = media::Cells::side;

class Motion final : public Backend {
public:
    explicit Motion(const model::Manifest& manifest) : manifest_(manifest) {}

    bool compares() const override { return true; }

    // One picture is no change.
    Result<std::vector<schema::Box>> detect(std::span<const std::uint8_t> tensor,
                                            const Thresholds& thresholds) override {
        return detect_change(tensor, {}, thresholds);
    }

    Result<std::vector<schema::Box>> detect_change(std::span<const std::uint8_t> tensor,
                                                   std::span<const std::uint8_t> other,
                                                   const Thresholds& thresholds) override {
        const int width = manifest_.input.width, height = manifest_.input.height;
        const std::size_t bytes = std::size_t(3) * std::size_t(width) * std::size_t(height);
        if (tensor.size() != bytes) return wrong_size(manifest_, tensor.size());
        std::vector<schema::Box> boxes;
        const bool wanted = thresholds.classes.empty() || thresholds.classes[0];
        if (other.size() != bytes || !wanted) return boxes;
        const media::Cells now = cells(tensor);
        for (auto& box : media::regions(now, media::changed(cells(other), now))) {
            box.score = 0.5f + box.score / 2;
            if (settle(box, static_cast<float>(width), static_cast<float>(height)) &&
                box.score >= static_cast<float>(thresholds.confidence))
                boxes.push_back(box);
        }
        return suppress(std::move(boxes), thresholds.nms, thresholds.max_boxes);
    }

private:
    // Green counts twice, whatever the order of the others: near enough to luma.
    media::Cells cells(std::span<const std::uint8_t> tensor) const {
        const int width = manifest_.input.width, height = manifest_.input.height;
        const std::size_t plane = std::size_t(width) * std::size_t(height);
        media::Cells out{width / side, height / side, {}};
        out.luma.reserve(std::size_t(out.width) * std::size_t(out.height));
        for (int cy = 0; cy < out.height; ++cy)
            for (int cx = 0; cx < out.width; ++cx) {
                unsigned sum = 0;
                for (int y = cy * side; y < (cy + 1) * side; ++y) {
                    const std::uint8_t* row =
                        tensor.data() + std::size_t(y) * std::size_t(width) + std::size_t(cx * side);
                    for (int x = 0; x < side; ++x) sum += row[x] + 2u * row[plane + x] + row[2 * plane + x];
                }
                out.luma.push_back(static_cast<std::uint16_t>(sum / (4 * side * side / 16)));
            }
        return out;
    }

    const model::Manifest manifest_;
};

bool usable(std::string&) {
    return true;
}

Result<std::unique_ptr<Backend>> open(const model::Manifest& manifest, const std::string&) {
    if (manifest.decoding != "none" || manifest.input.classes.size() != 1)
        return Error{Errc::invalid_argument,
                     "motion finds one class, what moves, and cannot serve model " + manifest.name,
                     "correct `backend:` in its manifest"};
    return std::unique_ptr<Backend>(std::make_unique<Motion>(manifest));
}

std::string engine() {
    return "motion 1";
}

}  // namespace

extern const BackendPlugin backend_motion{"motion", "what moves: two frames compared, no weights needed",
                                          usable, open, engine};

}  // namespace sl::detect
