// Segmentation: the class of every pixel.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "calibration/tasks/class_map.h"
#include "calibration/tasks/task.h"

namespace quantize {

namespace {

/// Mean over the classes that either map has of pixels with the class in both to pixels with it in any.
double mean_iou(const std::vector<int64_t>& reference, const std::vector<int64_t>& candidate) {
  std::map<int64_t, std::pair<double, double>> classes;  // in both, in any
  for (size_t i = 0; i < reference.size(); ++i) {
    const bool same = reference[i] == candidate[i];
    classes[reference[i]].first += same;
    ++classes[reference[i]].second;
    if (!same) ++classes[candidate[i]].second;
  }
  double sum = 0;
  for (const auto& [label, pixels] : classes) sum += pixels.first / pixels.second;
  return classes.empty() ? 1 : sum / static_cast<double>(classes.size());
}

/// The labelled class of every place of a map; nothing where the image shows none.
class LabelledMap {
 public:
  /// `columns`: of the map, which covers the network's input.
  LabelledMap(const Truth& truth, size_t places, size_t columns)
      : mask_(*truth.mask), placement_(truth.placement), columns_(columns), rows_(places / columns) {
    if (placement_.size.width == 0) placement_.size = {mask_.height, mask_.width};
  }

  std::optional<int64_t> at(size_t place) const {
    const auto x =
        to_mask(place % columns_, columns_, placement_.size.width, placement_.left, placement_.scale_x);
    const auto y =
        to_mask(place / columns_, rows_, placement_.size.height, placement_.top, placement_.scale_y);
    if (x < 0 || y < 0 || x >= mask_.width || y >= mask_.height) return std::nullopt;
    const uint8_t label = mask_.row(y)[x];
    return label == Truth::kNoClass ? std::nullopt : std::optional<int64_t>(label);
  }

 private:
  static int64_t to_mask(size_t place, size_t places, int64_t extent, double begin, double scale) {
    constexpr double kMiddle = 0.5;
    const double in_input =
        (static_cast<double>(place) + kMiddle) * static_cast<double>(extent) / static_cast<double>(places);
    return static_cast<int64_t>(std::floor((in_input - begin) / scale));
  }

