#include "workers/preprocess/live_preprocess.hpp"

#include <algorithm>

#include "common/age.hpp"
#include "common/ids.hpp"
#include "common/log.hpp"
#include "common/media/i420.hpp"

namespace sl::preprocess {
namespace {

constexpr std::size_t most_ready = 64;

struct LetterboxKey {
    std::int32_t width = 0, height = 0;
    schema::PoolSpec pool;
    std::vector<schema::Operation> operations;
    MSGPACK_DEFINE_MAP(width, height, pool, operations)
};

}  // namespace

Result<Letterbox*> LivePreprocessStage::letterbox(const schema::FrameMessage& frame,
                                                  const schema::PoolSpec& pool) {
    auto key =
        schema::encode(LetterboxKey{frame.capture.width, frame.capture.height, pool, frame.operations});
    const auto known =
        std::find_if(ready_.begin(), ready_.end(), [&](const Ready& r) { return r.key == key; });
    if (known != ready_.end()) {
        ready_.splice(ready_.begin(), ready_, known);
        return &ready_.front().letterbox;
    }
    schema::StreamInfo picture;
    picture.name = frame.capture.camera;
    picture.width = frame.capture.width;
    picture.height = frame.capture.height;
    auto opened = Letterbox::open(picture, pool, frame.operations);
    if (!opened) return opened.error();
    ready_.push_front({std::move(key), std::move(*opened)});
    if (ready_.size() > most_ready) ready_.pop_back();
    return &ready_.front().letterbox;
}

void LivePreprocessStage::work(bus::Envelope& item, worker::Emit& emit) {
    const auto frame = item.as<schema::FrameMessage>();
    if (!frame) {
        log::warn("bad_message", "{}", frame.error().message);
        return;
    }
    if (!emit.reachable(frame->home)) return;
    const auto give_up = [&](const char* reason) {
        schema::FoundMessage m;
        m.token = frame->token;
        m.capture = frame->capture;
        m.dropped = reason;
        emit.to_home(frame->home, bus::Envelope::make(m));
    };
    if (too_old(frame->capture, now_ns())) return give_up("deadline");
    const auto picture = media::view_i420(item.part(0), frame->capture.width, frame->capture.height);
    if (!picture) {
        log::warn("bad_frame", "camera={} {}", frame->capture.camera, picture.error().message);
        return give_up("bad_frame");
    }
    std::vector<std::pair<schema::TensorMessage, schema::Bytes>> tensors;  // all of them, or none
    for (std::size_t pool = 0; pool < frame->pools.size(); ++pool) {
        auto box = letterbox(*frame, frame->pools[pool]);
        schema::Bytes tensor;
        auto mapping = box ? (tensor.resize((*box)->tensor_bytes()), (*box)->convert(**picture, tensor))
                           : Result<schema::Mapping>(box.error());
        if (!mapping) {
            log::warn("bad_frame", "camera={} {}", frame->capture.camera, mapping.error().message);
            return give_up("bad_frame");
        }
        schema::TensorMessage m;
        m.token = frame->token;
        m.home = frame->home;
        m.capture = frame->capture;
        m.pool = std::int32_t(pool);
        m.spec = frame->pools[pool];
        m.mapping = *mapping;
        m.confidence = frame->confidence;
        m.nms = frame->nms;
        m.classes = frame->classes;
        m.max_boxes = frame->max_boxes;
        tensors.emplace_back(std::move(m), std::move(tensor));
    }
    // The picture first: it is there when the boxes are.
    if (frame->picture) {
        schema::PictureMessage m;
        m.token = frame->token;
        m.capture = frame->capture;
        emit.to_home(frame->home, bus::Envelope::make(m).with(std::move(item.payload.front())));
    }
    for (auto& [m, tensor] : tensors)
        emit.to_any("live/" + m.spec.name, bus::Envelope::make(m).with(std::move(tensor)));
}

}  // namespace sl::preprocess
