// The part that json, csv, webvtt, tracks and coco share (kind "result"): the detected frames of one chunk,
// one packed schema::Detections. Frames between samples are only in the part of mot (kind "shown"), which is
// built alike.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "workers/annotate/exporter.hpp"

namespace sl::annotate {

inline constexpr const char* result_kind = "result";
inline constexpr const char* result_ext = "result.msgpack";

inline constexpr const char* shown_kind = "shown";
inline constexpr const char* shown_ext = "shown.msgpack";

Result<std::unique_ptr<PartWriter>> open_result_part(const ChunkContext& context, const std::string& path);
Result<std::unique_ptr<PartWriter>> open_shown_part(const ChunkContext& context, const std::string& path);

// Every frame in the parts of the finished chunks, in order; one part in memory at a time.
Result<void> for_each_result(const JoinContext& context,
                             const std::function<void(const schema::FrameBoxes&)>& each);

// Name of a box's class; "class 7" where the pool names none. Name of its pool; empty for none.
std::string class_name(const schema::JobSpec& spec, const schema::Box& box);
std::string pool_name(const schema::JobSpec& spec, const schema::Box& box);
// File name of a picture of an images stream; empty for a video.
std::string picture_name(const schema::StreamInfo& stream, std::int64_t frame);

}  // namespace sl::annotate
