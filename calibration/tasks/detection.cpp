// Detection: boxes of objects with a score and a class.
#include <algorithm>
#include <cmath>

#include "calibration/tasks/average_precision.h"
#include "calibration/tasks/box_layout.h"
#include "calibration/tasks/box_rows.h"
#include "calibration/tasks/task.h"
#include "core/non_finite.h"

namespace quantize {

namespace {

/// Scores from which a box counts: kConfident, or half of the reference's best one where none is as high.
double threshold_of(const std::vector<SampleShare>& shares) {
  constexpr double kConfident = 0.25;
  double best = 0;
  for (const SampleShare& share : shares)
    if (!share.reference_boxes.empty()) best = std::max(best, share.reference_boxes.front().score);
  return best >= kConfident || best == 0 ? kConfident : best / 2;
}

std::vector<Box> above(double threshold, const std::vector<Box>& boxes) {
  std::vector<Box> counted = boxes;
  std::erase_if(counted, [&](const Box& box) { return !(box.score >= threshold); });
  return counted;
}

/// Sums over samples.
struct Found {
  size_t reference = 0, candidate = 0, matched = 0;
  double shift = 0, distance = 0, overlap = 0;

  std::optional<double> mean(double sum) const {
    return matched == 0 ? std::nullopt : std::optional(sum / static_cast<double>(matched));
  }
};

/// How boxes that a network finds are read beside labelled ones.
struct LabelReading {
  enum class Classes { kPlaces, kPlacesFromOne, kIds };
  Classes classes = Classes::kPlaces;
  bool y_first = false;

  std::string text() const {
    const char* const kinds[] = {"places among the categories", "places among the categories, from 1",
                                 "ids of the categories"};
    return std::string("classes are ") + kinds[static_cast<size_t>(classes)] +
           (y_first ? ", boxes y before x" : "");
  }
};

/// The box as the labels have it: its class a place among the categories, its corners in pixels of the image.
std::optional<Box> labelled(Box box, const Truth& truth, const LabelReading& reading, bool in_parts) {
  if (reading.y_first) {
    std::swap(box.x1, box.y1);
    std::swap(box.x2, box.y2);
  }
  const ImagePlacement& placed = truth.placement;
  const double width = in_parts ? static_cast<double>(placed.size.width) : 1,
               height = in_parts ? static_cast<double>(placed.size.height) : 1;
  box.x1 = (box.x1 * width - placed.left) / placed.scale_x;
  box.x2 = (box.x2 * width - placed.left) / placed.scale_x;
  box.y1 = (box.y1 * height - placed.top) / placed.scale_y;
  box.y2 = (box.y2 * height - placed.top) / placed.scale_y;
  if (reading.classes == LabelReading::Classes::kPlacesFromOne) {
    if (box.label == 0) return std::nullopt;
    --box.label;
  }
  if (reading.classes == LabelReading::Classes::kIds) {
    const std::vector<int64_t>& ids = *truth.categories;
    const auto found = std::find(ids.begin(), ids.end(), static_cast<int64_t>(box.label));
    if (found == ids.end()) return std::nullopt;
    box.label = static_cast<size_t>(found - ids.begin());
  }
  return box;
}

AveragePrecision precision_of(const std::vector<SampleShare>& shares, std::vector<Box> SampleShare::*boxes,
                              const LabelReading& reading) {
  double largest = 0;  // corner of the reference's boxes
  for (const SampleShare& share : shares)
    for (const Box& box : share.reference_found) largest = std::max({largest, box.x2, box.y2});
  constexpr double kPart = 2;  // no box of parts of the image ends so far outside
  std::vector<LabelledBoxes> samples;
  for (const SampleShare& share : shares) {
    if (!share.truth || !share.truth->boxes) continue;
    LabelledBoxes& sample = samples.emplace_back();
    sample.truth = *share.truth->boxes;
    for (const Box& box : share.*boxes)
      if (const auto found = labelled(box, *share.truth, reading, largest < kPart))
        sample.found.push_back(*found);
  }
  return average_precision(samples);
}

/// The reading by which the reference is right most often.
LabelReading likely_reading(const std::vector<SampleShare>& shares) {
  using Classes = LabelReading::Classes;
  LabelReading best;
  std::optional<double> most;
  for (const bool y_first : {false, true})
    for (const Classes classes : {Classes::kPlaces, Classes::kPlacesFromOne, Classes::kIds}) {
      const LabelReading reading{classes, y_first};
      const std::optional<double> found = precision_of(shares, &SampleShare::reference_found, reading).at_50;
      if (found <= most) continue;
      most = found;
      best = reading;
    }
  return best;
}

class Detection : public TaskMeasure {
 public:
  explicit Detection(BoxLayout layout) : layout_(std::move(layout)) {}

  void compare(const Pair& pair, SampleShare& share) const override {
    for (const auto* outputs : {&pair.all_of_reference, &pair.all_of_candidate})
      share.finite = share.finite && !has_non_finite((*outputs)[boxes_output()]);
    if (!share.finite) return;
    const double least = layout_.is_list ? 0 : kNoticed;
    share.reference_boxes = read_boxes(layout_, pair.all_of_reference, least);
    share.candidate_boxes = read_boxes(layout_, pair.all_of_candidate, least);
    if (!share.truth || !share.truth->boxes) return;
    share.reference_found = read_all_boxes(layout_, pair.all_of_reference);
    share.candidate_found = read_all_boxes(layout_, pair.all_of_candidate);
  }

