#include "workers/ingest/camera_reader.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "common/log.hpp"
#include "common/media/carry.hpp"
#include "common/media/colour.hpp"
#include "common/media/motion.hpp"
#include "common/thread_name.hpp"

namespace sl::ingest {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

Clock::duration seconds(double s) {
    return std::chrono::duration_cast<Clock::duration>(Seconds(s));
}

constexpr double first_retry_s = 0.2;
constexpr double auth_retry_s = 30;   // some cameras shut out who is wrong seven times
constexpr double first_again_s = 30;  // while the backup serves

// The longest wait between two tries, by how long ago the last frame came.
double longest_wait(Clock::duration since) {
    if (since < std::chrono::minutes(5)) return 1;
    return since < std::chrono::hours(1) ? 5 : 30;
}

// How long a connection may block. Its owner moves the end; anybody ends it at once by raising `epoch`.
class Patience {
public:
    explicit Patience(const std::atomic<std::uint64_t>& epoch) : epoch_(epoch), mine_(epoch) {}
    void end() { ended_ = true; }
    void give(double s) { until_ = (Clock::now() + seconds(s)).time_since_epoch().count(); }
    bool called_off() const { return epoch_ != mine_; }
    bool over() const { return called_off() || ended_ || Clock::now().time_since_epoch().count() >= until_; }

private:
    const std::atomic<std::uint64_t>& epoch_;
    const std::uint64_t mine_;
    std::atomic<bool> ended_ = false;
    std::atomic<Clock::rep> until_ = 0;
};

// A connection that gave its first frame.
struct Opened {
    std::string url;
    std::shared_ptr<Patience> patience;  // of the connection
    std::unique_ptr<Connection> connection;
    Shot first;
};

std::string whole_seconds(double s) {
    return fmt::format("{:g} s", s);
}

Attempt<Opened> connect(const schema::Camera& camera, const std::string& url, const Secrets& secrets,
                        std::shared_ptr<Patience> patience) {
    CameraAddress address{url, {}, camera.transport, [patience] { return patience->over(); }};
    if (has_credentials(url))
        return CameraError{
            "auth_failed",
            Error{Errc::invalid_argument,
                  "cannot open camera " + without_credentials(url) + ": its URL holds credentials",
                  "give them a name among the secrets, and the camera the name"}};
    if (!camera.secret.empty()) {
        auto secret = secrets.find(camera.secret);
        if (!secret) return CameraError{"auth_failed", secret.error()};
        address.secret = std::move(*secret);
    }
    patience->give(camera.connect_s);
    auto opened = open_camera(address);
    if (auto* error = std::get_if<CameraError>(&opened)) {
        if (error->kind == "timeout") error->error.message += ", " + whole_seconds(camera.connect_s);
        return std::move(*error);
    }
    Opened out{url, std::move(patience), std::move(std::get<0>(opened)), {}};
    for (;;) {
        auto shot = out.connection->next([](std::int64_t) { return true; });
        if (auto* error = std::get_if<CameraError>(&shot)) {
            if (error->kind == "timeout")
                error->error.message =
                    "cannot read " + url + ": no first frame within " + whole_seconds(camera.connect_s);
            return std::move(*error);
        }
        out.first = std::get<Shot>(shot);
        if (out.first.frame) return out;
        if (out.patience->over())
            return CameraError{"timeout",
                               Error{Errc::timeout,
                                     "cannot read " + url + ": packets came, but no picture within " +
                                         whole_seconds(camera.connect_s),
                                     "have the camera send key frames more often"}};
    }
}

// Which frames are looked at: those next to the points of a grid in capture time, `fps` a second. A quarter
// of a step early is near enough: frames that come at the grid's own rate, with jitter, are all taken.
class Sampler {
public:
    explicit Sampler(double fps) : period_(fps > 0 ? std::int64_t(1e9 / fps) : 0) {}
    bool due(std::int64_t t) const { return t + period_ / 4 >= next_ || t < last_; }
    void take(std::int64_t t) {
        next_ += period_;
        // The first, time went back, or nothing came for a while: the grid begins here.
        if (t < last_ || next_ <= t) next_ = t + period_;
        last_ = t;
    }

private:
    std::int64_t period_;
    std::int64_t next_ = INT64_MIN / 2, last_ = INT64_MIN;
};

// Frames a second, over two seconds at a time.
class Rate {
public:
    double add(std::int64_t t) {
        if (from_ == 0 || t < from_) from_ = t, frames_ = 0;
        if (t - from_ >= 2'000'000'000) {
            rate_ = double(frames_) * 1e9 / double(t - from_);
            from_ = t, frames_ = 0;
        }
        ++frames_;
        return rate_;
    }

private:
    std::int64_t from_ = 0, frames_ = 0;
    double rate_ = 0;
};

// Decoded frames → upright I420. Most are that already: then no byte is copied.
class Converter {
public:
    Result<LiveFrame> convert(const Shot& shot) {
        const AVFrame& frame = *shot.frame;
        LiveFrame out;
        const bool lies = shot.rotation % 180 != 0;
        out.width = lies ? frame.height : frame.width;
        out.height = lies ? frame.width : frame.height;
        if (media::is_i420(frame.format) && frame.width % 2 == 0 && frame.height % 2 == 0 &&
            shot.rotation == 0 && !shot.flip) {
            out.i420 = media::share(frame);
            if (media::full_range(AVPixelFormat(frame.format), frame.color_range))
                out.i420->color_range = AVCOL_RANGE_JPEG;
            out.i420->format = AV_PIX_FMT_YUV420P;
            return out;
        }
        const bool same = upright_ && frame.width == width_ && frame.height == height_ &&
                          frame.format == format_ && shot.rotation == rotation_ && shot.flip == flip_;
        if (!same) {
            auto codec = media::new_parameters();
            codec->codec_type = AVMEDIA_TYPE_VIDEO;
            codec->codec_id = AV_CODEC_ID_RAWVIDEO;
            codec->format = frame.format;
            codec->width = frame.width;
            codec->height = frame.height;
            codec->color_range = frame.color_range;
            codec->color_space = frame.colorspace;
            schema::StreamInfo stream;
            stream.width = out.width;
            stream.height = out.height;
            stream.rotation = shot.rotation;
            stream.flip = shot.flip;
            stream.codec = media::pack_codec(*codec);
            upright_.emplace(stream);
            width_ = frame.width, height_ = frame.height, format_ = frame.format;
            rotation_ = shot.rotation, flip_ = shot.flip;
        }
        auto upright = upright_->convert(frame);
        if (!upright) return upright.error();
        out.i420 = std::move(*upright);
        return out;
    }

private:
    std::optional<media::Upright> upright_;
    int width_ = 0, height_ = 0, format_ = -1, rotation_ = 0;  // that upright_ was made for
    bool flip_ = false;
};

// Tries the first URL on a thread of its own, so that the backup's frames go on meanwhile.
class Trial {
public:
    Trial(schema::Camera camera, const Secrets& secrets, std::shared_ptr<Patience> patience)
        : patience_(std::move(patience)), thread_([this, camera = std::move(camera), &secrets] {
              name_thread("trial " + camera.camera);
              result_.emplace(connect(camera, camera.url, secrets, patience_));
              done_ = true;
          }) {}
    ~Trial() {
        if (!done_) patience_->end();  // a connection that was made is somebody else's by now
        thread_.join();
    }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    bool done() const { return done_; }
    Attempt<Opened>& result() { return *result_; }

private:
    const std::shared_ptr<Patience> patience_;
    std::atomic<bool> done_ = false;
    std::optional<Attempt<Opened>> result_;  // the thread's until done_
    std::thread thread_;
};

}  // namespace

