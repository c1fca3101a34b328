#include "common/media/libav.hpp"

#include <new>

#include "common/files.hpp"

namespace sl::media {
namespace {

template <typename T>
T* must(T* p) {
    if (!p) throw std::bad_alloc();
    return p;
}

}  // namespace

void FrameDeleter::operator()(AVFrame* frame) const {
    av_frame_free(&frame);
}

void OutputDeleter::operator()(AVFormatContext* output) const {
    avio_closep(&output->pb);
    avformat_free_context(output);
}

PacketPtr new_packet() {
    return PacketPtr(must(av_packet_alloc()));
}
FramePtr new_frame() {
    return FramePtr(must(av_frame_alloc()));
}
CodecParametersPtr new_parameters() {
    return CodecParametersPtr(must(avcodec_parameters_alloc()));
}

CodecParametersPtr copy_parameters(const AVCodecParameters& from) {
    auto copy = new_parameters();
    if (avcodec_parameters_copy(copy.get(), &from) < 0) throw std::bad_alloc();
    return copy;
}

FramePtr share(const AVFrame& frame) {
    auto copy = new_frame();
    if (av_frame_ref(copy.get(), &frame) < 0) throw std::bad_alloc();
    return copy;
}

void quiet_libav() {
    static const bool once = (av_log_set_level(AV_LOG_FATAL), true);
    static_cast<void>(once);
}

std::string av_text(int error) {
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(error, text, sizeof text);
    return text;
}

Error av_failure(Errc code, const std::string& what, const std::string& on, int error,
                 const std::string& hint) {
    if (error == AVERROR(ENOSPC) || error == AVERROR(EDQUOT)) {  // whatever was being done
        code = files::code_of(AVUNERROR(error));
        return Error{code, "cannot " + what + " " + on + ": " + av_text(error),
                     files::hint_of(AVUNERROR(error))};
    }
    return Error{code, "cannot " + what + " " + on + ": " + av_text(error), hint};
}

}  // namespace sl::media
