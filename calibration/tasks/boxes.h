// Detected objects, and those that two networks have in common.
#pragma once

#include <cstddef>
#include <vector>

namespace quantize {

/// A detected object: corners, score and class.
struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0;
  size_t label = 0;
};

constexpr double kSameObject = 0.5;  // intersection over union from which two boxes show one object

/// Area; 0 of a box whose corners are crossed.
double area(const Box& box);
/// Area that two boxes share.
double shared_area(const Box& a, const Box& b);
/// Intersection over union; 0 where both are empty.
double overlap(const Box& a, const Box& b);

/// Two boxes of one object, by their places in their lists.
struct BoxMatch {
  size_t reference, candidate;
  double overlap;
};

/// Partners of one class with an overlap of at least kSameObject. The boxes of the reference choose in their order the
/// candidate of the largest overlap that is left.
std::vector<BoxMatch> match_boxes(const std::vector<Box>& reference, const std::vector<Box>& candidate);

/// Without the boxes that overlap a better one of the same class by more than `most`.
/// Requires: the best first.
std::vector<Box> without_doubles(const std::vector<Box>& boxes, double most);

/// True if box a has the higher score. One that is no number is below all others.
bool is_better(const Box& a, const Box& b);
/// Orders by score, the best first.
void sort_by_score(std::vector<Box>& boxes);

}  // namespace quantize
