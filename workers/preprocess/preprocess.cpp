#include "workers/preprocess/preprocess.hpp"

#include <algorithm>
#include <set>

#include "common/log.hpp"
#include "common/media/media.hpp"
#include "common/tracking.hpp"
#include "workers/preprocess/letterbox.hpp"

namespace sl::preprocess {
namespace {

// Of a chunk of thirty seconds; before memory is asked for them.
constexpr std::int32_t most_batches = 1 << 16;

// The batches of one pool. Which frames share a batch is a function of the chunk alone: sampled frames in
// order, sixteen each; frames that did not decode make the last ones shorter, or empty.
class Batcher {
public:
    Batcher(const schema::ChunkMessage& chunk, std::int32_t pool, Letterbox letterbox,
            std::set<std::int32_t> wanted, worker::Emit& emit)
        : chunk_(chunk),
          pool_(pool),
          letterbox_(std::move(letterbox)),
          wanted_(std::move(wanted)),
          emit_(emit) {}

    Result<void> add(const media::Decoded& d) {
        if (wanted_.contains(batch_)) {
            if (frames_.empty())
                tensors_.reserve(letterbox_.tensor_bytes() * std::size_t(schema::batch_frames));
            tensors_.resize(tensors_.size() + letterbox_.tensor_bytes());
            auto mapping = letterbox_.convert(*d.frame, std::span(tensors_).last(letterbox_.tensor_bytes()));
            if (!mapping) return mapping.error();
            frames_.push_back({d.ordinal, d.pts, *mapping});
        }
        if (++in_batch_ == schema::batch_frames) send(0);
        return {};
    }
    void finish(std::int64_t missing) {
        while (batch_ < chunk_.row.batches)
            send(batch_ + 1 == chunk_.row.batches ? std::int32_t(missing) : 0);
    }
    bool done() const { return wanted_.empty() || batch_ > *wanted_.rbegin(); }

private:
    void send(std::int32_t missing) {
        if (wanted_.contains(batch_)) {
            schema::BatchMessage m;
            m.token = chunk_.token;
            m.home = chunk_.home;
            m.pool = pool_;
            m.batch = batch_;
            m.spec = chunk_.spec.pools[std::size_t(pool_)];
            m.frames = std::move(frames_);
            m.dropped = missing;
            m.canvas_width = chunk_.stream.width;
            m.canvas_height = chunk_.stream.height;
            m.confidence = detect_confidence(chunk_.spec, chunk_.stream.source);
            m.nms = chunk_.spec.nms;
            m.classes = chunk_.spec.classes;
            m.max_boxes = chunk_.spec.max_boxes;
            const std::string to = m.spec.name;
            emit_.to_any(to, bus::Envelope::make(m).with(std::move(tensors_)));
        }
        frames_ = {};
        tensors_ = {};
        in_batch_ = 0;
        ++batch_;
    }

    const schema::ChunkMessage& chunk_;
    const std::int32_t pool_;
    Letterbox letterbox_;
    const std::set<std::int32_t> wanted_;
    worker::Emit& emit_;
    std::int32_t batch_ = 0, in_batch_ = 0;
    std::vector<schema::BatchFrame> frames_;
    schema::Bytes tensors_;
};

}  // namespace

Result<void> PreprocessStage::batches(const schema::ChunkMessage& chunk,
                                      std::span<const std::uint8_t> packets, worker::Emit& emit) {
    if (chunk.row.batches < 0 || chunk.row.batches > std::min(chunk.row.frames, most_batches))
        return Error{Errc::bad_message,
                     "cannot make " + std::to_string(chunk.row.batches) + " batches of a chunk of " +
                         std::to_string(chunk.row.frames) + " frames",
                     ""};
    std::vector<Batcher> batchers;
    for (std::int32_t pool = 0; pool < std::int32_t(chunk.spec.pools.size()); ++pool) {
        std::set<std::int32_t> wanted;
        for (std::int32_t b = 0; b < chunk.row.batches; ++b)
            if (chunk.pieces.empty() || std::find(chunk.pieces.begin(), chunk.pieces.end(),
                                                  schema::Piece{pool, b}) != chunk.pieces.end())
                wanted.insert(b);
        if (wanted.empty()) continue;
        auto letterbox =
            Letterbox::open(chunk.stream, chunk.spec.pools[std::size_t(pool)], chunk.spec.operations);
        if (!letterbox) return letterbox.error();
        batchers.emplace_back(chunk, pool, std::move(*letterbox), std::move(wanted), emit);
    }
    if (batchers.empty()) return {};
    Result<void> failed;
    const auto report = media::decode_chunk(
        chunk.stream, chunk.row, media::sampling_of(chunk.spec), packets, [&](const media::Decoded& d) {
            if (!d.sampled) return true;
            for (auto& b : batchers)
                if (auto ok = b.add(d); !ok) {
                    failed = ok;
                    return false;
                }
            return emit.reachable(chunk.home) && !emit.stopped(chunk.token) &&
                   !std::all_of(batchers.begin(), batchers.end(), [](const auto& b) { return b.done(); });
        });
    if (!failed) return failed;
    if (!report) return report.error();
    if (!emit.reachable(chunk.home) || emit.stopped(chunk.token)) return {};
    for (auto& b : batchers) b.finish(report->sampled_missing);
    return {};
}

std::optional<worker::Claim> PreprocessStage::claim(const bus::Envelope& item) const {
    const auto chunk = item.as<schema::ChunkMessage>();
    if (!chunk || chunk->row.batches < 0 || chunk->row.batches > most_batches) return std::nullopt;
    worker::Claim claim{chunk->token, chunk->home, chunk->pieces};
    if (claim.pieces.empty()) {
        claim.pieces.emplace_back();
        for (std::int32_t pool = 0; pool < std::int32_t(chunk->spec.pools.size()); ++pool)
            for (std::int32_t b = 0; b < chunk->row.batches; ++b) claim.pieces.push_back({pool, b});
    }
    return claim;
}

void PreprocessStage::narrow(bus::Envelope& item, const std::vector<schema::Piece>& pieces) {
    auto chunk = item.as<schema::ChunkMessage>();
    if (!chunk) return;
    chunk->pieces = pieces;
    auto narrowed = bus::Envelope::make(*chunk);
    narrowed.payload = std::move(item.payload);
    item = std::move(narrowed);
}

void PreprocessStage::work(bus::Envelope& item, worker::Emit& emit) {
    const auto chunk = item.as<schema::ChunkMessage>();
    if (!chunk || item.payload.empty()) {
        log::warn("bad_message", "{}", chunk ? "a chunk without packets" : chunk.error().message);
        return;
    }
    if (!emit.reachable(chunk->home)) return;
    const auto ok = batches(*chunk, item.part(0), emit);
    if (!ok) {
        schema::Fail fail;
        fail.token = chunk->token;
        fail.code = code_name(ok.error().code);
        fail.message = ok.error().text();
        return emit.request(fail);
    }
    if (chunk->pieces.empty() ||
        std::find(chunk->pieces.begin(), chunk->pieces.end(), schema::Piece{}) != chunk->pieces.end()) {
        schema::SourceMessage m;
        m.token = chunk->token;
        emit.to_home(chunk->home, bus::Envelope::make(m).with(std::move(item.payload[0])));
    }
}

}  // namespace sl::preprocess