class CameraReader::State {
public:
    State(schema::Camera camera, const Secrets& secrets, OnFrame on_frame, OnChange on_change)
        : secrets_(secrets),
          on_frame_(std::move(on_frame)),
          on_change_(std::move(on_change)),
          camera_(std::move(camera)) {
        status_.report.state = "connecting";
        status_.report.url = without_credentials(camera_.url);
        thread_ = std::thread([this, name = "camera." + camera_.camera] {
            name_thread(name);
            run();
        });
    }

    void update(schema::Camera camera) {
        {
            const std::lock_guard lock(mutex_);
            const auto same = [&](auto field) { return camera.*field == camera_.*field; };
            if (!same(&schema::Camera::url) || !same(&schema::Camera::backup_url) ||
                !same(&schema::Camera::secret) || !same(&schema::Camera::transport))
                ++epoch_;
            camera_ = std::move(camera);
            ++revision_;
        }
        wake_.notify_all();
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
            ++epoch_;
        }
        wake_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    CameraStatus status() const {
        const std::lock_guard lock(mutex_);
        return status_;
    }

private:
    void run() {
        Clock::time_point alive = Clock::now();  // when the last frame came
        int failures = 0;                        // since then
        while (!stop_) {
            const auto patience = renew();
            if (failures == 0) report([](CameraStatus& s) { s.report.state = "connecting"; });
            auto opened = connect(now_, now_.url, secrets_, patience);
            auto* error = std::get_if<CameraError>(&opened);
            if (error && !patience->called_off()) offline(*error, now_.url);
            if (error && !now_.backup_url.empty() && !patience->called_off()) {
                const auto again = std::make_shared<Patience>(epoch_);
                auto backup = connect(now_, now_.backup_url, secrets_, again);
                if (std::holds_alternative<Opened>(backup)) opened = std::move(backup);
                error = std::get_if<CameraError>(&opened);
            }
            std::string kind = error ? error->kind : "";
            if (auto* connection = std::get_if<Opened>(&opened)) {
                failures = 0;
                if (auto ended = stream(*connection)) {
                    offline(*ended, connection->url);
                    kind = ended->kind;
                }
                alive = Clock::now();
            }
            wait(*patience, kind, failures++, Clock::now() - alive);
        }
    }

