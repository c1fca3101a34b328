#include "workers/detect/backend.hpp"

namespace sl::detect {

Error wrong_size(const model::Manifest& manifest, std::size_t bytes) {
    const auto& in = manifest.input;
    return Error{Errc::bad_message,
                 "cannot detect with " + manifest.name + " in a tensor of " + std::to_string(bytes) +
                     " bytes: it wants 3x" + std::to_string(in.height) + "x" + std::to_string(in.width),
                 "the batch was made for another pool"};
}

const BackendPlugin* find_backend(const std::string& name) {
    for (const auto* row : backend_table())
        if (name == row->name) return row;
    return nullptr;
}

}  // namespace sl::detect
