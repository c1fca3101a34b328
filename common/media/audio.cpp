#include "common/media/audio.hpp"

extern "C" {
#include <libavutil/audio_fifo.h>
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
}

#include <algorithm>
#include <cstdlib>

namespace sl::media {
namespace {

using ResamplerPtr = std::unique_ptr<SwrContext, Release<swr_free>>;

// The audio packets of a file, as they lie there.
class AudioReader {
public:
    static Result<AudioReader> open(const std::string& path) {
        AVFormatContext* raw = nullptr;
        int rc = avformat_open_input(&raw, path.c_str(), nullptr, nullptr);
        if (rc < 0) return av_failure(Errc::bad_media, "open the audio of", path, rc);
        InputPtr input(raw);
        rc = avformat_find_stream_info(raw, nullptr);
        if (rc < 0) return av_failure(Errc::bad_media, "find the audio of", path, rc);
        const int best = av_find_best_stream(raw, AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
        if (best < 0) return Error{Errc::not_found, "cannot use the audio of " + path + ": it has none", ""};
        for (int i = 0; i < int(raw->nb_streams); ++i)
            if (i != best) raw->streams[i]->discard = AVDISCARD_ALL;
        return AudioReader(std::move(input), raw->streams[best]);
    }
    AVStream& stream() const { return *stream_; }
    PacketPtr next() {
        auto packet = new_packet();
        for (;;) {
            const int rc = av_read_frame(input_.get(), packet.get());
            if (rc == AVERROR(EAGAIN)) continue;
            if (rc < 0) return nullptr;
            if (packet->stream_index == stream_->index) return packet;
            av_packet_unref(packet.get());
        }
    }

private:
    AudioReader(InputPtr input, AVStream* stream) : input_(std::move(input)), stream_(stream) {}
    InputPtr input_;
    AVStream* stream_;
};

class CopiedAudio final : public AudioTrack {
public:
    explicit CopiedAudio(AudioReader reader) : reader_(std::move(reader)) {}
    const char* how() const override { return "copy"; }
    const AVCodecParameters& parameters() const override { return *reader_.stream().codecpar; }
    AVRational time_base() const override { return reader_.stream().time_base; }
    std::int64_t start() const override { return reader_.stream().start_time; }
    Result<PacketPtr> next() override {
        for (;;) {
            auto packet = reader_.next();
            if (!packet) return packet;
            if (packet->dts == AV_NOPTS_VALUE) packet->dts = packet->pts;
            if (packet->pts == AV_NOPTS_VALUE) packet->pts = packet->dts;
            // The muxer refuses times that stand still or go back.
            if (packet->pts == AV_NOPTS_VALUE || packet->size == 0 || packet->dts <= last_dts_) continue;
            last_dts_ = packet->dts;
            return packet;
        }
    }

private:
    AudioReader reader_;
    std::int64_t last_dts_ = INT64_MIN;
};

// Decoded and encoded again; times count samples from the first one heard, gaps are filled with silence.
class EncodedAudio final : public AudioTrack {
public:
    explicit EncodedAudio(AudioReader reader) : reader_(std::move(reader)) {}
    ~EncodedAudio() override { av_audio_fifo_free(fifo_); }

