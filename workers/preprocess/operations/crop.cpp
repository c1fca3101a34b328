// Crop: detection sees one rectangle of the displayed frame, at the model's full resolution.
#include <algorithm>
#include <array>
#include <string>

#include "workers/preprocess/operation.hpp"

namespace sl::preprocess {
namespace {

constexpr std::array names = {"x", "y", "width", "height"};

Error wrong(const std::string& why) {
    return {Errc::invalid_argument, "operation crop " + why,
            "it wants x, y, width, height as fractions (0..1) of the displayed frame"};
}

Result<void> check(const schema::Operation& operation) {
    for (const auto& [name, value] : operation.args) {
        if (std::find(names.begin(), names.end(), name) == names.end())
            return wrong("has no argument '" + name + "'");
        if (!(value >= 0 && value <= 1)) return wrong("has " + name + "=" + std::to_string(value));
    }
    for (const char* name : names)
        if (!operation.args.contains(name)) return wrong(std::string("lacks '") + name + "'");
    const auto& a = operation.args;
    if (a.at("width") <= 0 || a.at("height") <= 0)
        return wrong("leaves nothing: width and height must be over 0");
    if (a.at("x") + a.at("width") > 1 + 1e-9) return wrong("leaves the frame: x + width is over 1");
    if (a.at("y") + a.at("height") > 1 + 1e-9) return wrong("leaves the frame: y + height is over 1");
    return {};
}

Rect apply(const schema::Operation& operation, const Rect& canvas, const Rect& seen) {
    const auto& a = operation.args;
    return intersect(seen, {canvas.x + a.at("x") * canvas.width, canvas.y + a.at("y") * canvas.height,
                            a.at("width") * canvas.width, a.at("height") * canvas.height});
}

}  // namespace

extern const OperationPlugin operation_crop{
    "crop", "detect in one rectangle only: x, y, width, height as fractions (0..1) of the displayed frame",
    check, apply};

}  // namespace sl::preprocess
