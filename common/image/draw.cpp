#include "common/image/draw.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

extern "C" {
#include <libavutil/frame.h>
}

namespace sl::image {
namespace {

constexpr Color from_rgb(int r, int g, int b) {
    return {std::uint8_t(((66 * r + 129 * g + 25 * b + 128) >> 8) + 16),
            std::uint8_t(((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128),
            std::uint8_t(((112 * r - 94 * g - 18 * b + 128) >> 8) + 128)};
}

// Twenty hues, ordered so that the first few differ most. Each is clearly dark or clearly bright, so that
// text on it, white or black, reads.
constexpr std::array palette{
    from_rgb(60, 220, 90),   from_rgb(255, 140, 0),   from_rgb(20, 95, 235),   from_rgb(215, 20, 120),
    from_rgb(255, 230, 40),  from_rgb(0, 215, 230),   from_rgb(135, 45, 210),  from_rgb(205, 25, 25),
    from_rgb(180, 255, 60),  from_rgb(255, 165, 205), from_rgb(0, 110, 100),   from_rgb(130, 70, 20),
    from_rgb(170, 200, 255), from_rgb(100, 100, 0),   from_rgb(255, 145, 125), from_rgb(0, 60, 170),
    from_rgb(140, 255, 200), from_rgb(120, 0, 65),    from_rgb(205, 165, 255), from_rgb(25, 100, 25),
};
constexpr bool bright(Color color) {
    return color.y > 120;
}

// A rectangle of whole pixels: [x0, x1) × [y0, y1).
struct Rect {
    int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    bool empty() const { return x0 >= x1 || y0 >= y1; }
};

int even_down(float v) {
    return int(std::floor(v / 2)) * 2;
}
int even_up(float v) {
    return int(std::ceil(v / 2)) * 2;
}

// The mark's outline inside the picture; empty when nothing of it can be seen.
Rect outline(const AVFrame& picture, const Mark& m) {
    const auto w = float(picture.width), h = float(picture.height);
    const float right = m.x + m.width, bottom = m.y + m.height;
    if (!std::isfinite(right) || !std::isfinite(bottom) || !(m.width >= 0) || !(m.height >= 0)) return {};
    if (m.x >= w || m.y >= h || right <= 0 || bottom <= 0) return {};
    return {even_down(std::max(m.x, 0.f)), even_down(std::max(m.y, 0.f)), even_up(std::min(right, w)),
            even_up(std::min(bottom, h))};
}

void fill_plane(std::uint8_t* plane, int stride, Rect r, std::uint8_t value) {
    for (int y = r.y0; y < r.y1; ++y)
        std::memset(plane + std::ptrdiff_t(y) * stride + r.x0, value, std::size_t(r.x1 - r.x0));
}

void draw_outline(AVFrame& picture, Rect r, int line, Color color) {
    fill(picture, r.x0, r.y0, r.x1, std::min(r.y0 + line, r.y1), color);
    fill(picture, r.x0, std::max(r.y1 - line, r.y0), r.x1, r.y1, color);
    fill(picture, r.x0, r.y0, std::min(r.x0 + line, r.x1), r.y1, color);
    fill(picture, std::max(r.x1 - line, r.x0), r.y0, r.x1, r.y1, color);
}

void draw_label(AVFrame& picture, Rect box, const Font& font, std::string_view text, Color color) {
    const int pad = std::max(2, font.height() / 8);
    const int width = (font.width(text) + 2 * pad + 1) & ~1, height = (font.height() + 3) & ~1;
    const int x = std::max(0, std::min(box.x0, (picture.width - width) & ~1));
    int y = box.y0 - height;
    if (y < 0) y = box.y1 - box.y0 >= 2 * height ? box.y0 : box.y1;
    if (y + height > picture.height) y = std::max(0, (picture.height - height) & ~1);
    fill(picture, x, y, x + width, y + height, color);
    draw_text(picture, x + pad, y + (height - font.height()) / 2, font, text, bright(color) ? 16 : 235);
}

}  // namespace

Color color_of(int class_id) {
    return palette[unsigned(class_id) % palette.size()];
}

void fill(AVFrame& picture, int x0, int y0, int x1, int y1, Color color) {
    const Rect r{std::max(x0 & ~1, 0), std::max(y0 & ~1, 0), std::min((x1 + 1) & ~1, picture.width),
                 std::min((y1 + 1) & ~1, picture.height)};
    if (r.empty()) return;
    const Rect half{r.x0 / 2, r.y0 / 2, (r.x1 + 1) / 2, (r.y1 + 1) / 2};
    fill_plane(picture.data[0], picture.linesize[0], r, color.y);
    fill_plane(picture.data[1], picture.linesize[1], half, color.u);
    fill_plane(picture.data[2], picture.linesize[2], half, color.v);
}

void draw_text(AVFrame& picture, int x, int y, const Font& font, std::string_view utf8, std::uint8_t luma) {
    while (!utf8.empty() && x < picture.width) {
        const Glyph& g = font.glyph(next_code_point(utf8));
        const int left = x + g.left, top = y + g.top;
        const int from = std::max(0, -left), to = std::min(g.width, picture.width - left);
        for (int row = std::max(0, -top); row < std::min(g.height, picture.height - top); ++row) {
            std::uint8_t* out = picture.data[0] + std::ptrdiff_t(top + row) * picture.linesize[0] + left;
            const std::uint8_t* alpha = g.alpha + std::ptrdiff_t(row) * g.width;
            for (int i = from; i < to; ++i)
                out[i] = std::uint8_t((out[i] * (128 - alpha[i]) + luma * alpha[i] + 64) >> 7);
        }
        x += g.advance;
    }
}

void draw_marks(AVFrame& picture, std::span<const Mark> marks) {
    const int side = std::min(picture.width, picture.height);
    const int line = std::max(2, (side + 240) / 540 * 2);
    const Font& font = font_for(side);
    for (std::size_t i = marks.size(); i-- > 0;) {
        const Rect r = outline(picture, marks[i]);
        if (!r.empty()) draw_outline(picture, r, line, color_of(marks[i].class_id));
    }
    for (std::size_t i = marks.size(); i-- > 0;) {
        const Rect r = outline(picture, marks[i]);
        if (r.empty() || marks[i].label.empty()) continue;
        draw_label(picture, r, font, marks[i].label, color_of(marks[i].class_id));
    }
}

}  // namespace sl::image
