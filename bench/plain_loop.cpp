// The rival of bench/annotate: a video annotated by one plain program, written the way a competent user would
// with the same libraries. libav decodes, swscale makes BGR, OpenCV letterboxes, ONNX Runtime detects on
// every frame, OpenCV suppresses, draws and makes I420, x264 encodes, libav writes the MP4. Nothing of
// Sightline.
//
//   --threads 1   one loop, frame by frame
//   --threads 2   the detector on a thread of its own, everything else on the other, eight frames in flight
//   --library-threads N   what the libraries may start: ONNX Runtime's intra-op, decoder and encoder threads
//
// Encoder settings are those of Sightline's segments (preset, crf, a keyframe every two seconds, no
// B-frames), so that neither side wins by encoding less. Prints one line of JSON: frames, boxes, and where
// the CPU went.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

namespace {

struct Options {
    std::string input, output, model, labels, preset = "veryfast";
    int crf = 23, threads = 1, library_threads = 1;
    float confidence = 0.3f, nms = 0.45f;
};

int check(int rc, const std::string& what) {
    if (rc >= 0) return rc;
    std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
    av_strerror(rc, text.data(), text.size());
    throw std::runtime_error("cannot " + what + ": " + text.data());
}

template <typename T>
T* need(T* pointer, const std::string& what) {
    if (!pointer) throw std::runtime_error("cannot " + what);
    return pointer;
}

struct Free {
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using Frame = std::unique_ptr<AVFrame, Free>;
using Packet = std::unique_ptr<AVPacket, Free>;
using Codec = std::unique_ptr<AVCodecContext, Free>;
using Scaler = std::unique_ptr<SwsContext, Free>;

// CPU seconds of this thread by step; each thread has its own and they are added at the end.
class Stages {
public:
    class Timer {
    public:
        Timer(Stages& stages, const char* name) : to_(stages.seconds_[name]), start_(now()) {}
        ~Timer() { to_ += now() - start_; }
        Timer(const Timer&) = delete;
        Timer& operator=(const Timer&) = delete;

    private:
        static double now() {
            timespec t{};
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
            return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
        }
        double& to_;
        const double start_;
    };
    Timer time(const char* name) { return {*this, name}; }
    void add(const Stages& other) {
        for (const auto& [name, s] : other.seconds_) seconds_[name] += s;
    }
    const std::map<std::string, double>& seconds() const { return seconds_; }

private:
    std::map<std::string, double> seconds_;
};

struct Picture {
    cv::Mat bgr;
    std::int64_t pts = 0;
};

class Input {
public:
    Input(const std::string& path, int threads) {
        check(avformat_open_input(&format_, path.c_str(), nullptr, nullptr), "open " + path);
        check(avformat_find_stream_info(format_, nullptr), "read " + path);
        const AVCodec* codec = nullptr;
        index_ = check(av_find_best_stream(format_, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0),
                       "find a video in " + path);
        codec_.reset(need(avcodec_alloc_context3(codec), "make a decoder"));
        check(avcodec_parameters_to_context(codec_.get(), stream().codecpar), "set up the decoder");
        codec_->pkt_timebase = stream().time_base;
        codec_->thread_count = threads;
        check(avcodec_open2(codec_.get(), codec, nullptr), "open the decoder");
    }
    ~Input() { avformat_close_input(&format_); }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

    const AVStream& stream() const { return *format_->streams[index_]; }
    AVRational rate() const { return av_guess_frame_rate(format_, format_->streams[index_], nullptr); }

