#include "common/image/atlas.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sl::image {
namespace {

TEST(Atlas, EveryPrintableCharacterHasInkInsideItsLine) {
    for (const int side : {100, 720, 1080, 2160}) {
        const Font& font = font_for(side);
        for (char32_t c = U'!'; c <= U'~'; ++c) {
            const Glyph& g = font.glyph(c);
            const auto ink = std::max_element(g.alpha, g.alpha + std::ptrdiff_t(g.width) * g.height);
            EXPECT_GT(*ink, 100) << side << " " << int(c);
            EXPECT_LE(*ink, 128) << side << " " << int(c);
            EXPECT_GE(g.top, 0);
            EXPECT_LE(g.top + g.height, font.height());
            EXPECT_GT(g.advance, 0);
        }
        EXPECT_EQ(font.glyph(U' ').width, 0);
        EXPECT_GT(font.glyph(U' ').advance, 0);
    }
}

TEST(Atlas, TextGrowsWithThePicture) {
    EXPECT_EQ(font_for(2).height(), 13);
    EXPECT_EQ(font_for(576).height(), 18);
    EXPECT_EQ(font_for(1080).height(), 26);
    EXPECT_EQ(font_for(2160).height(), 52);
    EXPECT_EQ(font_for(2160).width("person 0.87"), 2 * font_for(1080).width("person 0.87"));
}

TEST(Atlas, WhatItLacksReadsAsQuestionMark) {
    const Font& font = font_for(720);
    EXPECT_EQ(&font.glyph(U'人'), &font.glyph(U'?'));
    EXPECT_EQ(&font.glyph(U'\n'), &font.glyph(U'?'));
    EXPECT_EQ(font.width("人a"), font.width("?a"));
}

TEST(Atlas, CodePointsAreReadFromUtf8AndBrokenBytesOneByOne) {
    std::string_view text = "a\xc3\xa9\xe4\xba\xba\xf0\x9f\x98\x80";
    for (const char32_t want : {U'a', U'é', U'人', U'😀'}) EXPECT_EQ(next_code_point(text), want);
    EXPECT_TRUE(text.empty());

    std::string_view broken = "\x80\xc3x\xe4\xba";
    for (const char32_t want : {U'\uFFFD', U'\uFFFD', U'x', U'\uFFFD', U'\uFFFD'})
        EXPECT_EQ(next_code_point(broken), want);
    EXPECT_TRUE(broken.empty());
}

}  // namespace
}  // namespace sl::image
