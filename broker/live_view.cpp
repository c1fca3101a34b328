#include "broker/live_view.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>

#include "broker/live_recorder.hpp"
#include "common/image/picture.hpp"
#include "common/log.hpp"
#include "common/media/i420.hpp"
#include "common/media/jpeg.hpp"
#include "common/media/libav.hpp"
#include "common/thread_name.hpp"
#include "workers/annotate/marks.hpp"

namespace sl::program {
namespace {

// What views have in common: the newest frame is taken over at once, and drawn on a thread of its own.
class ThreadedView : public LiveView {
public:
    void show(const annotate::DecidedFrame& frame) override {
        if (frame.picture.size() != media::i420_bytes(frame.capture.width, frame.capture.height)) return;
        Frame next{{frame.picture.begin(), frame.picture.end()},
                   frame.capture.width,
                   frame.capture.height,
                   frame.capture.capture_ns,
                   annotate::marks_of(frame.spec, frame.boxes)};
        const std::lock_guard lock(mutex_);
        next_ = std::move(next);
        changed_.notify_one();
    }
    void say(const std::string& line) override {
        const std::lock_guard lock(mutex_);
        line_ = line;
    }

protected:
    // Called by the thread, with the boxes drawn.
    virtual Result<void> draw(const AVFrame& picture, std::int64_t capture_ns, const std::string& line) = 0;
    virtual bool wanted() const { return true; }
    void start() { thread_ = std::thread(&ThreadedView::run, this); }
    void stop() {  // in each destructor, before what draw() uses goes
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
            changed_.notify_one();
        }
        if (thread_.joinable()) thread_.join();
    }

private:
    struct Frame {
        schema::Bytes picture;
        int width = 0, height = 0;
        std::int64_t capture_ns = 0;
        std::vector<image::Mark> marks;
    };
    void run() {
        name_thread("view");
        while (true) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return ended_ || next_; });
            if (ended_) return;
            const Frame frame = std::move(*next_);
            next_.reset();
            const std::string line = line_;
            lock.unlock();
            if (!wanted()) continue;
            const auto shown = media::view_i420(frame.picture, frame.width, frame.height);
            auto copy =
                shown ? image::blank(frame.width, frame.height, {}) : Result<media::FramePtr>(shown.error());
            Result<void> ok = copy ? Result<void>{} : copy.error();
            if (ok) {
                image::paste(**copy, 0, 0, **shown);
                image::draw_marks(**copy, frame.marks);
                ok = draw(**copy, frame.capture_ns, line);
            }
            if (!ok && std::exchange(fine_, false)) log::error("view", "{}", ok.error().text());
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Frame> next_;  // guarded by mutex_
    std::string line_;           // guarded by mutex_
    bool ended_ = false;         // guarded by mutex_
    bool fine_ = true;           // thread's: an error is told once
    std::thread thread_;
};

// The picture in half blocks: two pixels a character, 24 bits of colour.
class TerminalView final : public ThreadedView {
public:
    TerminalView() {
        std::cerr << "\x1b[?25l\x1b[2J" << std::flush;  // no cursor, an empty screen
        start();
    }
    ~TerminalView() override {
        stop();
        std::cerr << "\x1b[?25h\n" << std::flush;
    }

private:
    Result<void> draw(const AVFrame& picture, std::int64_t, const std::string& line) override {
        winsize size{};
        if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 8 || size.ws_row < 4)
            size.ws_col = 80, size.ws_row = 24;
        const double fit =
            std::min(double(size.ws_col) / picture.width, double((size.ws_row - 2) * 2) / picture.height);
        const int width = std::max(2, int(picture.width * fit)) & ~1;
        const int height = std::max(2, int(picture.height * fit)) & ~1;
        auto small = image::scaled(picture, width, height);
        if (!small) return small.error();
        std::string out = "\x1b[H";
        for (int y = 0; y < height; y += 2) {
            for (int x = 0; x < width; ++x)
                out += fmt::format("\x1b[38;2;{}m\x1b[48;2;{}m▀", colour(**small, x, y),
                                   colour(**small, x, y + 1));
            out += "\x1b[0m\x1b[K\n";
        }
        out += line.substr(0, size.ws_col) + "\x1b[K\x1b[J";
        std::cerr << out << std::flush;
        return {};
    }
    static std::string colour(const AVFrame& f, int x, int y) {  // BT.601, limited range
        const int luma = 298 * (f.data[0][y * f.linesize[0] + x] - 16);
        const int u = f.data[1][y / 2 * f.linesize[1] + x / 2] - 128;
        const int v = f.data[2][y / 2 * f.linesize[2] + x / 2] - 128;
        const auto clip = [](int value) { return std::clamp((value + 128) >> 8, 0, 255); };
        return fmt::format("{};{};{}", clip(luma + 409 * v), clip(luma - 100 * u - 208 * v),
                           clip(luma + 516 * u));
    }
};