    std::optional<Picture> next(Stages& stages) {
        {
            const auto timer = stages.time("decode");
            if (!decode()) return std::nullopt;
        }
        const auto timer = stages.time("to BGR");
        scaler_.reset(need(sws_getCachedContext(scaler_.release(), frame_->width, frame_->height,
                                                AVPixelFormat(frame_->format), frame_->width, frame_->height,
                                                AV_PIX_FMT_BGR24, SWS_BILINEAR, nullptr, nullptr, nullptr),
                           "convert to BGR"));
        Picture out{cv::Mat(frame_->height, frame_->width, CV_8UC3), frame_->best_effort_timestamp};
        std::uint8_t* const planes[] = {out.bgr.data, nullptr, nullptr, nullptr};
        const int strides[] = {int(out.bgr.step), 0, 0, 0};
        sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, frame_->height, planes, strides);
        return out;
    }

private:
    bool decode() {
        for (;;) {
            const int rc = avcodec_receive_frame(codec_.get(), frame_.get());
            if (rc >= 0) return true;
            if (rc == AVERROR_EOF) return false;
            if (rc != AVERROR(EAGAIN)) check(rc, "decode");
            av_packet_unref(packet_.get());
            if (av_read_frame(format_, packet_.get()) < 0) {
                check(avcodec_send_packet(codec_.get(), nullptr), "drain the decoder");
            } else if (packet_->stream_index == index_) {
                check(avcodec_send_packet(codec_.get(), packet_.get()), "decode");
            }
        }
    }

    AVFormatContext* format_ = nullptr;
    int index_ = 0;
    Codec codec_;
    Frame frame_{av_frame_alloc()};
    Packet packet_{av_packet_alloc()};
    Scaler scaler_;
};

struct Found {
    cv::Rect2d box;
    float score = 0;
    int class_id = 0;
};

// YOLOX: input BGR 0…255, top-left letterbox padded with 114; output one row a cell, strides 8, 16, 32.
class Detector {
public:
    explicit Detector(const Options& options)
        : options_(options), session_(env_, options.model.c_str(), settings()) {
        const auto shape = session_.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
        if (shape.size() != 4 || shape[2] <= 0 || shape[3] <= 0)
            throw std::runtime_error(options.model + " has no fixed input size");
        height_ = int(shape[2]);
        width_ = int(shape[3]);
        Ort::AllocatorWithDefaultOptions allocator;
        in_ = session_.GetInputNameAllocated(0, allocator).get();
        out_ = session_.GetOutputNameAllocated(0, allocator).get();
    }

    std::vector<Found> detect(const cv::Mat& bgr, Stages& stages) {
        double scale = 0;
        cv::Mat blob;
        {
            const auto timer = stages.time("letterbox");
            scale = std::min(double(width_) / bgr.cols, double(height_) / bgr.rows);
            const cv::Size size(int(bgr.cols * scale), int(bgr.rows * scale));
            cv::Mat boxed(height_, width_, CV_8UC3, cv::Scalar(114, 114, 114));
            cv::Mat part = boxed(cv::Rect({0, 0}, size));
            cv::resize(bgr, part, size, 0, 0, cv::INTER_LINEAR);
            blob = cv::dnn::blobFromImage(boxed);
        }
        std::vector<Ort::Value> result;
        {
            const auto timer = stages.time("infer");
            const std::array<std::int64_t, 4> shape = {1, 3, height_, width_};
            const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
            const Ort::Value tensor = Ort::Value::CreateTensor<float>(memory, blob.ptr<float>(), blob.total(),
                                                                      shape.data(), shape.size());
            const char* ins[] = {in_.c_str()};
            const char* outs[] = {out_.c_str()};
            result = session_.Run(Ort::RunOptions(nullptr), ins, &tensor, 1, outs, 1);
        }
        const auto timer = stages.time("suppress");
        const auto shape = result[0].GetTensorTypeAndShapeInfo().GetShape();
        return boxes(result[0].GetTensorData<float>(), int(shape.back()) - 5, scale);
    }

private:
    Ort::SessionOptions settings() const {
        Ort::SessionOptions out;
        out.SetIntraOpNumThreads(options_.library_threads);
        out.SetInterOpNumThreads(1);
        out.SetExecutionMode(ORT_SEQUENTIAL);
        out.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
        return out;
    }

