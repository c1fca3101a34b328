#include "workers/annotate/marks.hpp"

#include <fmt/format.h>

#include "workers/annotate/result.hpp"

namespace sl::annotate {

std::vector<image::Mark> marks_of(const schema::JobSpec& spec, std::span<const schema::Box> boxes) {
    std::vector<image::Mark> marks;
    for (const schema::Box& b : boxes)
        marks.push_back({b.x, b.y, b.width, b.height, b.class_id,
                         fmt::format("{}{} {:.2f}", class_name(spec, b),
                                     b.track > 0 ? fmt::format(" #{}", b.track) : "", b.score)});
    return marks;
}

}  // namespace sl::annotate
