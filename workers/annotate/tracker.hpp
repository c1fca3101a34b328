// Tracker: which boxes of a stream's detected frames are the same object. Pure and deterministic: the same
// frames give the same tracks, wherever the stream is cut and whoever goes on with the state.
//
// "bytetrack": Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, ECCV 2022.
// Boxes of at least `high` are matched first, with all tracks; then the weak ones, down to `low`, with the
// tracks that were seen on the frame before and found no strong box; what strong boxes are left continue
// tracks that do not count yet, or begin new ones. "sort": Bewley et al., Simple Online and Realtime
// Tracking, ICIP 2016: strong boxes alone, and a track that finds none ends at once. Here to compare with.
// "none": every box has track 0.
//
// Both predict boxes with ByteTrack's Kalman filter (centre, aspect, height, and how fast each changes), in
// media time, so that sampled frames are followed like all others. Boxes match by overlap (IoU), within one
// class of one pool, so that the sum of overlaps is largest.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::annotate {

class Tracker {
public:
    Tracker(schema::TrackerSpec spec, schema::Rational time_base);

    // A state as save() left it; empty: of a stream's beginning. bad_message: it is none, and nothing
    // changed.
    Result<void> load(const schema::Bytes& packed);
    schema::Bytes save() const;

    // The next detected frame. Returns its boxes, in their order, with Box::track set; 0 where no track has
    // it, or one that was not seen on confirm_frames detected frames in a row yet. Numbers are given in the
    // order of confirmation, from 1, and never again.
    std::vector<schema::Box> update(const schema::FrameBoxes& frame);

    // `box` of a frame at `from`, as its track's speed moves it until `to`; a box without a track stays.
    schema::Box moved(const schema::Box& box, std::int64_t from, std::int64_t to) const;

private:
    // One coordinate and its speed, and their covariances. Floats, so that what is saved is what goes on.
    struct Axis {
        float at = 0, speed = 0;  // pixels (aspect: none), and the same per 1/30 s
        float p_at = 0, p_both = 0, p_speed = 0;
        void predict(double steps, double noise_at, double noise_speed);
        void correct(double measured, double noise);
    };
    struct Track {
        std::int64_t id = 0;  // 0: not confirmed
        std::int32_t pool = 0, class_id = 0;
        std::int32_t hits = 0;       // detected frames in a row so far
        bool lost = false;           // not seen on the last detected frame
        std::int64_t seen = 0;       // pts
        std::array<Axis, 4> axes{};  // centre x, centre y, width ÷ height, height

        schema::Box box() const;  // where it is thought to be
        void begin(const schema::Box& seen_as);
        void predict(double steps);
        void correct(const schema::Box& seen_as);
    };
    struct Match {
        std::size_t track, box;
    };

    double seconds(std::int64_t ticks) const;
    void predict(std::int64_t pts);
    std::vector<Match> match(const std::vector<std::size_t>& tracks, const std::vector<std::size_t>& boxes,
                             const schema::FrameBoxes& frame, double least) const;

    const schema::TrackerSpec spec_;
    const schema::Rational time_base_;
    std::vector<Track> tracks_;     // by their beginning
    std::int64_t given_ = 0;        // the last number
    std::int64_t pts_ = INT64_MIN;  // of the last detected frame
};

}  // namespace sl::annotate