    Result<void> open() {
        const auto& from = *reader_.stream().codecpar;
        const AVCodec* codec = avcodec_find_decoder(from.codec_id);
        if (!codec)
            return Error{Errc::bad_media,
                         std::string("cannot decode ") + avcodec_get_name(from.codec_id) +
                             " audio: libav has no decoder for it",
                         ""};
        decoder_.reset(avcodec_alloc_context3(codec));
        int rc = avcodec_parameters_to_context(decoder_.get(), &from);
        decoder_->pkt_timebase = reader_.stream().time_base;
        decoder_->thread_count = 1;
        decoder_->flags |= AV_CODEC_FLAG_BITEXACT;
        if (rc >= 0) rc = avcodec_open2(decoder_.get(), codec, nullptr);
        if (rc < 0) return av_failure(Errc::bad_media, "open the audio decoder for", codec->name, rc);

        const AVCodec* aac = avcodec_find_encoder_by_name("aac");
        if (!aac) return Error{Errc::internal, "cannot encode audio: libav has no AAC encoder", ""};
        encoder_.reset(avcodec_alloc_context3(aac));
        const int* rates = aac->supported_samplerates;
        const bool keeps = std::find(rates, std::find(rates, rates + 32, 0), from.sample_rate) !=
                           std::find(rates, rates + 32, 0);
        encoder_->sample_rate = keeps ? from.sample_rate : 48000;
        encoder_->time_base = {1, encoder_->sample_rate};
        encoder_->sample_fmt = AV_SAMPLE_FMT_FLTP;
        av_channel_layout_default(&encoder_->ch_layout, std::min(from.ch_layout.nb_channels, 2));
        encoder_->bit_rate = 64000 * encoder_->ch_layout.nb_channels;
        encoder_->thread_count = 1;
        encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
        rc = avcodec_open2(encoder_.get(), aac, nullptr);
        if (rc < 0) return av_failure(Errc::bad_media, "open the AAC encoder for", codec->name, rc);
        parameters_ = new_parameters();
        avcodec_parameters_from_context(parameters_.get(), encoder_.get());
        fifo_ =
            av_audio_fifo_alloc(encoder_->sample_fmt, encoder_->ch_layout.nb_channels, encoder_->frame_size);
        if (!fifo_) throw std::bad_alloc();
        return {};
    }

    const char* how() const override { return "aac"; }
    const AVCodecParameters& parameters() const override { return *parameters_; }
    AVRational time_base() const override { return encoder_->time_base; }
    std::int64_t start() const override {
        const auto& stream = reader_.stream();
        return stream.start_time == AV_NOPTS_VALUE
                   ? AV_NOPTS_VALUE
                   : av_rescale_q(stream.start_time, stream.time_base, time_base());
    }

    Result<PacketPtr> next() override {
        auto packet = new_packet();
        for (;;) {
            const int rc = avcodec_receive_packet(encoder_.get(), packet.get());
            if (rc == 0) return packet;
            if (rc == AVERROR_EOF) return PacketPtr{};
            if (rc != AVERROR(EAGAIN)) return av_failure(Errc::internal, "encode", "the audio", rc);
            if (auto fed = feed(); !fed) return fed.error();
        }
    }

private:
    // Gives the encoder one frame, or its end.
    Result<void> feed() {
        while (!ended_ && av_audio_fifo_size(fifo_) < encoder_->frame_size)
            if (auto decoded = decode(); !decoded) return decoded;
        const int n = std::min(av_audio_fifo_size(fifo_), encoder_->frame_size);
        FramePtr frame;
        if (n > 0) {
            frame = blank(n);
            av_audio_fifo_read(fifo_, reinterpret_cast<void**>(frame->data), n);
            frame->pts = encoded_;
            encoded_ += n;
        }
        const int rc = avcodec_send_frame(encoder_.get(), frame.get());
        if (rc < 0) return av_failure(Errc::internal, "encode", "the audio", rc);
        return {};
    }

    Result<void> decode() {
        const auto packet = reader_.next();
        avcodec_send_packet(decoder_.get(), packet.get());  // a damaged packet leaves a gap
        auto frame = new_frame();
        while (avcodec_receive_frame(decoder_.get(), frame.get()) == 0) {
            if (auto queued = queue(*frame); !queued) return queued;
            av_frame_unref(frame.get());
        }
        ended_ = !packet;
        return {};
    }