    std::vector<Found> boxes(const float* cell, int classes, double scale) const {
        std::vector<cv::Rect2d> places, apart;  // apart: each class moved away from the others
        std::vector<float> scores;
        std::vector<int> ids;
        for (const int stride : {8, 16, 32})
            for (int row = 0; row < height_ / stride; ++row)
                for (int col = 0; col < width_ / stride; ++col, cell += 5 + classes) {
                    if (cell[4] < options_.confidence) continue;
                    const float* best = std::max_element(cell + 5, cell + 5 + classes);
                    const float score = cell[4] * *best;
                    if (score < options_.confidence) continue;
                    const double w = std::exp(cell[2]) * stride / scale,
                                 h = std::exp(cell[3]) * stride / scale;
                    const cv::Rect2d box((cell[0] + float(col)) * stride / scale - w / 2,
                                         (cell[1] + float(row)) * stride / scale - h / 2, w, h);
                    const int id = int(best - cell) - 5;
                    places.push_back(box);
                    apart.push_back(box + cv::Point2d(id * 1e5, 0));
                    scores.push_back(score);
                    ids.push_back(id);
                }
        std::vector<int> kept;
        cv::dnn::NMSBoxes(apart, scores, options_.confidence, options_.nms, kept);
        std::vector<Found> out;
        for (const int i : kept)
            out.push_back({places[std::size_t(i)], scores[std::size_t(i)], ids[std::size_t(i)]});
        return out;
    }

