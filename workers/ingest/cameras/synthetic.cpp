// Camera "synthetic": boxes that move over grey, at a rate: for tests, demonstrations and load.
// synthetic://?width=640&height=360&fps=10&boxes=3&frames=0; boxes=0: nothing ever moves; frames: it ends
// after so many, 0: never. Frame n is the same each time.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "common/media/libav.hpp"
#include "common/spelling.hpp"
#include "workers/ingest/camera_source.hpp"

namespace sl::ingest {
namespace {

constexpr std::string_view scheme = "synthetic://";

struct Recipe {
    std::int64_t width = 640, height = 360, fps = 10, boxes = 3, frames = 0;
};
struct Key {
    const char* name;
    std::int64_t Recipe::*value;
    std::int64_t least, most, step;
};
constexpr Key keys[] = {{"width", &Recipe::width, 16, 4096, 2},
                        {"height", &Recipe::height, 16, 4096, 2},
                        {"fps", &Recipe::fps, 1, 240, 1},
                        {"boxes", &Recipe::boxes, 0, 100, 1},
                        {"frames", &Recipe::frames, 0, 1'000'000'000, 1}};

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Where something that goes to and fro between 0 and `room` is at step n.
int bounce(std::int64_t n, int room) {
    if (room <= 0) return 0;
    const std::int64_t at = n % (2 * std::int64_t(room));
    return int(at <= room ? at : 2 * std::int64_t(room) - at);
}

void fill(AVFrame& frame, int plane, int x, int y, int width, int height, int value) {
    for (int row = y; row < y + height; ++row)
        std::memset(frame.data[plane] + std::ptrdiff_t(row) * frame.linesize[plane] + x, value,
                    std::size_t(width));
}

class SyntheticConnection final : public Connection {
public:
    SyntheticConnection(CameraAddress address, const Recipe& recipe)
        : address_(std::move(address)), recipe_(recipe), start_ns_(now_ns()) {
        frame_->format = AV_PIX_FMT_YUV420P;
        frame_->width = int(recipe.width);
        frame_->height = int(recipe.height);
        frame_->color_range = AVCOL_RANGE_MPEG;
    }

    Attempt<Shot> next(const Wanted& wanted) override {
        if (recipe_.frames && n_ >= recipe_.frames)
            return CameraError{"ended",
                               Error{Errc::unavailable, "cannot read " + address_.url + ": it ended", ""}};
        const auto due = [&] { return start_ns_ + n_ * 1'000'000'000 / recipe_.fps; };
        if (const auto late = now_ns() - due(); late > 500'000'000) start_ns_ += late;
        for (std::int64_t left; (left = due() - now_ns()) > 0;) {
            if (address_.given_up())
                return CameraError{
                    "timeout",
                    Error{Errc::timeout, "cannot read " + address_.url + ": no frame in time", ""}};
            std::this_thread::sleep_for(std::chrono::nanoseconds(std::min<std::int64_t>(left, 50'000'000)));
        }
        const Shot shot{wanted(due()) ? frame_.get() : nullptr, due(), 0, false};
        if (shot.frame) draw();
        ++n_;
        return shot;
    }

    std::string codec() const override { return "synthetic"; }

private:
    void draw() {
        av_frame_unref_buffers();
        if (av_frame_get_buffer(frame_.get(), 0) < 0) throw std::bad_alloc();
        const int width = frame_->width, height = frame_->height;
        for (int p = 0; p < 3; ++p)
            fill(*frame_, p, 0, 0, p ? width / 2 : width, p ? height / 2 : height, p ? 128 : 96);
        const int w = std::max(8, width / 10), h = std::max(8, height / 5);
        for (std::int64_t i = 0; i < recipe_.boxes; ++i) {
            const int x = bounce(n_ * (2 + i % 5) + 97 * i, width - w);
            const int y = bounce(n_ * (1 + i % 3) + 61 * i, height - h);
            fill(*frame_, 0, x, y, w, h, int(160 + 13 * i % 80));
            fill(*frame_, 1, x / 2, y / 2, w / 2, h / 2, int(90 + 29 * i % 70));
            fill(*frame_, 2, x / 2, y / 2, w / 2, h / 2, int(90 + 43 * i % 70));
        }
    }
    // A new picture each time: the one before may still be looked at.
    void av_frame_unref_buffers() {
        for (auto& buffer : frame_->buf) av_buffer_unref(&buffer);
    }

    const CameraAddress address_;
    const Recipe recipe_;
    std::int64_t start_ns_, n_ = 0;
    const media::FramePtr frame_ = media::new_frame();
};

int claims(const std::string& url) {
    return url.starts_with(scheme) ? 10 : 0;
}

Attempt<std::unique_ptr<Connection>> open(const CameraAddress& address) {
    Recipe recipe;
    const auto question = address.url.find('?');
    for (const auto& pair :
         split(question == std::string::npos ? "" : address.url.substr(question + 1), '&')) {
        const auto equals = pair.find('=');
        const std::string name = pair.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : pair.substr(equals + 1);
        const auto key =
            std::find_if(std::begin(keys), std::end(keys), [&](const Key& k) { return name == k.name; });
        const auto wrong = [&](const std::string& why) {
            return CameraError{"not_found",
                               Error{Errc::invalid_argument, "cannot open " + address.url + ": " + why,
                                     "keys are width, height, fps, boxes, frames"}};
        };
        if (key == std::end(keys)) return wrong("'" + name + "' is no key");
        std::int64_t n = 0;
        const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), n);
        if (ec != std::errc() || end != value.data() + value.size() || n < key->least || n > key->most ||
            n % key->step)
            return wrong(name + " must be a number from " + std::to_string(key->least) + " to " +
                         std::to_string(key->most) + (key->step == 2 ? ", even" : ""));
        recipe.*key->value = n;
    }
    return std::unique_ptr<Connection>(new SyntheticConnection(address, recipe));
}

}  // namespace

extern const CameraPlugin camera_synthetic;
const CameraPlugin camera_synthetic{
    "synthetic", "moving boxes: synthetic://?width=640&height=360&fps=10&boxes=3", claims, open};

}  // namespace sl::ingest