// A page with the moving picture: multipart/x-mixed-replace, which every browser shows. On the loopback.
class MjpegView final : public ThreadedView {
public:
    static Result<std::unique_ptr<LiveView>> open(int port) {
        auto view = std::make_unique<MjpegView>();
        view->port_ = port == 0 ? view->server_.bind_to_any_port("127.0.0.1")
                                : (view->server_.bind_to_port("127.0.0.1", port) ? port : -1);
        if (view->port_ <= 0)
            return Error{Errc::unavailable,
                         "cannot listen on 127.0.0.1:" + std::to_string(port) + " for --show mjpeg",
                         "choose another port, or 0 for any that is free"};
        view->serve();
        return std::unique_ptr<LiveView>(std::move(view));
    }
    ~MjpegView() override {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
            fresh_.notify_all();
        }
        server_.stop();
        if (listener_.joinable()) listener_.join();
        stop();
    }
    std::string where() const override { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

private:
    void serve() {
        server_.Get("/", [](const httplib::Request&, httplib::Response& reply) {
            reply.set_content(
                "<!doctype html><title>sightline live</title><body style='margin:0;background:#111'>"
                "<img src='/stream' style='width:100%;height:100vh;object-fit:contain'>",
                "text/html");
        });
        server_.Get("/frame.jpg", [this](const httplib::Request&, httplib::Response& reply) {
            std::int64_t number = 0;
            if (const auto jpeg = next(number))
                reply.set_content(*jpeg, "image/jpeg");
            else
                reply.status = 503;
        });
        server_.Get("/stream", [this](const httplib::Request&, httplib::Response& reply) {
            reply.set_content_provider(
                "multipart/x-mixed-replace; boundary=frame",
                [this, number = std::int64_t(0)](std::size_t, httplib::DataSink& sink) mutable {
                    const auto jpeg = next(number);
                    if (!jpeg) return false;
                    const std::string head = fmt::format(
                        "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg->size());
                    return sink.write(head.data(), head.size()) && sink.write(jpeg->data(), jpeg->size()) &&
                           sink.write("\r\n", 2);
                });
        });
        listener_ = std::thread([this] {
            name_thread("view.http");
            server_.listen_after_bind();
        });
        start();
    }
    // The first picture after `number`, which moves on; nothing: this ends.
    std::optional<std::string> next(std::int64_t& number) {
        std::unique_lock lock(mutex_);
        ++watchers_;
        fresh_.wait(lock, [&] { return ended_ || number_ > number; });
        --watchers_;
        if (ended_) return std::nullopt;
        number = number_;
        return jpeg_;
    }
    bool wanted() const override {  // nobody looks: nothing is encoded
        const std::lock_guard lock(mutex_);
        return watchers_ > 0;
    }
    Result<void> draw(const AVFrame& picture, std::int64_t, const std::string&) override {
        const auto bytes = media::jpeg(picture);
        if (!bytes) return bytes.error();
        const std::lock_guard lock(mutex_);
        jpeg_.assign(bytes->begin(), bytes->end());
        ++number_;
        fresh_.notify_all();
        return {};
    }

    httplib::Server server_;
    int port_ = 0;
    std::thread listener_;
    mutable std::mutex mutex_;
    std::condition_variable fresh_;
    std::string jpeg_;         // guarded by mutex_
    std::int64_t number_ = 0;  // guarded by mutex_
    int watchers_ = 0;         // guarded by mutex_
    bool ended_ = false;       // guarded by mutex_
};

class FileView final : public ThreadedView {
public:
    explicit FileView(std::unique_ptr<LiveRecorder> recorder, std::string path)
        : recorder_(std::move(recorder)), path_(std::move(path)) {
        start();
    }
    ~FileView() override { stop(); }
    std::string where() const override { return path_; }

private:
    Result<void> draw(const AVFrame& picture, std::int64_t capture_ns, const std::string&) override {
        return recorder_->add(picture, capture_ns);
    }
    const std::unique_ptr<LiveRecorder> recorder_;
    const std::string path_;
};

}  // namespace

Result<std::unique_ptr<LiveView>> open_view(const std::string& what) {
    if (what == "terminal") {
        if (!isatty(STDERR_FILENO))
            return Error{Errc::unavailable, "cannot draw on the terminal: stderr is none",
                         "choose --show mjpeg:PORT or file:PATH"};
        return std::unique_ptr<LiveView>(std::make_unique<TerminalView>());
    }
    if (what == "window")
        return Error{Errc::unavailable, "this build opens no windows",
                     "choose --show mjpeg:PORT, and look at it with a browser, or --show terminal"};
    const auto colon = what.find(':');
    const std::string kind = what.substr(0, colon),
                      rest = colon == std::string::npos ? "" : what.substr(colon + 1);
    if (kind == "file" && !rest.empty()) {
        auto recorder = LiveRecorder::create(rest);
        if (!recorder) return recorder.error();
        return std::unique_ptr<LiveView>(std::make_unique<FileView>(std::move(*recorder), rest));
    }
    int port = -1;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), port);
    if (kind == "mjpeg" && parsed.ec == std::errc() && parsed.ptr == rest.data() + rest.size() && port >= 0 &&
        port <= 65535)
        return MjpegView::open(port);
    return Error{Errc::invalid_argument, "cannot show on '" + what + "'",
                 "--show takes terminal, mjpeg:PORT, file:PATH or window"};
}

}  // namespace sl::program
