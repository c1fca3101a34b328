// Models and pictures for tests that look at real ones.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/model/manifest.hpp"
#include "schema/result.hpp"

struct AVFrame;

namespace sl::test {

// A file or folder of SIGHTLINE_TEST_DATA; not_found names it.
Result<std::string> test_data(const std::string& relative);
// The data for a test is not here, and nobody said by SIGHTLINE_REQUIRE_DATA=1 that it must be: skip.
bool may_skip(const Error& error);

struct TestModel {
    model::Manifest manifest;
    std::string file;
};
// A model of schema/models/ with its file, from SIGHTLINE_MODEL_PATH, the test data or .sightline/models.
Result<TestModel> test_model(const std::string& name);
Result<std::vector<model::Manifest>> test_manifests();

// The first picture of an image file, as its decoder gives it.
struct PictureDeleter {
    void operator()(AVFrame* frame) const;
};
using Picture = std::unique_ptr<AVFrame, PictureDeleter>;
Result<Picture> read_picture(const std::string& path);

}  // namespace sl::test