    Result<void> queue(const AVFrame& frame) {
        if (!resampler_) {
            AVChannelLayout from{};
            if (frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
                av_channel_layout_default(&from, frame.ch_layout.nb_channels);
            else
                av_channel_layout_copy(&from, &frame.ch_layout);
            SwrContext* raw = nullptr;
            int rc =
                swr_alloc_set_opts2(&raw, &encoder_->ch_layout, encoder_->sample_fmt, encoder_->sample_rate,
                                    &from, AVSampleFormat(frame.format), frame.sample_rate, 0, nullptr);
            av_channel_layout_uninit(&from);
            resampler_.reset(raw);
            if (rc >= 0) rc = swr_init(raw);
            if (rc < 0) return av_failure(Errc::bad_media, "resample", "the audio", rc);
            rate_ = frame.sample_rate;
            format_ = frame.format;
            channels_ = frame.ch_layout.nb_channels;
        } else if (frame.sample_rate != rate_ || frame.format != format_ ||
                   frame.ch_layout.nb_channels != channels_) {
            return Error{Errc::bad_media, "cannot encode the audio: its format changes half-way", ""};
        }
        if (frame.pts != AV_NOPTS_VALUE)
            fill_gap(av_rescale_q(frame.pts, reader_.stream().time_base, time_base()));

        const int room = swr_get_out_samples(resampler_.get(), frame.nb_samples);
        auto out = blank(std::max(room, 1));
        const int n = swr_convert(resampler_.get(), out->extended_data, room,
                                  const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
        if (n < 0) return av_failure(Errc::bad_media, "resample", "the audio", n);
        if (n > 0) av_audio_fifo_write(fifo_, reinterpret_cast<void**>(out->extended_data), n);
        queued_ += n;
        return {};
    }

    void fill_gap(std::int64_t pts) {
        if (!begun_) {
            begun_ = true;
            queued_ = encoded_ = pts;
        }
        const std::int64_t rate = encoder_->sample_rate, most = 600 * rate;  // a wild time is no gap
        std::int64_t gap = pts - queued_;
        if (gap < rate / 10 || gap > most) return;
        queued_ += gap;
        for (; gap > 0; gap -= rate) {
            const int n = int(std::min(gap, rate));
            auto silence = blank(n);
            av_samples_set_silence(silence->extended_data, 0, n, encoder_->ch_layout.nb_channels,
                                   encoder_->sample_fmt);
            av_audio_fifo_write(fifo_, reinterpret_cast<void**>(silence->extended_data), n);
        }
    }

    FramePtr blank(int samples) const {
        auto frame = new_frame();
        frame->nb_samples = samples;
        frame->format = encoder_->sample_fmt;
        frame->sample_rate = encoder_->sample_rate;
        av_channel_layout_copy(&frame->ch_layout, &encoder_->ch_layout);
        if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
        return frame;
    }

    AudioReader reader_;
    CodecContextPtr decoder_, encoder_;
    CodecParametersPtr parameters_;
    ResamplerPtr resampler_;
    AVAudioFifo* fifo_ = nullptr;
    int rate_ = 0, format_ = 0, channels_ = 0;
    std::int64_t queued_ = 0, encoded_ = 0;  // samples since the source's time 0
    bool begun_ = false, ended_ = false;
};

}  // namespace

bool mp4_holds(AVCodecID codec) {
    // libav lists these two, but its muxer takes them for experimental and refuses.
    if (codec == AV_CODEC_ID_FLAC || codec == AV_CODEC_ID_TRUEHD) return false;
    const AVOutputFormat* mp4 = av_guess_format("mp4", nullptr, nullptr);
    return avformat_query_codec(mp4, codec, FF_COMPLIANCE_NORMAL) == 1;
}

Result<std::unique_ptr<AudioTrack>> AudioTrack::open(const std::string& path) {
    auto reader = AudioReader::open(path);
    if (!reader) return reader.error();
    if (mp4_holds(reader->stream().codecpar->codec_id))
        return std::unique_ptr<AudioTrack>(new CopiedAudio(std::move(*reader)));
    auto encoded = std::make_unique<EncodedAudio>(std::move(*reader));
    if (auto opened = encoded->open(); !opened) return opened.error();
    return std::unique_ptr<AudioTrack>(std::move(encoded));
}

}  // namespace sl::media
