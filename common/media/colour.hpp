// Colour: what the I420 pictures of a stream mean. Range and matrix are kept as coded; only pictures that
// are no YUV are given a matrix.
#pragma once

#include "common/media/libav.hpp"

namespace sl::media {

struct Colour {
    AVColorRange range = AVCOL_RANGE_UNSPECIFIED;  // JPEG, or anything else: limited
    AVColorPrimaries primaries = AVCOL_PRI_UNSPECIFIED;
    AVColorTransferCharacteristic transfer = AVCOL_TRC_UNSPECIFIED;
    AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
    AVChromaLocation chroma = AVCHROMA_LOC_UNSPECIFIED;
};

// From the codec record of a stream (StreamInfo.codec). bad_message: no such record.
Result<Colour> stream_colour(const schema::StreamInfo& stream);

// yuvj420p and its kin, and grey pictures, are full range whatever they say.
bool full_range(AVPixelFormat format, AVColorRange range);
// 8-bit planar 4:2:0, of either range.
bool is_i420(int format);

// A scaler that repeats its bytes on every CPU. `space` and `full` describe the YUV side or sides.
Result<ScalerPtr> open_scaler(int from_width, int from_height, AVPixelFormat from, bool from_full,
                              int to_width, int to_height, AVPixelFormat to, bool to_full,
                              AVColorSpace space);

}  // namespace sl::media