    const Options& options_;
    Ort::Env env_{ORT_LOGGING_LEVEL_ERROR, "plain_loop"};
    Ort::Session session_;
    int width_ = 0, height_ = 0;
    std::string in_, out_;
};

class Output {
public:
    Output(const Options& options, const Input& input) : usual_(1) {
        const AVCodecParameters& in = *input.stream().codecpar;
        if (in.width % 2 || in.height % 2)
            throw std::runtime_error("the loop takes videos of even sides only");
        const AVCodec* x264 = need(avcodec_find_encoder_by_name("libx264"), "find libx264");
        codec_.reset(need(avcodec_alloc_context3(x264), "make an encoder"));
        codec_->width = in.width;
        codec_->height = in.height;
        codec_->pix_fmt = AV_PIX_FMT_YUV420P;
        codec_->time_base = input.stream().time_base;
        codec_->framerate = input.rate();
        codec_->gop_size = std::max(1, int(std::lround(av_q2d(input.rate()) * 2)));
        codec_->max_b_frames = 0;
        codec_->thread_count = options.library_threads;
        codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
        av_opt_set(codec_->priv_data, "preset", options.preset.c_str(), 0);
        av_opt_set(codec_->priv_data, "crf", std::to_string(options.crf).c_str(), 0);
        check(avcodec_open2(codec_.get(), x264, nullptr), "open x264");
        usual_ = std::max<std::int64_t>(1, av_rescale_q(1, av_inv_q(input.rate()), codec_->time_base));

        check(avformat_alloc_output_context2(&format_, nullptr, "mp4", options.output.c_str()),
              "make an MP4");
        stream_ = need(avformat_new_stream(format_, nullptr), "add a stream");
        stream_->time_base = codec_->time_base;
        check(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "describe the stream");
        check(avio_open(&format_->pb, options.output.c_str(), AVIO_FLAG_WRITE), "create " + options.output);
        check(avformat_write_header(format_, nullptr), "begin " + options.output);

        frame_->format = AV_PIX_FMT_YUV420P;
        frame_->width = in.width;
        frame_->height = in.height;
        check(av_frame_get_buffer(frame_.get(), 0), "allocate a frame");
    }
    ~Output() {
        if (!format_) return;
        avio_closep(&format_->pb);
        avformat_free_context(format_);
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    void write(const Picture& picture, Stages& stages) {
        {
            const auto timer = stages.time("to I420");
            cv::cvtColor(picture.bgr, i420_, cv::COLOR_BGR2YUV_I420);
            check(av_frame_make_writable(frame_.get()), "write a frame");
            const std::uint8_t* plane = i420_.data;
            for (int p = 0; p < 3; ++p) {
                const int width = p ? frame_->width / 2 : frame_->width,
                          height = p ? frame_->height / 2 : frame_->height;
                av_image_copy_plane(frame_->data[p], frame_->linesize[p], plane, width, width, height);
                plane += std::ptrdiff_t(width) * height;
            }
        }
        const auto timer = stages.time("encode");
        frame_->pts = picture.pts;
        encode(frame_.get());
    }
    void finish(Stages& stages) {
        const auto timer = stages.time("encode");
        encode(nullptr);
        check(av_write_trailer(format_), "end the MP4");
    }
    std::int64_t frames() const { return frames_; }

private:
    void encode(const AVFrame* frame) {
        check(avcodec_send_frame(codec_.get(), frame), "encode");
        for (;;) {
            const int rc = avcodec_receive_packet(codec_.get(), packet_.get());
            if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return;
            check(rc, "encode");
            packet_->stream_index = 0;
            packet_->duration = usual_;
            av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
            check(av_interleaved_write_frame(format_, packet_.get()), "write the MP4");
            ++frames_;
        }
    }

    Codec codec_;
    AVFormatContext* format_ = nullptr;
    AVStream* stream_ = nullptr;
    Frame frame_{av_frame_alloc()};
    Packet packet_{av_packet_alloc()};
    cv::Mat i420_;
    std::int64_t frames_ = 0, usual_;
};

class Painter {
public:
    explicit Painter(const std::string& labels) {
        std::ifstream in(labels);
        for (std::string line; std::getline(in, line);) labels_.push_back(line);
        if (labels_.empty()) throw std::runtime_error("there are no labels in " + labels);
    }
    void draw(cv::Mat& bgr, const std::vector<Found>& found) const {
        for (const Found& f : found) {
            const auto hue = std::uint32_t(f.class_id + 1) * 2654435761u;
            const cv::Scalar colour(hue & 255, hue >> 8 & 255, hue >> 16 & 255);
            cv::rectangle(bgr, f.box, colour, 2);
            std::array<char, 128> text{};
            std::snprintf(text.data(), text.size(), "%s %.2f", labels_.at(std::size_t(f.class_id)).c_str(),
                          double(f.score));
            int below = 0;
            const cv::Size size = cv::getTextSize(text.data(), cv::FONT_HERSHEY_SIMPLEX, 0.5, 1, &below);
            const cv::Point at(int(f.box.x), std::max(int(f.box.y), size.height + below));
            cv::rectangle(bgr, at - cv::Point(0, size.height + below), at + cv::Point(size.width, 0), colour,
                          cv::FILLED);
            cv::putText(bgr, text.data(), at - cv::Point(0, below), cv::FONT_HERSHEY_SIMPLEX, 0.5, {0, 0, 0},
                        1, cv::LINE_AA);
        }
    }

private:
    std::vector<std::string> labels_;
};

// A bounded queue of two threads.
template <typename T>
class Queue {
public:
    void put(T value) {
        const std::lock_guard lock(mutex_);
        items_.push_back(std::move(value));
        ready_.notify_one();
    }
    T take() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return !items_.empty(); });
        T value = std::move(items_.front());
        items_.pop_front();
        return value;
    }

private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<T> items_;
};

class Loop {
public:
    explicit Loop(const Options& options)
        : options_(options),
          input_(options.input, options.library_threads),
          detector_(options),
          painter_(options.labels),
          output_(options, input_) {}

