#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/files.hpp"
#include "common/model/manifest.hpp"
#include "tests/support/models.hpp"

namespace sl::model {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class ModelManifest : public testing::Test {
protected:
    ModelManifest() { fs::create_directories(folder_ + "/a"); }
    ~ModelManifest() override { fs::remove_all(folder_); }

    std::string write(const std::string& text) {
        const auto path = folder_ + "/model.yaml";
        std::ofstream(path) << text;
        return path;
    }
    const std::string folder_ = testing::TempDir() + "model_manifest_" + std::to_string(::getpid());
    const std::string good_ =
        "name: tiny\nversion: \"2\"\nlicence: MIT\nsource: us\nbackend: onnxruntime\nfile: "
        "tiny.onnx\nsha256: " +
        files::sha256(std::string_view("weights")) +
        "\nurls: [http://example.org/tiny.onnx]\ninput:\n  width: 64\n  height: 32\n  color: rgb\n"
        "  letterbox: center\n  pad: 3\n  scale: [2, 3, 4]\ndecoding: yolox\nclasses: [cat, dog]\n";

    void expect_refused(const std::string& from, const std::string& to, const std::string& line,
                        const std::string& why) {
        auto text = good_;
        text.replace(text.find(from), from.size(), to);
        const auto manifest = load_manifest(write(text));
        ASSERT_FALSE(manifest) << to;
        EXPECT_EQ(manifest.error().code, Errc::invalid_argument);
        EXPECT_THAT(manifest.error().message, HasSubstr("model.yaml:" + line + ": "));
        EXPECT_THAT(manifest.error().message, HasSubstr(why));
    }
};

TEST_F(ModelManifest, ReadsEveryKey) {
    const auto m = load_manifest(write(good_));
    ASSERT_TRUE(m) << m.error().text();
    EXPECT_EQ(m->pool(), "detect/tiny@2");
    EXPECT_EQ(m->input.name, "detect/tiny@2");
    EXPECT_EQ(m->licence, "MIT");
    EXPECT_EQ(m->file, "tiny.onnx");
    EXPECT_THAT(m->urls, testing::ElementsAre("http://example.org/tiny.onnx"));
    EXPECT_EQ(m->input.width, 64);
    EXPECT_EQ(m->input.height, 32);
    EXPECT_EQ(m->input.color, "rgb");
    EXPECT_EQ(m->input.letterbox, "center");
    EXPECT_EQ(m->input.pad, 3);
    EXPECT_THAT(m->mean, testing::ElementsAre(0, 0, 0));
    EXPECT_THAT(m->scale, testing::ElementsAre(2, 3, 4));
    EXPECT_EQ(m->decoding, "yolox");
    EXPECT_THAT(m->input.classes, testing::ElementsAre("cat", "dog"));
}

TEST_F(ModelManifest, NamesTheLineOfWhatIsWrong) {
    expect_refused("licence: MIT\n", "", "1", "'licence' is missing");
    expect_refused("licence", "license", "3", "unknown key 'license'");
    expect_refused("width: 64", "width: 0", "10", "'width' must lie in 1..8192");
    expect_refused("width: 64", "width: wide", "10", "'width' has a value of the wrong kind");
    expect_refused("color: rgb", "color: grey", "12", "not one of bgr, rgb");
    expect_refused("[2, 3, 4]", "[2, 3]", "15", "'scale' wants three numbers");
    expect_refused("yolox", "yolo3", "16", "not one of yolox, yolov8, none");
    expect_refused("[cat, dog]", "[]", "17", "'classes' is empty");
    expect_refused("tiny.onnx\nsha", "../tiny.onnx\nsha", "6", "without folders");
    expect_refused("name: tiny", "name: [tiny", "2", "end of sequence");  // no YAML at all
}

TEST_F(ModelManifest, OfTheTreeAreSoundAndFoundByEveryName) {
    const auto all = test::test_manifests();
    ASSERT_TRUE(all) << all.error().text();
    std::vector<std::string> names;
    for (const auto& m : *all) names.push_back(m.name);
    EXPECT_THAT(names, testing::IsSupersetOf({"hog_people", "yolov8n", "yolox_nano"}));
    for (const char* name : {"yolox_nano", "yolox_nano@1", "detect/yolox_nano@1"}) {
        const auto m = find_manifest(*all, name);
        ASSERT_TRUE(m) << name;
        EXPECT_EQ(m->name, "yolox_nano");
        EXPECT_EQ(m->input.classes.size(), 80u);
        EXPECT_EQ(m->input.classes[79], "toothbrush");
    }
    const auto none = find_manifest(*all, "yolox_nano@2");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::not_found);
    EXPECT_THAT(none.error().hint, HasSubstr("yolox_nano@1"));
}

TEST_F(ModelManifest, TwoOfOneNameAndVersionAreRefused) {
    write(good_);
    fs::copy_file(folder_ + "/model.yaml", folder_ + "/again.yaml");
    const auto all = load_manifests(folder_);
    ASSERT_FALSE(all);
    EXPECT_EQ(all.error().code, Errc::conflict);
    EXPECT_FALSE(load_manifests(folder_ + "/nowhere"));
}

TEST_F(ModelManifest, FindsTheFileWithTheRightSum) {
    const auto m = load_manifest(write(good_));
    ASSERT_TRUE(m);
    const auto none = find_model_file(*m, {folder_, folder_ + "/a"});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::not_found);
    EXPECT_THAT(none.error().message, HasSubstr(folder_ + ", " + folder_ + "/a"));
    EXPECT_THAT(none.error().hint, HasSubstr("http://example.org/tiny.onnx"));

    std::ofstream(folder_ + "/tiny.onnx") << "others";
    const auto wrong = find_model_file(*m, {folder_, folder_ + "/a"});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::invalid_argument);
    EXPECT_THAT(wrong.error().message, HasSubstr(m->sha256));
    EXPECT_THAT(wrong.error().message, HasSubstr(files::sha256(std::string_view("others"))));

    std::ofstream(folder_ + "/a/tiny.onnx") << "weights";
    const auto found = find_model_file(*m, {folder_, folder_ + "/a"});
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(*found, folder_ + "/a/tiny.onnx");
}

TEST_F(ModelManifest, AModelWithoutWeightsNeedsNoFile) {
    auto m = load_manifest(write(good_));
    ASSERT_TRUE(m);
    m->file.clear();
    const auto found = find_model_file(*m, {});
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, "");
}

}  // namespace
}  // namespace sl::model