    // The settings in force, for this thread; and what ends when they no longer are.
    std::shared_ptr<Patience> renew() {
        const std::lock_guard lock(mutex_);
        settings();
        return std::make_shared<Patience>(epoch_);
    }
    void settings() {
        if (known_ == 0 || now_.fps != camera_.fps) sampler_ = Sampler(camera_.fps);
        if (known_ == 0 || !(now_.motion == camera_.motion)) gate_.emplace(camera_.motion);
        now_ = camera_;
        known_ = revision_;
    }

    // Hands out frames until the connection fails, or is called off (nothing).
    std::optional<CameraError> stream(Opened& opened) {
        std::unique_ptr<Trial> trial;
        auto next_trial = Clock::now() + seconds(first_again_s);
        online(opened);
        picture(opened, opened.first);
        bool waits_for_picture = false;
        for (;;) {
            if (opened.patience->called_off()) return std::nullopt;
            if (known_ != revision_) {
                const std::lock_guard lock(mutex_);
                settings();
            }
            if (opened.url != now_.url) {
                if (!trial && Clock::now() >= next_trial)
                    trial = std::make_unique<Trial>(now_, secrets_, std::make_shared<Patience>(epoch_));
                if (trial && trial->done()) {
                    if (auto* first = std::get_if<Opened>(&trial->result())) {
                        corrupt_before_ += opened.connection->corrupt();
                        opened = std::move(*first);
                        online(opened);
                        picture(opened, opened.first);
                    }
                    trial.reset();
                    next_trial = Clock::now() + seconds(first_again_s);
                }
            }
            // Silence is that of pictures: packets that cannot be decoded are none.
            if (!waits_for_picture) opened.patience->give(now_.silence_s);
            auto attempt = opened.connection->next([this](std::int64_t t) { return sampler_.due(t); });
            auto* error = std::get_if<CameraError>(&attempt);
            const bool over = !error && waits_for_picture && opened.patience->over();
            if (error || over) {
                if (opened.patience->called_off()) return std::nullopt;
                corrupt_before_ += opened.connection->corrupt();
                if (error && error->kind != "timeout") return std::move(*error);
                return CameraError{
                    "timeout",
                    Error{Errc::timeout,
                          "cannot read " + opened.url + ": " +
                              (waits_for_picture ? "packets came, but no picture for " : "no frame for ") +
                              whole_seconds(now_.silence_s),
                          "check the camera and the network to it"}};
            }
            const Shot& shot = std::get<Shot>(attempt);
            waits_for_picture = !shot.frame && sampler_.due(shot.capture_ns);
            picture(opened, shot);
        }
    }

    void picture(const Opened& opened, const Shot& shot) {
        std::optional<LiveFrame> out;
        const double rate = rate_.add(shot.capture_ns);
        if (shot.frame && sampler_.due(shot.capture_ns)) {
            sampler_.take(shot.capture_ns);
            auto frame = converter_.convert(shot);
            if (frame) {
                // In time order, whatever the clocks say.
                last_ns_ = std::max(last_ns_ + 1, shot.capture_ns);
                frame->capture_ns = last_ns_;
                frame->still = gate_->still(*frame->i420, last_ns_);
                out = std::move(*frame);
            } else {
                log::warn("camera_picture", "camera={} {}", now_.camera, frame.error().message);
            }
        }
        report([&](CameraStatus& s) {
            ++s.report.captured;
            s.report.source_fps = rate;
            s.corrupt = corrupt_before_ + opened.connection->corrupt();
            if (!out) return;
            ++s.report.sampled;
            s.report.gated += out->still;
            s.report.width = out->width;
            s.report.height = out->height;
        });
        if (out) on_frame_(std::move(*out));
    }

