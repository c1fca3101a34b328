// Owners of libav's objects, and its errors as ours. For the code of this folder and for picture sources.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/dict.h>
#include <libavutil/imgutils.h>
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

#include "common/media/media.hpp"

namespace sl::media {

// Deletes by a libav function that takes the address of the pointer.
template <auto release>
struct Release {
    template <typename T>
    void operator()(T* p) const {
        release(&p);
    }
};
using PacketPtr = std::unique_ptr<AVPacket, Release<av_packet_free>>;
using CodecParametersPtr = std::unique_ptr<AVCodecParameters, Release<avcodec_parameters_free>>;
using CodecContextPtr = std::unique_ptr<AVCodecContext, Release<avcodec_free_context>>;
using InputPtr = std::unique_ptr<AVFormatContext, Release<avformat_close_input>>;
using FilterPtr = std::unique_ptr<AVBSFContext, Release<av_bsf_free>>;

struct OutputDeleter {
    void operator()(AVFormatContext* output) const;
};
using OutputPtr = std::unique_ptr<AVFormatContext, OutputDeleter>;

struct ScalerDeleter {
    void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
using ScalerPtr = std::unique_ptr<SwsContext, ScalerDeleter>;

// An AVDictionary that frees what libav did not take.
struct Options {
    AVDictionary* dict = nullptr;
    Options() = default;
    ~Options() { av_dict_free(&dict); }
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;
    void set(const char* key, const std::string& value) { av_dict_set(&dict, key, value.c_str(), 0); }
    void set(const char* key, std::int64_t value) { av_dict_set_int(&dict, key, value, 0); }
};

// swscale is repeatable over CPU classes only with all of these; FAST_BILINEAR never is.
inline constexpr int exact_scaling = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT;

// New, empty; throw std::bad_alloc when memory is out.
PacketPtr new_packet();
FramePtr new_frame();
CodecParametersPtr new_parameters();
CodecParametersPtr copy_parameters(const AVCodecParameters& from);
FramePtr share(const AVFrame& frame);  // another reference to the same picture

// libav writes to stderr by itself; our errors say what matters. Called by every entry point.
void quiet_libav();

std::string av_text(int error);
// "cannot {what} {on}: {libav's words}".
Error av_failure(Errc code, const std::string& what, const std::string& on, int error,
                 const std::string& hint = "");

inline AVRational to_av(schema::Rational r) {
    return {r.num, r.den};
}
inline schema::Rational from_av(AVRational r) {
    return {r.num, r.den};
}
inline bool positive(AVRational r) {
    return r.num > 0 && r.den > 0;
}

}  // namespace sl::media
