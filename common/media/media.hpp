// The media path, from demuxer to joined MP4. Recipe and reasons: the measurements behind each rule are
// written at the code that keeps it. Everything here is single-threaded and deterministic: one decoder
// thread, one encoder thread, BITEXACT, cleared frame buffers. No function here knows of jobs or sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

struct AVFrame;

namespace sl::media {

struct FrameDeleter {
    void operator()(AVFrame* frame) const;
};
using FramePtr = std::unique_ptr<AVFrame, FrameDeleter>;

// Which frames are detected: every so many, or those of a grid in time.
struct Sampling {
    double fps = 0;          // 0: every frame
    std::int32_t every = 0;  // 0: by fps
    Sampling(double rate = 0, std::int32_t frames = 0) : fps(rate), every(frames) {}
};
Sampling sampling_of(const schema::JobSpec& spec);

// --- scan and cut ------------------------------------------------------------------------------------

struct ScanOptions {
    Sampling sampling;        // grid for Row.sampled / Row.batches
    double min_chunk_s = 2;   // a chunk ends at the first key at or after this
    double max_chunk_s = 30;  // keyframes rarer than this: recut
    std::int64_t max_chunk_bytes = 256ll << 20;
    std::string recut_path;      // absolute; where the lossless intermediate goes if one is needed
    std::function<bool()> stop;  // polled; true: give up with Errc::canceled
    std::function<void(std::int64_t frames)> progress;  // recut only: frames done
};

struct Scan {
    schema::StreamInfo
        stream;  // name, input left empty: the caller knows them; recut.path set non-empty iff recut
    std::vector<schema::Row> rows;
};

// Demuxes the whole file, decides whether it can be cut, re-cuts it to options.recut_path if not
// (written to a temporary name, fsynced, renamed; identical bytes for identical input), and returns the
// chunk table. bad_media: not a video, no video stream, nothing decodable.
Result<Scan> scan_file(const std::string& path, const ScanOptions& options);

// Cuts chunks out of a file that scan_file described (its recut file if it has one). Sequential calls
// (seq, seq + 1, …) read on; others seek or start over. The fingerprint of each row is checked.
class Cutter {
public:
    static Result<std::unique_ptr<Cutter>> open(const std::string& path, const schema::StreamInfo& stream);
    virtual ~Cutter() = default;
    // The packets of a chunk with its tail, packed (see pack_chunk): the payload of a `chunk` message.
    virtual Result<schema::Bytes> cut(const schema::Row& row) = 0;
};

// --- decode ------------------------------------------------------------------------------------------

// One decoded, kept frame of a chunk, in presentation order. `frame` is borrowed: valid during the call;
// native pixel format and size of the codec, not yet turned upright.
struct Decoded {
    const AVFrame* frame = nullptr;
    std::int64_t pts = 0;
    std::int64_t duration = 0;  // ticks, of the packet; 0: unknown
    std::int64_t ordinal = 0;   // Row.first_frame + index among the chunk's emitted packets by pts
    bool sampled = false;       // on the detection grid
};

struct DecodeReport {
    std::int64_t packets = 0;          // emitted packets
    std::int64_t frames = 0;           // frames kept
    std::int64_t sampled_missing = 0;  // sampled packets that yielded no frame
    std::int64_t errors = 0;           // packets that the decoder refused
};

// Decodes a chunk alone, in a decoder of its own. `each` returns false to stop early. bad_media when frames
// do not rise in pts or come without a packet: then timestamps lie and the stream must be recut.
Result<DecodeReport> decode_chunk(const schema::StreamInfo& stream, const schema::Row& row, Sampling sampling,
                                  std::span<const std::uint8_t> packed,
                                  const std::function<bool(const Decoded&)>& each);

// The detection grid: true when the frame at pts, the ordinal-th of its stream, opens a new cell.
bool on_grid(std::int64_t pts, std::int64_t prev_pts, std::int64_t start_pts, schema::Rational time_base,
             std::int64_t ordinal, Sampling sampling);

// --- pixels ------------------------------------------------------------------------------------------

// Any decoded frame → upright 8-bit I420 on the stream's canvas (even sides: odd ones padded by one
// replicated row or column), owned by the caller, safe to draw on. Keeps colour range as coded.
class Upright {
public:
    explicit Upright(const schema::StreamInfo& stream);
    ~Upright();
    Result<FramePtr> convert(const AVFrame& frame);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// --- encode, join ------------------------------------------------------------------------------------

struct EncodeOptions {
    std::string preset = "veryfast";
    int crf = 23;
};

// Encodes the frames of one chunk into one fMP4 segment (closed GOP, one thread, no B-frames).
// The frames' colour, size and SAR come from the stream, never from the chunk's first frame.
class SegmentEncoder {
public:
    static Result<std::unique_ptr<SegmentEncoder>> open(const schema::StreamInfo& stream, std::int64_t seq,
                                                        const EncodeOptions& options,
                                                        const std::string& path);
    virtual ~SegmentEncoder() = default;
    virtual Result<void> add(const AVFrame& upright, std::int64_t pts, std::int64_t duration) = 0;
    virtual Result<void> finish() = 0;  // flushes; the file is complete and fsynced
};

struct JoinReport {
    std::int64_t frames = 0;
    std::int64_t origin_pts = 0;  // subtracted from every pts
    std::string audio;            // "none" "copy" "aac" "dropped: why"
};

// Joins segments (in order) without a second encode into an MP4 with moov first, with the audio of
// `source_path` (absolute; empty: none). Writes to out_path directly (the caller renames).
// `segments` may be a prefix of the stream: then audio is clipped to it.
Result<JoinReport> join_segments(const schema::StreamInfo& stream, std::span<const std::string> segments,
                                 const std::string& source_path, const std::string& out_path);

// --- pictures ----------------------------------------------------------------------------------------

// Encodes an I420 or RGB24 frame as PNG (deterministic bytes), to out_path.
Result<void> write_png(const AVFrame& frame, const std::string& out_path);

// Versions of everything here that decides bytes: libav's decoders, scaler and muxer, and x264.
std::string engine();

}  // namespace sl::media
