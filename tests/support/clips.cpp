#include "tests/support/clips.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "common/files.hpp"
#include "common/media/libav.hpp"

namespace sl::test {
namespace fs = std::filesystem;
namespace {

class Scratch {
public:
    Scratch() {
        std::string form = (fs::temp_directory_path() / "sightline-media-XXXXXX").string();
        if (!::mkdtemp(form.data())) throw std::runtime_error("cannot make a folder like " + form);
        path_ = form;
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

const std::string ffmpeg = "ffmpeg -hide_banner -loglevel error -nostdin -y ";
// Moving, with detail; 5 s at 25 fps.
const std::string picture = "-f lavfi -i testsrc2=size=192x144:rate=25:duration=5 ";
const std::string sound = "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=5 ";
const std::string x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1 -g 25 ";
const std::string out = "\"$OUT\"";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::vector<Clip> make_list() {
    const std::string b_frames = "-c:v libx264 -preset veryfast -bf 3 -g 25 -pix_fmt yuv420p -threads 1 ";
    const std::string open_gop = b_frames + "-x264-params open-gop=1:keyint=15:min-keyint=15:scenecut=0 ";
    const std::string make = ffmpeg + picture;
    const std::string with_sound = ffmpeg + picture + sound + x264;
    std::vector<Clip> list = {
        {.name = "plain.mp4", .command = make + x264 + out},
        {.name = "vfr.mp4",
         .command = make + "-vf \"select='lt(n,40)+not(mod(n,7))'\" -fps_mode vfr " + b_frames + out},
        {.name = "vfr.mkv",
         .command = make + "-vf \"select='lt(n,40)+not(mod(n,7))'\" -fps_mode vfr " + x264 + "-g 8 " + out},
        {.name = "bframes.mp4", .command = make + b_frames + out},
        {.name = "one_key.mp4",
         .command = make + x264 + "-g 999 -keyint_min 999 -sc_threshold 0 " + out,
         .recut = "keyframes rarer"},
        {.name = "open_gop.mp4", .command = make + open_gop + out},
        {.name = "open_gop.ts", .command = make + open_gop + out},
        {.name = "open_gop.mkv", .command = make + open_gop + out},
        {.name = "open_gop_265.mp4",
         .command = make +
                    "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params "
                    "open-gop=1:keyint=25:bframes=3:log-level=none:pools=none:frame-threads=1 " +
                    out},
        {.name = "intra_refresh.mp4",
         .command = make + x264 + "-x264-params intra-refresh=1:keyint=20 " + out,
         .recut = "keyframes rarer"},
        {.name = "sound.ts", .command = with_sound + "-c:a aac " + out, .audio = "copy"},
        {.name = "sound.mp4", .command = with_sound + "-c:a aac " + out, .audio = "copy"},
        {.name = "pcm.avi", .command = with_sound + "-bf 0 -c:a pcm_s16le " + out, .audio = "aac"},
        {.name = "pcm.mkv", .command = with_sound + "-c:a pcm_s16le -ac 2 -ar 22050 " + out, .audio = "aac"},
        {.name = "one_frame.mp4", .command = make + b_frames + "-frames:v 1 " + out},
        {.name = "odd.webm",
         .command = ffmpeg +
                    "-f lavfi -i testsrc=size=161x121:rate=25:duration=3 -c:v libvpx-vp9 -deadline realtime "
                    "-cpu-used 8 -g 25 -pix_fmt yuv420p " +
                    out},
        {.name = "odd_444.mp4",
         .command =
             ffmpeg +
             "-f lavfi -i testsrc=size=161x121:rate=25:duration=3 -c:v libx264 -preset ultrafast -g 25 "
             "-pix_fmt yuv444p " +
             out},
        {.name = "odd_lossless.mkv",
         .command = ffmpeg +
                    "-f lavfi -i testsrc=size=161x121:rate=25:duration=5 -c:v libvpx-vp9 -deadline realtime "
                    "-cpu-used 8 -g 999 -pix_fmt yuv420p " +
                    out,
         .recut = "keyframes rarer"},
        {.name = "late_start.mkv",
         .command = with_sound + "-c:a aac -output_ts_offset 5.3 " + out,
         .audio = "copy"},
        {.name = "ten_bit.mp4", .command = make + x264 + "-pix_fmt yuv420p10le " + out},
        {.name = "ten_bit_one_key.mp4",
         .command = make + x264 + "-pix_fmt yuv420p10le -g 999 -sc_threshold 0 " + out,
         .recut = "keyframes rarer"},
        {.name = "wide_chroma.mp4", .command = make + x264 + "-pix_fmt yuv422p " + out},
        {.name = "asp_bframes.avi",
         .command = make + "-c:v mpeg4 -bf 2 -g 15 -q:v 4 " + out,
         .times_lie = true,
         .recut = "without timestamps"},
        {.name = "bframes.avi",
         .command = make + b_frames + out,
         .times_lie = true,
         .recut = "without timestamps"},
        {.name = "raw.h264",
         .command = make + b_frames + out,
         .times_lie = true,
         .recut = "without timestamps"},
        {.name = "pts_are_dts.mp4",
         .command =
             ffmpeg + picture + "-c:v mpeg4 -bf 2 -g 15 -q:v 4 \"$OUT.avi\" && " + ffmpeg +
             "-fflags +genpts+igndts -i \"$OUT.avi\" -c copy -bsf:v setts=pts=N:dts=N:time_base=1/25 " + out,
         .times_lie = true,
         .recut = "pts equal dts"},
        {.name = "mpeg2.mpg", .command = make + "-c:v mpeg2video -bf 2 -g 15 -q:v 4 " + out},
        {.name = "ntsc.avi",
         .command = ffmpeg +
                    "-f lavfi -i testsrc2=size=192x144:rate=30000/1001:duration=4 -c:v mjpeg -q:v 5 -pix_fmt "
                    "yuvj420p " +
                    out},
        {.name = "interlaced.mp4", .command = make + x264 + "-flags +ildct+ilme -x264-params tff=1 " + out},
        {.name = "palette.gif",
         .command = ffmpeg + "-f lavfi -i testsrc=size=96x72:rate=10:duration=3 " + out},
        {.name = "full_range.mp4",
         .command = make + x264 + "-vf scale=out_range=full -color_range pc " + out},
        {.name = "new_size.ts",
         .command = ffmpeg + "-f lavfi -i testsrc2=size=192x144:rate=25:duration=3 " + x264 +
                    "\"$OUT.a.ts\" && " + ffmpeg + "-f lavfi -i testsrc2=size=160x96:rate=25:duration=3 " +
                    x264 + "-output_ts_offset 3 \"$OUT.b.ts\" && " + "cat \"$OUT.a.ts\" \"$OUT.b.ts\" > " +
                    out},
        {.name = "clock_set_back.ts",
         .command = ffmpeg + "-f lavfi -i testsrc2=size=192x144:rate=25:duration=4 " + x264 +
                    "\"$OUT.a.ts\" && " + "cat \"$OUT.a.ts\" \"$OUT.a.ts\" > " + out,
         .times_lie = true,
         .recut = "timestamps"},
        {.name = "damaged.ts",
         .command = make + b_frames + out +
                    " && python3 -c \"import sys;p=sys.argv[1];b=bytearray(open(p,'rb').read());"
                    "[b.__setitem__(i,b[i]^0x55) for i in "
                    "range(len(b)//3,2*len(b)//3,5003)];open(p,'wb').write(b)\" " +
                    out,
         .damaged = true},
        {.name = "truncated.mp4",
         .command = make + b_frames + "-movflags +faststart " + out + " && truncate -s '<'$(( $(stat -c %s " +
                    out + ") * 6 / 10 )) " + out,
         .damaged = true},
        {.name = "truncated.mkv",
         .command = make + x264 + out + " && truncate -s '<'$(( $(stat -c %s " + out + ") * 6 / 10 )) " + out,
         .damaged = true},
        {.name = "truncated.avi",
         .command = make + x264 + out + " && truncate -s '<'$(( $(stat -c %s " + out + ") * 6 / 10 )) " + out,
         .damaged = true},
        {.name = "truncated.ts",
         .command = make + b_frames + out + " && truncate -s '<'$(( $(stat -c %s " + out +
                    ") * 6 / 10 + 1 )) " + out,
         .damaged = true},
        {.name = "edit_list.mp4",
         .command =
             make + x264 + "\"$OUT.full.mp4\" && " + ffmpeg + "-ss 1.3 -i \"$OUT.full.mp4\" -c copy " + out},
        {.name = "turned_90.mp4",
         .command = make + x264 + "\"$OUT.0.mp4\" && " + ffmpeg +
                    "-i \"$OUT.0.mp4\" -c copy -metadata:s:v:0 rotate=90 " + out},
        {.name = "turned_180.mp4",
         .command = make + x264 + "\"$OUT.0.mp4\" && " + ffmpeg +
                    "-i \"$OUT.0.mp4\" -c copy -metadata:s:v:0 rotate=180 " + out},
        {.name = "turned_270.mp4",
         .command = make + x264 + "\"$OUT.0.mp4\" && " + ffmpeg +
                    "-i \"$OUT.0.mp4\" -c copy -metadata:s:v:0 rotate=270 " + out},
        {.name = "turned_270_odd.mp4",
         .command = ffmpeg +
                    "-f lavfi -i testsrc=size=161x120:rate=25:duration=1 -c:v libx264 -preset ultrafast "
                    "-pix_fmt yuv444p \"$OUT.0.mp4\" && " +
                    ffmpeg + "-i \"$OUT.0.mp4\" -c copy -metadata:s:v:0 rotate=270 " + out},
        {.name = "vtest.avi"},
        {.name = "one-by-one-person-detection.mp4"},
        {.name = "person-bicycle-car-detection.mp4", .audio = "copy"},
    };
    return list;
}

}  // namespace

const std::string& scratch() {
    static const Scratch folder;
    return folder.path();
}

const std::vector<Clip>& clips() {
    static const std::vector<Clip> list = make_list();
    return list;
}

const Clip& clip(const std::string& name) {
    for (const auto& c : clips())
        if (c.name == name) return c;
    throw std::invalid_argument("no clip is called " + name);
}

std::string path(const Clip& clip, std::string& why) {
    if (clip.command.empty()) {
        const bool vtest = clip.name == "vtest.avi";
        const std::string variable = vtest ? "SIGHTLINE_VTEST" : "SIGHTLINE_TEST_DATA";
        const std::string named = environment(variable.c_str());
        const std::string file = vtest ? named : named + "/videos/" + clip.name;
        if (!named.empty() && fs::exists(file)) return file;
        why =
            clip.name + " is not here: " + variable + (named.empty() ? " is not set" : " names no such file");
        return "";
    }
    const std::string file = scratch() + "/" + clip.name;
    if (fs::exists(file)) return file;
    std::string said;
    if (shell("OUT='" + file + "'; " + clip.command, &said) != 0) {
        fs::remove(file);
        throw std::runtime_error("cannot make " + clip.name + ": " + said);
    }
    return file;
}

int shell(const std::string& command, std::string* output) {
    FILE* pipe = ::popen(("{ " + command + " ; } 2>&1").c_str(), "r");
    if (!pipe) throw std::runtime_error("cannot run a shell");
    std::string said;
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe)) said.append(buffer.data(), n);
    const int status = ::pclose(pipe);
    if (output) *output = said;
    return status;
}

std::string pixel_hash(const AVFrame& frame) {
    const auto format = AVPixelFormat(frame.format);
    const int size = av_image_get_buffer_size(format, frame.width, frame.height, 1);
    std::vector<std::uint8_t> pixels(std::size_t(std::max(size, 0)));
    av_image_copy_to_buffer(pixels.data(), size, frame.data, frame.linesize, format, frame.width,
                            frame.height, 1);
    return files::sha256(pixels).substr(0, 16);
}

TimeBase decode_sequentially(const std::string& path, const std::function<void(const AVFrame&)>& each) {
    media::quiet_libav();
    AVFormatContext* raw = nullptr;
    if (avformat_open_input(&raw, path.c_str(), nullptr, nullptr) < 0)
        throw std::runtime_error("cannot open " + path);
    const media::InputPtr input(raw);
    avformat_find_stream_info(raw, nullptr);
    const AVCodec* codec = nullptr;
    const int index = av_find_best_stream(raw, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    const AVStream& stream = *raw->streams[index];
    const media::CodecContextPtr decoder(avcodec_alloc_context3(codec));
    avcodec_parameters_to_context(decoder.get(), stream.codecpar);
    decoder->pkt_timebase = stream.time_base;
    decoder->thread_count = 1;
    decoder->flags |= AV_CODEC_FLAG_BITEXACT;
    avcodec_open2(decoder.get(), codec, nullptr);
    const auto packet = media::new_packet();
    const auto frame = media::new_frame();
    for (bool more = true; more;) {
        more = av_read_frame(raw, packet.get()) >= 0;
        if (more && packet->stream_index != index) {
            av_packet_unref(packet.get());
            continue;
        }
        avcodec_send_packet(decoder.get(), more ? packet.get() : nullptr);
        av_packet_unref(packet.get());
        while (avcodec_receive_frame(decoder.get(), frame.get()) == 0) each(*frame);
    }
    return {stream.time_base.num, stream.time_base.den};
}

std::vector<Shown> decode_sequentially(const std::string& path, TimeBase* time_base) {
    std::vector<Shown> shown;
    const auto tb = decode_sequentially(path, [&](const AVFrame& frame) {
        shown.push_back({frame.pts, pixel_hash(frame)});
    });
    if (time_base) *time_base = tb;
    return shown;
}

}  // namespace sl::test
