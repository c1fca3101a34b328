#include "tests/support/models.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace sl::test {
namespace {

std::string env(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

struct InputDeleter {
    void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
};
struct CodecDeleter {
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
};
struct PacketDeleter {
    void operator()(AVPacket* p) const { av_packet_free(&p); }
};

}  // namespace

Result<std::string> test_data(const std::string& relative) {
    const auto path = env("SIGHTLINE_TEST_DATA") + "/" + relative;
    if (std::filesystem::exists(path)) return path;
    return Error{Errc::not_found, "no test data " + path,
                 "set SIGHTLINE_TEST_DATA to the folder of the test data"};
}

bool may_skip(const Error& error) {
    return error.code == Errc::not_found && env("SIGHTLINE_REQUIRE_DATA") != "1";
}

Result<std::vector<model::Manifest>> test_manifests() {
    auto manifests = model::load_manifests(env("SIGHTLINE_SOURCE_DIR") + "/schema/models");
    if (!manifests)
        manifests.error().code = Errc::internal;  // part of the tree: its absence is no reason to skip
    return manifests;
}

Result<TestModel> test_model(const std::string& name) {
    const auto manifests = test_manifests();
    if (!manifests) return manifests.error();
    auto manifest = model::find_manifest(*manifests, name);
    if (!manifest) return manifest.error();
    std::vector<std::string> folders;
    std::istringstream given(env("SIGHTLINE_MODEL_PATH"));
    for (std::string folder; std::getline(given, folder, ':');) folders.push_back(folder);
    folders.push_back(env("SIGHTLINE_TEST_DATA") + "/models");
    folders.push_back(env("SIGHTLINE_SOURCE_DIR") + "/.sightline/models");
    auto file = model::find_model_file(*manifest, folders);
    if (!file) return file.error();
    return TestModel{std::move(*manifest), std::move(*file)};
}

void PictureDeleter::operator()(AVFrame* frame) const {
    av_frame_free(&frame);
}

Result<Picture> read_picture(const std::string& path) {
    const auto failed = [&](const char* what) {
        return Error{Errc::bad_media, std::string(what) + " " + path, ""};
    };
    AVFormatContext* opened = nullptr;
    if (avformat_open_input(&opened, path.c_str(), nullptr, nullptr) < 0) return failed("cannot open");
    const std::unique_ptr<AVFormatContext, InputDeleter> input(opened);
    const AVCodecParameters* parameters = input->streams[0]->codecpar;
    const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
    const std::unique_ptr<AVCodecContext, CodecDeleter> decoder(avcodec_alloc_context3(codec));
    if (!codec || avcodec_parameters_to_context(decoder.get(), parameters) < 0)
        return failed("no decoder for");
    decoder->thread_count = 1;
    if (avcodec_open2(decoder.get(), codec, nullptr) < 0) return failed("cannot decode");
    const std::unique_ptr<AVPacket, PacketDeleter> packet(av_packet_alloc());
    Picture frame(av_frame_alloc());
    if (av_read_frame(input.get(), packet.get()) < 0 ||
        avcodec_send_packet(decoder.get(), packet.get()) < 0 ||
        avcodec_send_packet(decoder.get(), nullptr) < 0 ||
        avcodec_receive_frame(decoder.get(), frame.get()) < 0)
        return failed("cannot decode");
    return frame;
}

}  // namespace sl::test
