// Letterbox: a decoded frame → the uint8 tensor that a model wants, with the map back.
//
// One swscale pass from the coded planes (YUV of any kind, RGB, palette) to planar RGB of the model's size,
// BILINEAR (which averages when it shrinks), then the turn on the small planes. Flags and colour as the same
// bytes on every CPU need them: BILINEAR | ACCURATE_RND | BITEXACT | FULL_CHR_H_INT; matrix and range come
// from the frame (unspecified: BT.601, limited).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "schema/mapping.hpp"
#include "schema/result.hpp"
#include "schema/types.hpp"

struct AVFrame;

namespace sl::preprocess {

// Made for one stream and one pool; used by one thread at a time. Pure: the same frame, the same bytes.
class Letterbox {
public:
    // invalid_argument: a pool without a size, an unknown colour order or letterbox mode, a wrong operation.
    static Result<Letterbox> open(const schema::StreamInfo& stream, const schema::PoolSpec& pool,
                                  std::span<const schema::Operation> operations);
    ~Letterbox();
    Letterbox(Letterbox&&) noexcept;
    Letterbox& operator=(Letterbox&&) noexcept;

    std::size_t tensor_bytes() const;  // 3 × height × width

    // frame: as decoded, not upright, any size and pixel format; borrowed, not written.
    // tensor: tensor_bytes() bytes, written whole: planes in the pool's colour order, rows top to bottom.
    // bad_media: a frame without pixels or of a format that swscale does not read.
    Result<schema::Mapping> convert(const AVFrame& frame, std::span<std::uint8_t> tensor);

private:
    struct State;
    explicit Letterbox(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace sl::preprocess
