#include "calibration/tasks/boxes.h"

#include <algorithm>
#include <cmath>

namespace quantize {

double area(const Box& box) {
  return std::max(box.x2 - box.x1, 0.0) * std::max(box.y2 - box.y1, 0.0);
}

double shared_area(const Box& a, const Box& b) {
  return area({.x1 = std::max(a.x1, b.x1),
               .y1 = std::max(a.y1, b.y1),
               .x2 = std::min(a.x2, b.x2),
               .y2 = std::min(a.y2, b.y2)});
}

double overlap(const Box& a, const Box& b) {
  const double both = shared_area(a, b), either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0;
}

std::vector<BoxMatch> match_boxes(const std::vector<Box>& reference, const std::vector<Box>& candidate) {
  std::vector<bool> taken(candidate.size(), false);
  std::vector<BoxMatch> matches;
  for (size_t r = 0; r < reference.size(); ++r) {
    BoxMatch best{r, candidate.size(), kSameObject};
    for (size_t c = 0; c < candidate.size(); ++c) {
      if (taken[c] || candidate[c].label != reference[r].label) continue;
      const double most = overlap(reference[r], candidate[c]);
      if (most > best.overlap || (best.candidate == candidate.size() && most == best.overlap))
        best = {r, c, most};
    }
    if (best.candidate == candidate.size()) continue;
    taken[best.candidate] = true;
    matches.push_back(best);
  }
  return matches;
}

std::vector<Box> without_doubles(const std::vector<Box>& boxes, double most) {
  std::vector<Box> kept;
  for (const Box& box : boxes)
    if (std::none_of(kept.begin(), kept.end(), [&](const Box& better) {
          return better.label == box.label && overlap(better, box) > most;
        }))
      kept.push_back(box);
  return kept;
}

bool is_better(const Box& a, const Box& b) {
  const auto key = [](const Box& box) { return std::isnan(box.score) ? -INFINITY : box.score; };
  return key(a) > key(b);
}

void sort_by_score(std::vector<Box>& boxes) {
  std::stable_sort(boxes.begin(), boxes.end(), is_better);
}

}  // namespace quantize