  const Image& mask_;
  ImagePlacement placement_;
  size_t columns_, rows_;
};

/// A class, and for the reference and the candidate the labelled pixels that have it in both and in any.
enum Number : size_t { kClass, kBoth, kAny, kCandidateBoth, kCandidateAny, kNumbers };

void count_labelled(const LabelledMap& labels, const std::vector<int64_t>& reference,
                    const std::vector<int64_t>& candidate, std::vector<double>& numbers) {
  std::map<int64_t, std::array<double, kNumbers>> classes;
  for (size_t place = 0; place < reference.size(); ++place) {
    const std::optional<int64_t> label = labels.at(place);
    if (!label) continue;
    for (const auto& [found, both, any] :
         {std::tuple{reference[place], kBoth, kAny}, {candidate[place], kCandidateBoth, kCandidateAny}}) {
      classes[*label][both] += found == *label;
      ++classes[*label][any];
      if (found != *label) ++classes[found][any];
    }
  }
  for (auto& [label, counts] : classes) {
    counts[kClass] = static_cast<double>(label);
    numbers.insert(numbers.end(), counts.begin(), counts.end());
  }
}

/// Mean over the classes that are labelled or found, of all samples' pixels; nothing without labels.
std::optional<double> labelled_iou(const std::vector<SampleShare>& shares, Number both, Number any) {
  std::map<double, std::pair<double, double>> classes;
  for (const SampleShare& share : shares)
    for (size_t i = 0; i < share.numbers.size(); i += kNumbers) {
      classes[share.numbers[i + kClass]].first += share.numbers[i + both];
      classes[share.numbers[i + kClass]].second += share.numbers[i + any];
    }
  double sum = 0, count = 0;
  for (const auto& [label, pixels] : classes) {
    if (pixels.second == 0) continue;
    sum += pixels.first / pixels.second;
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

class Segmentation : public TaskMeasure {
 public:
  explicit Segmentation(ClassReading reading) : reading_(reading) {}

  void compare(const Pair& pair, SampleShare& share) const override {
    share.of = places_of(reading_, pair.reference);
    share.likeness = 0;
    if (!share.finite) return;
    const std::vector<int64_t> a = classes_at(reading_, pair.reference),
                               b = classes_at(reading_, pair.candidate);
    share.likeness = mean_iou(a, b);
    for (size_t i = 0; i < a.size(); ++i) share.agreeing += a[i] == b[i];
    if (share.truth && share.truth->mask)
      count_labelled(LabelledMap(*share.truth, a.size(), columns_of(pair.reference)), a, b, share.numbers);
  }

  void total(std::vector<SampleShare>& shares, TaskFigures& figures) const override {
    double sum = 0;
    for (const SampleShare& share : shares) sum += share.likeness;
    const auto samples = static_cast<double>(shares.size());
    figures.figures = {{"mean_iou", "mean IoU", TaskFigure::Unit::kNumber,
                        shares.empty() ? std::nullopt : std::optional(sum / samples)}};
    const auto reference = labelled_iou(shares, kBoth, kAny),
               candidate = labelled_iou(shares, kCandidateBoth, kCandidateAny);
    if (!reference || !candidate) return;
    figures.figures.push_back(
        {"label_iou/reference", "mean IoU with the labels", TaskFigure::Unit::kNumber, reference});
    figures.figures.push_back({"label_iou/candidate", "->", TaskFigure::Unit::kNumber, candidate});
    figures.drop = 100 * (*reference - *candidate);
  }

  const char* agreement_words() const override { return "of pixels have the same class"; }

  bool takes_masks() const override { return true; }

 private:
  size_t columns_of(const Tensor& output) const {
    const Shape& shape = output.shape();
    const bool classes_last = !reading_.indices && !reading_.halves && reading_.axis + 1 == shape.size();
    return static_cast<size_t>(shape[shape.size() - (classes_last ? 2 : 1)]);
  }

  ClassReading reading_;
};

OutputTask task_of(std::string reason, ClassReading reading) {
  return {&kSegmentationTask, std::move(reason), std::make_shared<Segmentation>(reading)};
}

/// True if the places of a map are so many that they stand for pixels of the image, eight apart at most.
bool is_dense(const OutputView& output, int64_t places) {
  constexpr int64_t kApart = 8, kColours = 4;
  return output.inputs().empty() || places * kApart * kApart * kColours >= output.inputs()[0].size();
}

/// True if another output is a map of as many channels and another size.
bool is_head(const OutputView& output) {
  const Shape& shape = output.shape();
  return std::any_of(output.outputs().begin(), output.outputs().end(), [&](const Tensor& other) {
    return other.shape().size() == shape.size() && other.shape() != shape && other.shape()[1] == shape[1];
  });
}

/// True if one output has four numbers for each of several anchors at a place, and another of that size
/// some scores for each anchor.
bool is_of_anchors(const OutputView& output) {
  const auto are_both = [](const Shape& boxes, const Shape& scores) {
    const int64_t anchors = boxes[1] / 4;
    return boxes[1] % 4 == 0 && anchors > 1 && scores[1] % anchors == 0 && scores[1] != boxes[1];
  };
  const Shape& shape = output.shape();
  const auto is_partner = [&](const Tensor& other) {
    const Shape& partner = other.shape();
    return partner.size() == 4 && std::equal(shape.begin() + 2, shape.end(), partner.begin() + 2) &&
           (are_both(shape, partner) || are_both(partner, shape));
  };
  return shape.size() == 4 && std::any_of(output.outputs().begin(), output.outputs().end(), is_partner);
}

/// Scores of classes, or numbers of classes, at the pixels.
std::optional<OutputTask> recognize(const OutputView& output) {
  if (output.form() == TensorForm::kIndices && !output.is_vector())
    return task_of("numbers of classes" + output.by(), {.indices = true});
  if (output.form() != TensorForm::kMap) return std::nullopt;
  const bool scores = output.kind() == Ending::kScores;
  if (output.covers_image()) return task_of("one score a pixel" + output.by(), {.halves = true});
  const size_t axis = output.channel_axis();
  const int64_t channels = output.shape()[axis], places = output.tensor().size() / channels;
  const std::string count = std::to_string(channels) + " channels" + output.by();
  if (channels == 1 && scores)
    return task_of("one score a pixel" + output.by(), {.axis = axis, .halves = true});
  if (output.kind() == Ending::kOther || output.kind() == Ending::kNormalized)
    return no_task(count + " are features, no classes");
  if (is_head(output)) return no_task(count + " in maps of several sizes are no classes");
  if (is_of_anchors(output)) return no_task(count + " may be of anchors of a detector, which are no classes");
  if (!is_dense(output, places))
    return no_task(count + " at " + std::to_string(places) + " places are no map of the image");
  return task_of(count + " a pixel", {.axis = axis});
}

std::optional<OutputTask> accept(const OutputView& output) {
  if ((output.shape().size() < 4 && !output.covers_image()) || output.tensor().size() == 0)
    return std::nullopt;
  ClassReading reading{.axis = output.channel_axis(), .indices = !output.is_float()};
  reading.halves = output.covers_image() || (!reading.indices && output.shape()[reading.axis] == 1);
  return task_of("as asked for", reading);
}

}  // namespace

const TaskDef kSegmentationTask = {.name = "segmentation", .recognize = recognize, .accept = accept};

}  // namespace quantize
