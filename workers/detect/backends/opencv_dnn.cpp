// OpenCV's own engine: always there, and 3.5 to 5.5 times slower than ONNX Runtime. OpenCV 4.6 cannot load
// YOLOv8 as exported, nor dynamic int8 models.
#include <opencv2/dnn.hpp>

#include "workers/detect/backend.hpp"
#include "workers/detect/yolo.hpp"

namespace sl::detect {
namespace {

class OpenCvDnn final : public Backend {
public:
    OpenCvDnn(const model::Manifest& manifest, const std::string& file)
        : manifest_(manifest), net_(cv::dnn::readNetFromONNX(file)) {
        net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
        const int shape[] = {1, 3, manifest.input.height, manifest.input.width};
        blob_ = cv::Mat(4, shape, CV_32F, cv::Scalar(0));
    }

    std::vector<std::int64_t> warm_up() {
        const cv::Mat out = run();
        return {out.size.p, out.size.p + out.dims};
    }

    Result<std::vector<schema::Box>> detect(std::span<const std::uint8_t> tensor,
                                            const Thresholds& thresholds) override {
        if (tensor.size() != blob_.total()) return wrong_size(manifest_, tensor.size());
        yolo_input(manifest_, tensor, {blob_.ptr<float>(), blob_.total()});
        try {
            const cv::Mat out = run();
            return yolo_boxes(manifest_, {out.ptr<float>(), out.total()}, thresholds);
        } catch (const cv::Exception& e) {
            return Error{Errc::internal, "OpenCV failed on model " + manifest_.name + ": " + e.what(), ""};
        }
    }

private:
    cv::Mat run() {
        net_.setInput(blob_);
        return net_.forward();
    }

    const model::Manifest manifest_;
    cv::dnn::Net net_;
    cv::Mat blob_;
};

bool usable(std::string&) {
    return true;
}

Result<std::unique_ptr<Backend>> open(const model::Manifest& manifest, const std::string& model_file) {
    try {
        cv::setNumThreads(1);  // of the whole process: workers are what scales
        auto backend = std::make_unique<OpenCvDnn>(manifest, model_file);
        if (auto fits = check_yolo_shape(manifest, backend->warm_up(), model_file); !fits)
            return fits.error();
        return std::unique_ptr<Backend>(std::move(backend));
    } catch (const cv::Exception& e) {
        return Error{
            Errc::invalid_argument,
            "OpenCV " CV_VERSION " cannot open " + model_file + " of model " + manifest.name + ": " + e.err,
            "use the backend onnxruntime for this model (scripts/setup fetches it)"};
    }
}

std::string engine() {
    return "opencv_dnn " CV_VERSION;
}

}  // namespace

extern const BackendPlugin backend_opencv_dnn{
    "opencv_dnn", "OpenCV's DNN module on the CPU: slow, always there", usable, open, engine};

}  // namespace sl::detect
