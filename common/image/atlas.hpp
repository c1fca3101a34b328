// The glyph atlas: text as alpha bitmaps, the same bits on every machine (see atlas_data.hpp).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sl::image {

// Borrowed from its Font. alpha: height × width, 0 (paper) … 128 (ink).
struct Glyph {
    int advance = 0;
    int left = 0, top = 0;
    int width = 0, height = 0;
    const std::uint8_t* alpha = nullptr;
};

// One size of the atlas. Immutable; any thread may use it.
class Font {
public:
    struct Source;
    explicit Font(const Source& source);
    Font(const Font&) = delete;
    Font& operator=(const Font&) = delete;

    int height() const { return height_; }  // pixels from the highest ascender to the lowest descender
    // The glyph of a code point; '?' for what the atlas lacks (all but printable ASCII).
    const Glyph& glyph(char32_t code) const;
    int width(std::string_view utf8) const;  // of a line of text, in pixels

private:
    int height_;
    std::vector<std::uint8_t> alpha_;
    std::vector<Glyph> glyphs_;
};

// The size that reads well on a picture whose shorter side is `side` pixels: 13 px a line below 540,
// 18 below 900, 26 below 1600, 52 above.
const Font& font_for(int side);

// Takes the first code point off `utf8`, which must not be empty. A broken byte reads as U+FFFD.
char32_t next_code_point(std::string_view& utf8);

}  // namespace sl::image
