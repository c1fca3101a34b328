// Detector backend: runs one model on one picture at a time. One file in backends/ is one plug-in: it
// defines a row `extern const BackendPlugin backend_<file stem>` and hides all else.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/model/manifest.hpp"
#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::detect {

// Detector thresholds of the job.
struct Thresholds {
    double confidence = 0.3;
    double nms = 0.45;
    std::vector<bool> classes;  // by class_id; empty: all
    std::int32_t max_boxes = 300;
};

// Used by one thread at a time. Pure: the same tensor gives the same boxes, bit for bit, on one CPU class.
class Backend {
public:
    virtual ~Backend() = default;
    // tensor: uint8, 3 × height × width as the model's PoolSpec says; borrowed during the call.
    // Returns boxes in model input pixels, after class-aware NMS, by falling score.
    virtual Result<std::vector<schema::Box>> detect(std::span<const std::uint8_t> tensor,
                                                    const Thresholds& thresholds) = 0;

    // A backend that sees only what changed is given, beside the tensor, that of another frame of the same
    // stream, so that it needs no memory and stays pure. In a batch: the frame before, for the first the one
    // after; a batch is a function of the file, so its boxes are, too. Live: the last frame of the camera
    // that this worker was given. Empty: there is none.
    virtual bool compares() const { return false; }
    virtual Result<std::vector<schema::Box>> detect_change(std::span<const std::uint8_t> tensor,
                                                           std::span<const std::uint8_t> /*other*/,
                                                           const Thresholds& thresholds) {
        return detect(tensor, thresholds);
    }
};

struct BackendPlugin {
    const char* name;
    const char* help;
    // True when this machine has what the backend needs (a library, say); otherwise `why` is a sentence.
    bool (*usable)(std::string& why);
    // Loads and warms up. The model file's checksum was verified by the caller.
    Result<std::unique_ptr<Backend>> (*open)(const model::Manifest& manifest, const std::string& model_file);
    // Version string that takes part in "the same bytes" (engine and build).
    std::string (*engine)();
};

std::span<const BackendPlugin* const> backend_table();
const BackendPlugin* find_backend(const std::string& name);  // null: not built in

// What every backend says to a tensor that is not its model's input.
Error wrong_size(const model::Manifest& manifest, std::size_t bytes);

}  // namespace sl::detect
