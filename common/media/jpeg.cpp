#include "common/media/jpeg.hpp"

#include <new>

#include "common/media/colour.hpp"

namespace sl::media {

Result<schema::Bytes> jpeg(const AVFrame& picture, int quality) {
    quiet_libav();
    // JPEG is full range. (A decoder takes limited range for full, and shows it pale.)
    const auto format = AVPixelFormat(picture.format);
    auto scaler = open_scaler(picture.width, picture.height, format, full_range(format, picture.color_range),
                              picture.width, picture.height, AV_PIX_FMT_YUVJ420P, true, AVCOL_SPC_SMPTE170M);
    if (!scaler) return scaler.error();
    auto full = new_frame();
    full->format = AV_PIX_FMT_YUVJ420P;
    full->width = picture.width;
    full->height = picture.height;
    if (av_frame_get_buffer(full.get(), 0) < 0) throw std::bad_alloc();
    sws_scale(scaler->get(), picture.data, picture.linesize, 0, picture.height, full->data, full->linesize);
    full->quality = quality * FF_QP2LAMBDA;

    const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!codec) return Error{Errc::internal, "cannot make a JPEG: libav has no encoder for it", ""};
    CodecContextPtr encoder(avcodec_alloc_context3(codec));
    encoder->width = full->width;
    encoder->height = full->height;
    encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
    encoder->time_base = {1, 1};
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->global_quality = full->quality;
    auto packet = new_packet();
    int rc = avcodec_open2(encoder.get(), codec, nullptr);
    if (rc >= 0) rc = avcodec_send_frame(encoder.get(), full.get());
    if (rc >= 0) rc = avcodec_receive_packet(encoder.get(), packet.get());
    if (rc < 0) return av_failure(Errc::internal, "encode", "a picture as JPEG", rc);
    return schema::Bytes(packet->data, packet->data + packet->size);
}

}  // namespace sl::media
