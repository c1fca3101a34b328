#include "common/image/draw.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/files.hpp"

extern "C" {
#include <libavutil/frame.h>
}

namespace sl::image {
namespace {

constexpr std::uint8_t paper = 100, guard = 7;
constexpr float inf = std::numeric_limits<float>::infinity();

// An I420 picture whose planes are surrounded by guard bytes, also between the rows.
class Picture {
public:
    Picture(int width, int height) {
        frame.width = width;
        frame.height = height;
        frame.format = AV_PIX_FMT_YUV420P;
        for (int p = 0; p < 3; ++p) {
            const int w = p == 0 ? width : (width + 1) / 2, h = p == 0 ? height : (height + 1) / 2;
            frame.linesize[p] = w + 2 * margin;
            planes_[p].assign(std::size_t(frame.linesize[p]) * std::size_t(h + 2 * margin), guard);
            frame.data[p] = planes_[p].data() + margin * frame.linesize[p] + margin;
            for (int y = 0; y < h; ++y) std::fill_n(frame.data[p] + y * frame.linesize[p], w, paper);
        }
    }
    int y(int column, int row) const { return frame.data[0][row * frame.linesize[0] + column]; }
    Color at(int column, int row) const {
        const int c = row / 2 * frame.linesize[1] + column / 2;
        return {std::uint8_t(y(column, row)), frame.data[1][c], frame.data[2][c]};
    }
    bool guards_hold() const {
        for (int p = 0; p < 3; ++p) {
            const int w = frame.linesize[p] - 2 * margin;
            const int h = int(planes_[p].size()) / frame.linesize[p] - 2 * margin;
            for (int i = 0; i < int(planes_[p].size()); ++i) {
                const int column = i % frame.linesize[p] - margin, row = i / frame.linesize[p] - margin;
                const bool inside = column >= 0 && column < w && row >= 0 && row < h;
                if (!inside && planes_[p][std::size_t(i)] != guard) return false;
            }
        }
        return true;
    }
    std::string digest() const {
        std::string all;
        for (const auto& plane : planes_) all.append(plane.begin(), plane.end());
        return files::sha256(all);
    }

