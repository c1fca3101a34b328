// Histograms of oriented gradients with OpenCV's people detector (Dalal and Triggs, CVPR 2005): upright,
// whole persons of 96 pixels and more. Needs no weights. The score is margin / (margin + 1): an order, no
// probability.
#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/objdetect.hpp>

#include "workers/detect/backend.hpp"
#include "workers/detect/nms.hpp"

namespace sl::detect {
namespace {

class HogPeople final : public Backend {
public:
    explicit HogPeople(const model::Manifest& manifest) : manifest_(manifest) {
        hog_.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
    }

    Result<std::vector<schema::Box>> detect(std::span<const std::uint8_t> tensor,
                                            const Thresholds& thresholds) override {
        const int width = manifest_.input.width, height = manifest_.input.height;
        const std::size_t plane = std::size_t(width) * std::size_t(height);
        if (tensor.size() != 3 * plane) return wrong_size(manifest_, tensor.size());
        if (!thresholds.classes.empty() && !thresholds.classes[0]) return std::vector<schema::Box>{};
        try {
            // Gradients are taken from the strongest channel: the order of colours does not matter.
            std::vector<cv::Mat> planes;
            for (std::size_t c = 0; c < 3; ++c)
                planes.emplace_back(height, width, CV_8U,
                                    const_cast<std::uint8_t*>(tensor.data() + c * plane));
            cv::Mat picture;
            cv::merge(planes, picture);  // copies: the tensor is only read
            std::vector<cv::Rect> found;
            std::vector<double> margins;
            hog_.detectMultiScale(picture, found, margins, 0, {8, 8}, {}, 1.05,
                                  0);  // 0: all windows, ungrouped
            std::vector<schema::Box> boxes;
            for (std::size_t i = 0; i < found.size(); ++i) {
                const double margin = std::max(0.0, margins[i]);
                const cv::Rect2f r = found[i];
                schema::Box box{r.x, r.y, r.width, r.height, static_cast<float>(margin / (margin + 1)), 0, 0};
                if (settle(box, static_cast<float>(width), static_cast<float>(height)) &&
                    box.score >= static_cast<float>(thresholds.confidence))
                    boxes.push_back(box);
            }
            return suppress(std::move(boxes), thresholds.nms, thresholds.max_boxes);
        } catch (const cv::Exception& e) {
            return Error{Errc::internal, std::string("OpenCV's people detector failed: ") + e.what(), ""};
        }
    }

private:
    const model::Manifest manifest_;
    cv::HOGDescriptor hog_;
};

bool usable(std::string&) {
    return true;
}

Result<std::unique_ptr<Backend>> open(const model::Manifest& manifest, const std::string&) {
    if (manifest.decoding != "none" || manifest.input.classes.size() != 1)
        return Error{Errc::invalid_argument,
                     "hog_people finds persons only and cannot serve model " + manifest.name,
                     "correct `backend:` in its manifest"};
    if (manifest.input.width < 64 || manifest.input.height < 128)
        return Error{
            Errc::invalid_argument,
            "hog_people wants an input of at least 64x128 pixels, model " + manifest.name + " has less",
            "enlarge width and height in its manifest"};
    cv::setNumThreads(1);  // of the whole process: workers are what scales
    return std::unique_ptr<Backend>(std::make_unique<HogPeople>(manifest));
}

std::string engine() {
    return "opencv_hog " CV_VERSION;
}

}  // namespace

extern const BackendPlugin backend_hog_people{"hog_people", "OpenCV's HOG people detector: no weights needed",
                                              usable, open, engine};

}  // namespace sl::detect
