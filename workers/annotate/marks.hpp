// Marks: boxes as they are drawn into pictures: in the annotated video, in snapshots, for who looks on.
#pragma once

#include <span>
#include <vector>

#include "common/image/draw.hpp"
#include "schema/types.hpp"

namespace sl::annotate {

// One a box, in their order: "person #3 0.82", without a track "person 0.82".
std::vector<image::Mark> marks_of(const schema::JobSpec& spec, std::span<const schema::Box> boxes);

}  // namespace sl::annotate