    AVFrame frame{};

private:
    static constexpr int margin = 8;
    std::vector<std::uint8_t> planes_[3];
};

std::vector<Mark> street() {
    return {{10.4f, 40.7f, 60, 80, 0, "person 0.87"},
            {300, 2, 100, 100, 2, "car 0.51"},
            {-20, 200, 60, 300, 7, "truck 1.00"},
            {120, 120, 3, 3, 9, "Ampel größer 0.30"}};
}

TEST(Draw, BoxOutlineLiesOnEvenPixelsAndLeavesTheRestAlone) {
    Picture p(200, 100);
    draw_marks(p.frame, std::vector<Mark>{{21.5f, 31.5f, 50, 40, 3, ""}});
    const Color color = color_of(3), background{paper, paper, paper};
    for (const auto& [x, y] :
         {std::pair{20, 30}, {21, 31}, {71, 30}, {20, 71}, {71, 71}, {45, 31}, {45, 70}, {21, 50}, {70, 50}})
        EXPECT_EQ(p.at(x, y), color) << x << "," << y;
    for (const auto& [x, y] :
         {std::pair{19, 50}, {22, 50}, {69, 50}, {72, 50}, {45, 29}, {45, 32}, {45, 69}, {45, 72}})
        EXPECT_EQ(p.at(x, y), background) << x << "," << y;
}

TEST(Draw, LinesGrowWithThePicture) {
    for (const auto& [height, line] : {std::pair{120, 2}, {480, 2}, {720, 2}, {1080, 4}, {2160, 8}}) {
        Picture p(height * 16 / 9, height);
        draw_marks(p.frame, std::vector<Mark>{{20, 20, 80, 80, 0, ""}});
        EXPECT_EQ(p.y(60, 20 + line - 1), color_of(0).y) << height;
        EXPECT_EQ(p.y(60, 20 + line), paper) << height;
    }
}

// Where the first row and column of the label's fill is, found by its colour.
std::pair<int, int> label_corner(const Picture& p, Color color, int from_row) {
    for (int y = from_row; y < p.frame.height; ++y)
        for (int x = 0; x < p.frame.width; ++x)
            if (p.at(x, y) == color) return {x, y};
    return {-1, -1};
}

TEST(Draw, LabelGoesAboveItsBoxElseInsideElseBelow) {
    const int height = 16;  // of a label on a small picture
    Picture above(320, 240);
    draw_marks(above.frame, std::vector<Mark>{{40, 60, 100, 100, 1, "dog 0.50"}});
    EXPECT_EQ(label_corner(above, color_of(1), 0), std::pair(40, 60 - height));

    Picture inside(320, 240);
    draw_marks(inside.frame, std::vector<Mark>{{40, 4, 100, 100, 1, "dog 0.50"}});
    EXPECT_EQ(label_corner(inside, color_of(1), 0), std::pair(40, 4));
    EXPECT_EQ(inside.y(41, 4 + height - 1), color_of(1).y);
    EXPECT_EQ(inside.y(45, 4 + height), paper);

    Picture below(320, 240);
    draw_marks(below.frame, std::vector<Mark>{{40, 4, 20, 20, 1, "dog 0.50"}});
    EXPECT_EQ(below.y(70, 25), color_of(1).y);  // right of the box, under its lower edge
    EXPECT_EQ(below.y(70, 10), paper);

    Picture right(320, 240);
    draw_marks(right.frame, std::vector<Mark>{{300, 60, 18, 18, 1, "dog 0.50"}});
    EXPECT_EQ(right.y(319, 60 - height), color_of(1).y);
    EXPECT_LT(label_corner(right, color_of(1), 0).first, 300);
}

TEST(Draw, TextChangesLumaOnly) {
    Picture p(320, 240);
    draw_text(p.frame, 10, 10, font_for(240), "person", 235);
    int brightest = 0;
    for (int y = 10; y < 30; ++y)
        for (int x = 10; x < 80; ++x) {
            brightest = std::max(brightest, p.y(x, y));
            EXPECT_EQ(p.at(x, y).u, paper);
            EXPECT_EQ(p.at(x, y).v, paper);
        }
    EXPECT_EQ(brightest, 235);
}

TEST(Draw, TextOnEveryColourHasContrast) {
    for (int id = 0; id < 20; ++id) {
        Picture p(320, 240);
        draw_marks(p.frame, std::vector<Mark>{{40, 60, 200, 100, id, "MMMM 0.50"}});
        int strongest = 0;
        for (int y = 44; y < 60; ++y)
            for (int x = 40; x < 100; ++x)
                strongest = std::max(strongest, std::abs(p.y(x, y) - color_of(id).y));
        EXPECT_GE(strongest, 125) << id;
        for (int other = 0; other < id; ++other) EXPECT_NE(color_of(id), color_of(other));
    }
    EXPECT_EQ(color_of(-1), color_of(-1));
    EXPECT_EQ(color_of(20), color_of(0));
}

TEST(Draw, StrongestMarkIsOnTop) {
    Picture p(320, 240);
    draw_marks(p.frame, std::vector<Mark>{{40, 60, 100, 100, 0, ""}, {40, 60, 100, 100, 1, ""}});
    EXPECT_EQ(p.at(40, 100), color_of(0));
}

TEST(Draw, NothingIsWrittenOutsideThePictureWhateverIsAsked) {
    for (const auto& [w, h] : {std::pair{1, 1}, {2, 2}, {3, 5}, {16, 2}, {2, 64}, {101, 57}, {321, 239}})
        for (const float x : {-1e30f, -50.f, -1.f, 0.f, 1.5f, float(w) - 1, float(w), 1e30f, inf, -inf, NAN})
            for (const float y : {-1e30f, -3.f, 0.f, float(h) - 1, float(h) + 9, NAN})
                for (const float size : {0.f, 1.f, 7.3f, 1000.f, 3e38f, -5.f, inf, NAN}) {
                    Picture p(w, h);
                    draw_marks(p.frame, std::vector<Mark>{{x, y, size, size, 4, "person 0.87"}});
                    draw_text(p.frame, w - 3, -5, font_for(h), "Wg|", 235);
                    ASSERT_TRUE(p.guards_hold()) << w << "x" << h << " box " << x << "," << y << " " << size;
                }
}

TEST(Draw, MarksThatCannotBeSeenAreNotDrawn) {
    Picture p(64, 64), untouched(64, 64);
    draw_marks(p.frame, std::vector<Mark>{{-50, 10, 20, 20, 1, "left 0.5"},
                                          {64, 10, 20, 20, 1, "right 0.5"},
                                          {NAN, 10, 20, 20, 1, "nan 0.5"},
                                          {10, 10, inf, 20, 1, "inf 0.5"},
                                          {10, 10, -5, 20, 1, "negative 0.5"}});
    EXPECT_EQ(p.digest(), untouched.digest());
}

// The bytes are part of the promise of equal artifacts: whoever changes them on purpose writes the new sum.
TEST(Draw, BytesAreKnown) {
    Picture p(640, 480);
    draw_marks(p.frame, street());
    EXPECT_EQ(p.digest(), "883e6b469474af1c1873dc1e6d5f64bd0bfb01c6d73c6b09bd11db6ab90138b5");
}

}  // namespace
}  // namespace sl::image