  void total(std::vector<SampleShare>& shares, TaskFigures& figures) const override {
    using Unit = TaskFigure::Unit;
    const double threshold = threshold_of(shares);
    Found found;
    size_t not_finite = 0;
    for (SampleShare& share : shares) {
      not_finite += !share.finite;
      add(threshold, share, found);
    }
    // A sample that is not finite counts as a box without partner.
    const auto all = static_cast<double>(found.reference + found.candidate + not_finite);
    if (all > 0) figures.agreement = 200 * static_cast<double>(found.matched) / all;
    const auto count = [](size_t boxes) { return std::optional(static_cast<double>(boxes)); };
    figures.figures = {{"threshold", "", Unit::kNumber, threshold},
                       {"boxes/reference", "", Unit::kCount, count(found.reference)},
                       {"boxes/candidate", "", Unit::kCount, count(found.candidate)},
                       {"boxes/matched", "matched", Unit::kCount, count(found.matched)},
                       {"boxes/missed", "missed", Unit::kCount, count(found.reference - found.matched)},
                       {"boxes/extra", "extra", Unit::kCount, count(found.candidate - found.matched)},
                       {"mean_iou", "mean IoU", Unit::kNumber, found.mean(found.overlap)},
                       {"score_shift", "mean score shift", Unit::kNumber, found.mean(found.shift)},
                       {"score_distance", "", Unit::kNumber, found.mean(found.distance)}};
    add_labelled(shares, figures);
  }

  bool takes_boxes() const override { return true; }

  const char* agreement_words() const override {
    return "of the boxes of both models have a partner of the same class";
  }

  void align(std::vector<Tensor>& reference, std::vector<Tensor>& candidate) const override {
    if (layout_.is_list) align_lists(layout_, reference, candidate);
  }

  void pass_over(const std::vector<Tensor>& reference, std::vector<Tensor>& candidate) const override {
    if (layout_.is_list) return;
    const size_t scores = layout_.scores_output, boxes = boxes_output();
    const std::vector<bool> rows = noticed_rows(layout_, reference[scores], candidate[scores]);
    candidate[scores] = in_rows(rows, layout_.rows_last, reference[scores], candidate[scores]);
    if (boxes != scores)
      candidate[boxes] = in_rows(rows, layout_.rows_last, reference[boxes], candidate[boxes]);
  }

 private:
  static void add_labelled(const std::vector<SampleShare>& shares, TaskFigures& figures) {
    const LabelReading reading = likely_reading(shares);
    const AveragePrecision reference = precision_of(shares, &SampleShare::reference_found, reading),
                           candidate = precision_of(shares, &SampleShare::candidate_found, reading);
    if (!reference.at_50 || !candidate.at_50) return;
    const auto add = [&](const char* key, const char* words, const std::optional<double>& value) {
      figures.figures.push_back({key, words, TaskFigure::Unit::kNumber, value});
    };
    add("ap/reference", "AP with the labels", reference.at_50_to_95);
    add("ap/candidate", "->", candidate.at_50_to_95);
    add("ap50/reference", "AP50", reference.at_50);
    add("ap50/candidate", "->", candidate.at_50);
    figures.drop = 100 * (*reference.at_50_to_95 - *candidate.at_50_to_95);
    figures.note = reading.text();
  }

  size_t boxes_output() const { return layout_.boxes_output.value_or(layout_.scores_output); }

  static void add(double threshold, SampleShare& share, Found& found) {
    const std::vector<Box> reference = above(threshold, share.reference_boxes),
                           candidate = above(threshold, share.candidate_boxes);
    const std::vector<BoxMatch> matches = match_boxes(reference, candidate);
    for (const BoxMatch& match : matches) {
      const double shift = candidate[match.candidate].score - reference[match.reference].score;
      found.shift += shift;
      found.distance += std::abs(shift);
      found.overlap += match.overlap;
    }
    found.reference += reference.size();
    found.candidate += candidate.size();
    found.matched += matches.size();
    const size_t all = reference.size() + candidate.size();
    if (all > 0) share.likeness = 2 * static_cast<double>(matches.size()) / static_cast<double>(all);
  }

  BoxLayout layout_;
};

OutputTask task_of(const BoxLayout& layout, const std::string& reason) {
  return {&kDetectionTask, reason, std::make_shared<Detection>(layout)};
}

std::optional<OutputTask> recognize(const OutputView& output) {
  const std::optional<FoundLayout> found = find_layout(output);
  if (!found) return std::nullopt;
  return found->layout ? task_of(*found->layout, found->reason) : no_task(found->reason);
}

/// Boxes and scores in one output that nothing else tells; scores of a Softmax are no boxes.
std::optional<OutputTask> accept(const OutputView& output) {
  if (const std::optional<FoundLayout> found = find_layout(output))
    return found->layout ? std::optional(task_of(*found->layout, found->reason)) : std::nullopt;
  if (output.kind() == Ending::kProbabilities) return std::nullopt;
  const std::optional<BoxLayout> layout = layout_of(output);
  if (!layout) return std::nullopt;
  return task_of(*layout, "as asked for; " + describe(*layout, output.tensor()));
}

}  // namespace

const TaskDef kDetectionTask = {.name = "detection", .recognize = recognize, .accept = accept};

}  // namespace quantize
