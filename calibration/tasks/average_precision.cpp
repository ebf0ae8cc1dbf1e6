// Average precision. Read average_precision() at the end.
#include "calibration/tasks/average_precision.h"

#include <algorithm>
#include <array>
#include <map>

namespace quantize {

namespace {

constexpr size_t kThresholds = 10;

double threshold_of(size_t step) {
  constexpr double kFirst = 0.5, kStep = 0.05;
  return kFirst + kStep * static_cast<double>(step);
}

/// A box of one class that counts, and at which thresholds it is right or counts nowhere.
struct Judged {
  double score;
  std::array<bool, kThresholds> right = {}, ignored = {};
};

/// All samples' boxes of one class.
struct ClassBoxes {
  std::vector<Judged> found;
  size_t labelled = 0;  // without crowds
};

double overlap_with(const Box& found, const TruthBox& truth) {
  if (!truth.crowd) return overlap(found, truth);
  return area(found) > 0 ? shared_area(found, truth) / area(found) : 0;
}

/// The labelled box that a box takes: of the largest overlap, a crowd only where nothing else is left. The number
/// of all if there is none.
size_t taken_by(const Box& found, const std::vector<TruthBox>& truth, const std::vector<bool>& taken,
                double threshold) {
  size_t best = truth.size();
  double most = std::min(threshold, 1 - 1e-10);
  for (size_t t = 0; t < truth.size(); ++t) {
    if (taken[t] && !truth[t].crowd) continue;
    if (best != truth.size() && !truth[best].crowd && truth[t].crowd) break;
    const double shared = overlap_with(found, truth[t]);
    if (shared < most) continue;
    most = shared;
    best = t;
  }
  return best;
}

/// Boxes of one class in one sample. Requires: crowds behind all others.
void judge(const std::vector<Box>& found, const std::vector<TruthBox>& truth, ClassBoxes& boxes) {
  const size_t count = std::min(found.size(), kMostOfClass), first = boxes.found.size();
  for (size_t f = 0; f < count; ++f) boxes.found.push_back({.score = found[f].score});
  for (const TruthBox& box : truth) boxes.labelled += !box.crowd;
  for (size_t step = 0; step < kThresholds; ++step) {
    std::vector<bool> taken(truth.size(), false);
    for (size_t f = 0; f < count; ++f) {
      const size_t t = taken_by(found[f], truth, taken, threshold_of(step));
      if (t == truth.size()) continue;
      taken[t] = true;
      (truth[t].crowd ? boxes.found[first + f].ignored : boxes.found[first + f].right)[step] = true;
    }
  }
}

/// Mean precision at 101 recalls.
double precision_of(const ClassBoxes& boxes, size_t step) {
  constexpr int kRecalls = 100;
  std::vector<double> recalls, precisions;
  double right = 0, all = 0;
  for (const Judged& box : boxes.found) {
    if (box.ignored[step]) continue;
    right += box.right[step];
    all += 1;
    recalls.push_back(right / static_cast<double>(boxes.labelled));
    precisions.push_back(right / all);
  }
  for (size_t i = precisions.size(); i > 1; --i)
    precisions[i - 2] = std::max(precisions[i - 2], precisions[i - 1]);
  double sum = 0;
  for (int r = 0; r <= kRecalls; ++r) {
    const auto at = std::lower_bound(recalls.begin(), recalls.end(), static_cast<double>(r) / kRecalls);
    if (at != recalls.end()) sum += precisions[static_cast<size_t>(at - recalls.begin())];
  }
  return sum / (kRecalls + 1);
}

std::map<size_t, ClassBoxes> by_class(const std::vector<LabelledBoxes>& samples) {
  std::map<size_t, ClassBoxes> classes;
  for (const LabelledBoxes& sample : samples) {
    std::map<size_t, std::pair<std::vector<Box>, std::vector<TruthBox>>> parts;
    for (const Box& box : sample.found) parts[box.label].first.push_back(box);
    for (const TruthBox& box : sample.truth) parts[box.label].second.push_back(box);
    for (auto& [label, part] : parts) {
      std::stable_partition(part.second.begin(), part.second.end(),
                            [](const TruthBox& box) { return !box.crowd; });
      judge(part.first, part.second, classes[label]);
    }
  }
  return classes;
}

}  // namespace

AveragePrecision average_precision(const std::vector<LabelledBoxes>& samples) {
  std::array<double, kThresholds> sums = {};
  double classes = 0;
  for (auto& [label, boxes] : by_class(samples)) {
    if (boxes.labelled == 0) continue;
    std::stable_sort(boxes.found.begin(), boxes.found.end(),
                     [](const Judged& a, const Judged& b) { return a.score > b.score; });
    classes += 1;
    for (size_t step = 0; step < kThresholds; ++step) sums[step] += precision_of(boxes, step);
  }
  if (classes == 0) return {};
  double all = 0;
  for (const double sum : sums) all += sum;
  return {.at_50_to_95 = all / (classes * kThresholds), .at_50 = sums[0] / classes};
}

}  // namespace quantize
