#include "common/media/decoder.hpp"

#include <cstring>

namespace sl::media {
namespace {

int cleared_buffer(AVCodecContext* context, AVFrame* frame, int flags) {
    const int rc = avcodec_default_get_buffer2(context, frame, flags);
    if (rc < 0) return rc;
    for (const AVBufferRef* buffer : frame->buf)
        if (buffer) std::memset(buffer->data, 0, buffer->size);
    return rc;
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::open(const AVCodecParameters& codec, AVRational time_base,
                                               AVRational frame_rate, bool strict) {
    quiet_libav();
    const std::string name = avcodec_get_name(codec.codec_id);
    const AVCodec* found = avcodec_find_decoder(codec.codec_id);
    if (!found)
        return Error{Errc::bad_media, "cannot decode " + name + ": this libav has no decoder for it",
                     "convert the input to H.264 first"};
    CodecContextPtr context(avcodec_alloc_context3(found));
    if (!context) throw std::bad_alloc();
    if (const int rc = avcodec_parameters_to_context(context.get(), &codec); rc < 0)
        return av_failure(Errc::bad_media, "set up the decoder for", name, rc);
    context->pkt_timebase = time_base;
    context->framerate = frame_rate;
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_BITEXACT;
    context->get_buffer2 = cleared_buffer;
    // H.264 holds back pictures before the first clean one, and when it drains (libav 5.1) also clean ones
    // that were decoded before that one was shown: a last chunk of 5 frames lost one. So ask for all, and
    // drop those marked corrupt.
    if (codec.codec_id == AV_CODEC_ID_H264) context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    if (strict) context->err_recognition |= AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    Options options;
    if (std::strcmp(found->name, "libdav1d") == 0) {
        options.set("framethreads", 1);
        options.set("tilethreads", 1);
    }
    if (const int rc = avcodec_open2(context.get(), found, &options.dict); rc < 0)
        return av_failure(Errc::bad_media, "open the decoder for", name, rc);
    return std::unique_ptr<Decoder>(new Decoder(std::move(context)));
}

bool Decoder::send(const AVPacket* packet, const std::function<bool(AVFrame&)>& each) {
    const int sent = avcodec_send_packet(context_.get(), packet);
    if (sent < 0 && sent != AVERROR_EOF) ++errors_;
    for (;;) {
        const int rc = avcodec_receive_frame(context_.get(), frame_.get());
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return true;
        if (rc < 0) {
            ++errors_;
            if (!packet) continue;  // draining: later frames may still be good
            return true;
        }
        const bool unclean =
            context_->codec_id == AV_CODEC_ID_H264 && (frame_->flags & AV_FRAME_FLAG_CORRUPT);
        const bool more = unclean || each(*frame_);
        av_frame_unref(frame_.get());
        if (!more) return false;
    }
}

}  // namespace sl::media
