// Non-maximum suppression: greedy, within each class.
#pragma once

#include <vector>

#include "schema/types.hpp"

namespace sl::detect {

// The one order of detections: by falling score, then class, x, y, width, height. Total, so that equal
// scores never depend on the order in which an engine lists its cells.
bool stronger(const schema::Box& a, const schema::Box& b);

// Intersection over union; 0 for boxes without area.
double iou(const schema::Box& a, const schema::Box& b);

// Keeps, by `stronger`, each box whose IoU with every kept box of its class is at most `limit`; at most
// max_boxes (below 0: none). Returned in that order.
std::vector<schema::Box> suppress(std::vector<schema::Box> boxes, double limit, int max_boxes);

// Score to 1e-3, sides to 1/64 px: takes away the last bits in which CPU classes differ, before any
// threshold looks. The box is then clipped to width × height; false when nothing is left of it.
bool settle(schema::Box& box, float width, float height);

}  // namespace sl::detect