    nlohmann::ordered_json run() {
        if (options_.threads == 1)
            one_thread();
        else
            two_threads();
        output_.finish(stages_);
        return {{"frames", output_.frames()}, {"boxes", boxes_}, {"stages", stages_.seconds()}};
    }

private:
    void one_thread() {
        while (auto picture = input_.next(stages_)) show(*picture, detector_.detect(picture->bgr, stages_));
    }

    void two_threads() {
        constexpr int ahead = 8;
        struct Detected {
            Picture picture;
            std::vector<Found> found;
            std::exception_ptr error;
        };
        Queue<std::optional<Picture>> in;
        Queue<Detected> out;
        Stages there;
        std::jthread thread([&] {
            while (auto picture = in.take()) {
                Detected done{std::move(*picture), {}, nullptr};
                try {
                    done.found = detector_.detect(done.picture.bgr, there);
                } catch (...) {
                    done.error = std::current_exception();
                }
                out.put(std::move(done));
            }
        });
        try {
            int flying = 0;
            bool more = true;
            while (true) {
                while (more && flying < ahead) {
                    auto picture = input_.next(stages_);
                    more = picture.has_value();
                    if (!more) break;
                    in.put(std::move(picture));
                    ++flying;
                }
                if (flying == 0) break;
                Detected done = out.take();
                --flying;
                if (done.error) std::rethrow_exception(done.error);
                show(done.picture, done.found);
            }
        } catch (...) {
            in.put(std::nullopt);
            throw;
        }
        in.put(std::nullopt);
        thread.join();
        stages_.add(there);
    }

    void show(Picture& picture, const std::vector<Found>& found) {
        {
            const auto timer = stages_.time("draw");
            painter_.draw(picture.bgr, found);
        }
        boxes_ += std::int64_t(found.size());
        output_.write(picture, stages_);
    }

    const Options& options_;
    Stages stages_;
    Input input_;
    Detector detector_;
    Painter painter_;
    Output output_;
    std::int64_t boxes_ = 0;
};

Options parse(int argc, char** argv) {
    Options o;
    const std::map<std::string, std::string*> texts{
        {"--model", &o.model}, {"--labels", &o.labels}, {"--preset", &o.preset}};
    const std::map<std::string, int*> numbers{
        {"--crf", &o.crf}, {"--threads", &o.threads}, {"--library-threads", &o.library_threads}};
    const std::map<std::string, float*> parts{{"--confidence", &o.confidence}, {"--nms", &o.nms}};
    std::vector<std::string> files;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (!word.starts_with("--")) {
            files.push_back(word);
            continue;
        }
        if (i + 1 == argc) throw std::invalid_argument(word + " needs a value");
        const std::string value = argv[++i];
        if (const auto t = texts.find(word); t != texts.end())
            *t->second = value;
        else if (const auto n = numbers.find(word); n != numbers.end())
            *n->second = std::stoi(value);
        else if (const auto p = parts.find(word); p != parts.end())
            *p->second = std::stof(value);
        else
            throw std::invalid_argument("unknown option " + word);
    }
    if (files.size() != 2 || o.model.empty() || o.labels.empty() || o.threads < 1 || o.threads > 2 ||
        o.library_threads < 1)
        throw std::invalid_argument(
            "usage: plain_loop INPUT OUTPUT.mp4 --model FILE.onnx --labels FILE [--threads 1|2] "
            "[--library-threads N] "
            "[--preset NAME] [--crf N] [--confidence P] [--nms P]");
    o.input = files[0];
    o.output = files[1];
    return o;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Options options = parse(argc, argv);
        av_log_set_level(AV_LOG_ERROR);
        cv::setNumThreads(options.library_threads);
        std::cout << Loop(options).run().dump() << std::endl;
        return 0;
    } catch (const std::invalid_argument& e) {
        std::cerr << e.what() << '\n';
        return 2;
    } catch (const std::exception& e) {
        std::cerr << "plain_loop: " << e.what() << '\n';
        return 1;
    }
}