    void online(const Opened& opened) {
        const bool first = opened.url == now_.url;
        report([&](CameraStatus& s) {
            s.report.state = "streaming";
            s.report.url = opened.url;
            s.report.codec = opened.connection->codec();
            ++s.report.connects;
            // While the backup serves, they say what is wrong with the first.
            if (first) s.report.error.clear(), s.report.message.clear();
        });
        rate_ = Rate();
        log::info("camera_online", "camera={} url={} codec={}", now_.camera, opened.url,
                  opened.connection->codec());
        told_.clear();
    }

    void offline(const CameraError& error, const std::string& url) {
        report([&](CameraStatus& s) {
            s.report.state = "waiting";
            s.report.url = without_credentials(url);
            s.report.error = error.kind;
            s.report.message = error.error.text();
        });
        // Once, not at each try.
        if (std::exchange(told_, error.kind) != error.kind)
            log::warn("camera_offline", "camera={} error={} {}", now_.camera, error.kind, error.error.text());
    }

    void wait(const Patience& patience, const std::string& kind, int failures, Clock::duration since) {
        double s = std::min(longest_wait(since), first_retry_s * std::pow(2, std::min(failures, 10)));
        if (kind == "auth_failed") s = auth_retry_s;
        s *= std::uniform_real_distribution<>(0.75, 1)(random_);  // or all come at once after a power cut
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, seconds(s), [&] { return patience.called_off(); });
    }

    template <typename F>
    void report(F change) {
        std::optional<CameraStatus> news;
        {
            const std::lock_guard lock(mutex_);
            const schema::CameraReport before = status_.report;
            change(status_);
            const schema::CameraReport& now = status_.report;
            const auto key = [](const schema::CameraReport& r) {
                return std::tie(r.state, r.url, r.error, r.width, r.height, r.codec);
            };
            if (on_change_ && key(before) != key(now)) news = status_;
        }
        if (news) on_change_(*news);
    }

    const Secrets& secrets_;
    const OnFrame on_frame_;
    const OnChange on_change_;

    // Of the reader's thread.
    schema::Camera now_;       // settings in force
    std::uint64_t known_ = 0;  // revision_ of now_
    Sampler sampler_{0};
    std::optional<media::MotionGate> gate_;
    Converter converter_;
    Rate rate_;
    std::int64_t last_ns_ = 0, corrupt_before_ = 0;  // of the connections before
    std::string told_;                               // kind of the error that was logged last
    std::mt19937 random_{std::random_device{}()};

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    schema::Camera camera_;                    // guarded: as last updated
    CameraStatus status_;                      // guarded
    std::atomic<std::uint64_t> revision_ = 1;  // of camera_; written under mutex_
    std::atomic<std::uint64_t> epoch_ = 0;     // raised: every connection is called off
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

CameraReader::CameraReader(schema::Camera camera, const Secrets& secrets, OnFrame on_frame,
                           OnChange on_change)
    : state_(std::make_unique<State>(std::move(camera), secrets, std::move(on_frame), std::move(on_change))) {
}
CameraReader::~CameraReader() {
    stop();
}
void CameraReader::update(schema::Camera camera) {
    state_->update(std::move(camera));
}
void CameraReader::stop() {
    state_->stop();
}
CameraStatus CameraReader::status() const {
    return state_->status();
}

CameraStatus try_camera(const schema::Camera& camera, const Secrets& secrets) {
    const std::atomic<std::uint64_t> epoch = 0;
    CameraStatus status;
    schema::CameraReport& report = status.report;
    for (const std::string& url : {camera.url, camera.backup_url}) {
        if (url.empty()) continue;
        auto opened = connect(camera, url, secrets, std::make_shared<Patience>(epoch));
        if (const auto* error = std::get_if<CameraError>(&opened)) {
            if (!report.error.empty()) continue;  // the first URL's matters
            report.state = "waiting";
            report.url = without_credentials(url);
            report.error = error->kind;
            report.message = error->error.text();
            continue;
        }
        const Opened& it = std::get<Opened>(opened);
        report.state = "streaming";
        report.url = url;
        report.codec = it.connection->codec();
        report.width = it.first.rotation % 180 ? it.first.frame->height : it.first.frame->width;
        report.height = it.first.rotation % 180 ? it.first.frame->width : it.first.frame->height;
        report.captured = report.connects = 1;
        break;
    }
    return status;
}

}  // namespace sl::ingest
