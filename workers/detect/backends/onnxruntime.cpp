// ONNX Runtime, CPU. One thread a session (scale by workers: two threads in one session lose under load), the
// whole graph optimisation (another level gives other bits), one image at a time (batches cost more a frame).
#include <onnxruntime_cxx_api.h>

#include <array>

#include "workers/detect/backend.hpp"
#include "workers/detect/yolo.hpp"

namespace sl::detect {
namespace {

constexpr auto refused = [](const model::Manifest& m, const std::string& file, const std::string& why) {
    return Error{Errc::invalid_argument,
                 "ONNX Runtime cannot open " + file + " of model " + m.name + ": " + why,
                 "the file is no ONNX model that this version reads; see its manifest"};
};

class OnnxRuntime final : public Backend {
public:
    OnnxRuntime(const model::Manifest& manifest, const std::string& file)
        : manifest_(manifest), session_(env_, file.c_str(), options()) {
        Ort::AllocatorWithDefaultOptions allocator;
        input_ = session_.GetInputNameAllocated(0, allocator).get();
        output_ = session_.GetOutputNameAllocated(0, allocator).get();
        const std::array<std::int64_t, 4> shape = {1, 3, manifest.input.height, manifest.input.width};
        floats_.resize(std::size_t(3) * std::size_t(manifest.input.height) *
                       std::size_t(manifest.input.width));
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        tensor_ = Ort::Value::CreateTensor<float>(memory, floats_.data(), floats_.size(), shape.data(),
                                                  shape.size());
    }

    // Runs once on an empty picture: allocates, and shows the output's real shape.
    std::vector<std::int64_t> warm_up() { return run().GetTensorTypeAndShapeInfo().GetShape(); }

    Result<std::vector<schema::Box>> detect(std::span<const std::uint8_t> tensor,
                                            const Thresholds& thresholds) override {
        if (tensor.size() != floats_.size()) return wrong_size(manifest_, tensor.size());
        yolo_input(manifest_, tensor, floats_);
        try {
            const Ort::Value out = run();
            const auto count = out.GetTensorTypeAndShapeInfo().GetElementCount();
            return yolo_boxes(manifest_, {out.GetTensorData<float>(), count}, thresholds);
        } catch (const Ort::Exception& e) {
            return Error{Errc::internal, "ONNX Runtime failed on model " + manifest_.name + ": " + e.what(),
                         ""};
        }
    }

private:
    static Ort::SessionOptions options() {
        Ort::SessionOptions out;
        out.SetIntraOpNumThreads(1);
        out.SetInterOpNumThreads(1);
        out.SetExecutionMode(ORT_SEQUENTIAL);
        out.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
        return out;
    }

    Ort::Value run() {
        const char* inputs[] = {input_.c_str()};
        const char* outputs[] = {output_.c_str()};
        return std::move(session_.Run(Ort::RunOptions(nullptr), inputs, &tensor_, 1, outputs, 1).front());
    }

    const model::Manifest manifest_;
    Ort::Env env_{ORT_LOGGING_LEVEL_ERROR, "sightline"};  // all of a process share one inside the library
    Ort::Session session_;
    std::string input_, output_;
    std::vector<float> floats_;  // behind tensor_
    Ort::Value tensor_{nullptr};
};

bool usable(std::string& why) {
    if (OrtGetApiBase()->GetApi(ORT_API_VERSION) != nullptr) return true;
    why = std::string("the ONNX Runtime library is version ") + OrtGetApiBase()->GetVersionString() +
          ", older than the headers this was built with (API " + std::to_string(ORT_API_VERSION) + ")";
    return false;
}

Result<std::unique_ptr<Backend>> open(const model::Manifest& manifest, const std::string& model_file) {
    if (std::string why; !usable(why))
        return Error{Errc::unavailable, why, "install a newer library, or run scripts/setup"};
    try {
        auto backend = std::make_unique<OnnxRuntime>(manifest, model_file);
        if (auto fits = check_yolo_shape(manifest, backend->warm_up(), model_file); !fits)
            return fits.error();
        return std::unique_ptr<Backend>(std::move(backend));
    } catch (const Ort::Exception& e) {
        return refused(manifest, model_file, e.what());
    }
}

std::string engine() {
    return std::string("onnxruntime ") + OrtGetApiBase()->GetVersionString();
}

}  // namespace

extern const BackendPlugin backend_onnxruntime{"onnxruntime", "ONNX Runtime on the CPU: the fastest", usable,
                                               open, engine};

}  // namespace sl::detect
