#include "common/files.hpp"
#include "common/media/colour.hpp"

namespace sl::media {

Result<void> write_png(const AVFrame& frame, const std::string& out_path) {
    quiet_libav();
    FramePtr rgb;
    const AVFrame* picture = &frame;
    if (frame.format != AV_PIX_FMT_RGB24) {
        const bool full = full_range(AVPixelFormat(frame.format), frame.color_range);
        auto scaler = open_scaler(frame.width, frame.height, AVPixelFormat(frame.format), full, frame.width,
                                  frame.height, AV_PIX_FMT_RGB24, true, frame.colorspace);
        if (!scaler) return scaler.error();
        rgb = new_frame();
        rgb->format = AV_PIX_FMT_RGB24;
        rgb->width = frame.width;
        rgb->height = frame.height;
        if (av_frame_get_buffer(rgb.get(), 0) < 0) throw std::bad_alloc();
        sws_scale(scaler->get(), frame.data, frame.linesize, 0, frame.height, rgb->data, rgb->linesize);
        picture = rgb.get();
    }

    const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    if (!codec) return Error{Errc::internal, "cannot write " + out_path + ": libav has no PNG encoder", ""};
    CodecContextPtr encoder(avcodec_alloc_context3(codec));
    encoder->width = picture->width;
    encoder->height = picture->height;
    encoder->pix_fmt = AV_PIX_FMT_RGB24;
    encoder->time_base = {1, 1};
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    auto packet = new_packet();
    int rc = avcodec_open2(encoder.get(), codec, nullptr);
    if (rc >= 0) rc = avcodec_send_frame(encoder.get(), picture);
    if (rc >= 0) rc = avcodec_receive_packet(encoder.get(), packet.get());
    if (rc < 0) return av_failure(Errc::internal, "encode the picture", out_path, rc);
    return files::write_durably(out_path,
                                {reinterpret_cast<const char*>(packet->data), std::size_t(packet->size)});
}

}  // namespace sl::media
