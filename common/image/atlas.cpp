#include "common/image/atlas.hpp"

#include <iterator>
#include <span>

#include "common/image/atlas_data.hpp"

namespace sl::image {
namespace {
constexpr char32_t first_code = 32, last_code = 126;

int level(const char* pixels, int i) {
    const int c = pixels[i / 2];
    const int v = (c > '\\' ? c - 1 : c) - '#';
    return i % 2 == 0 ? v / 8 : v % 8;
}
}  // namespace

struct Font::Source {
    int height;
    std::span<const Packed> glyphs;
    int scale;  // every pixel becomes scale × scale
};

Font::Font(const Source& source) : height_(source.height * source.scale) {
    const int s = source.scale;
    std::size_t total = 0;
    for (const Packed& p : source.glyphs) total += std::size_t(p.width * p.height * s * s);
    alpha_.reserve(total);  // glyphs point into it
    for (const Packed& p : source.glyphs) {
        glyphs_.push_back(
            {p.advance * s, p.left * s, p.top * s, p.width * s, p.height * s, alpha_.data() + alpha_.size()});
        for (int y = 0; y < p.height * s; ++y)
            for (int x = 0; x < p.width * s; ++x)
                alpha_.push_back(std::uint8_t((level(p.pixels, y / s * p.width + x / s) * 128 + 3) / 7));
    }
}

const Glyph& Font::glyph(char32_t code) const {
    return glyphs_[(code < first_code || code > last_code ? U'?' : code) - first_code];
}

int Font::width(std::string_view utf8) const {
    int width = 0;
    while (!utf8.empty()) width += glyph(next_code_point(utf8)).advance;
    return width;
}

const Font& font_for(int side) {
    static const Font small(Font::Source{ascent_12 + descent_12, glyphs_12, 1});
    static const Font medium(Font::Source{ascent_17 + descent_17, glyphs_17, 1});
    static const Font large(Font::Source{ascent_25 + descent_25, glyphs_25, 1});
    static const Font huge(Font::Source{ascent_25 + descent_25, glyphs_25, 2});
    return side < 540 ? small : side < 900 ? medium : side < 1600 ? large : huge;
}

char32_t next_code_point(std::string_view& utf8) {
    const auto lead = static_cast<unsigned char>(utf8.front());
    const std::size_t length = lead < 0x80       ? 1
                               : lead >> 5 == 6  ? 2
                               : lead >> 4 == 14 ? 3
                               : lead >> 3 == 30 ? 4
                                                 : 0;
    char32_t code = length == 1 ? lead : lead & (0x7f >> length);
    bool whole = length > 0 && length <= utf8.size();
    for (std::size_t i = 1; whole && i < length; ++i) {
        const auto next = static_cast<unsigned char>(utf8[i]);
        whole = next >> 6 == 2;
        code = code << 6 | (next & 0x3f);
    }
    utf8.remove_prefix(whole ? length : 1);
    return whole ? code : U'\uFFFD';
}

}  // namespace sl::image
