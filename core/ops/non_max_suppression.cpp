// NonMaxSuppression: of boxes that overlap the one with the highest score stays, per sample and class.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

/// Inputs by position. boxes [samples, boxes, 4], scores [samples, classes, boxes].
enum Input : size_t { kBoxes, kScores, kMostPerClass, kOverlap, kLeastScore };

struct Limits {
  int64_t most_per_class = 0;
  float overlap = 0;
  std::optional<float> least_score;
};

/// The corners of a box, and its area.
struct Box {
  float y1, x1, y2, x2;

  float area() const { return (y2 - y1) * (x2 - x1); }
};

Box box_at(const float* from, bool centred) {
  if (centred) {
    const float x = from[0], y = from[1], w = from[2] / 2, h = from[3] / 2;
    return {y - h, x - w, y + h, x + w};
  }
  return {std::min(from[0], from[2]), std::min(from[1], from[3]), std::max(from[0], from[2]),
          std::max(from[1], from[3])};
}

float overlap_of(const Box& a, const Box& b) {
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0) return 0;
  const float shared = height * width, all = a.area() + b.area() - shared;
  return all > 0 ? shared / all : 0;
}

/// The boxes that stay of one class, best first.
std::vector<int64_t> select(const std::vector<Box>& boxes, const float* scores, const Limits& limits) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < boxes.size(); ++i)
    if (!limits.least_score || scores[i] > *limits.least_score) order.push_back(static_cast<int64_t>(i));
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  std::vector<int64_t> kept;
  for (const int64_t candidate : order) {
    if (static_cast<int64_t>(kept.size()) >= limits.most_per_class) break;
    const bool free = std::none_of(kept.begin(), kept.end(), [&](int64_t other) {
      return overlap_of(boxes[static_cast<size_t>(candidate)], boxes[static_cast<size_t>(other)]) >
             limits.overlap;
    });
    if (free) kept.push_back(candidate);
  }
  return kept;
}

Limits limits_of(const TensorView& most, const TensorView& overlap, const TensorView& least) {
  Limits limits;
  if (most && most.size() > 0) limits.most_per_class = to_integers(most)[0];
  if (overlap && overlap.size() > 0) limits.overlap = *overlap.as<float>();
  if (least && least.size() > 0) limits.least_score = *least.as<float>();
  require(
      limits.overlap >= 0 && limits.overlap <= 1,
      "the overlap of NonMaxSuppression is " + std::to_string(limits.overlap) + ", which is outside [0, 1]");
  return limits;
}

/// Rows of sample, class and box.
std::vector<int64_t> selected(const Node& node, const TensorView& boxes, const TensorView& scores,
                              const Limits& limits) {
  const bool centred = node.int_attribute("center_point_box", 0) != 0;
  const int64_t samples = scores.shape[0], classes = scores.shape[1], count = scores.shape[2];
  std::vector<int64_t> rows;
  for (int64_t n = 0; n < samples; ++n) {
    std::vector<Box> list;
    for (int64_t i = 0; i < count; ++i)
      list.push_back(box_at(boxes.as<float>() + (n * count + i) * 4, centred));
    for (int64_t c = 0; c < classes; ++c)
      for (const int64_t box : select(list, scores.as<float>() + (n * classes + c) * count, limits))
        rows.insert(rows.end(), {n, c, box});
  }
  return rows;
}

TensorView view_of(const Tensor* tensor) {
  return tensor == nullptr ? TensorView() : tensor->view();
}

void infer(InferContext& context) {
  for (const size_t i : {kBoxes, kScores, kOverlap, kLeastScore}) require_type(context, i, kF32Only);
  require_type(context, kMostPerClass, kIndexTypes);
  const auto boxes = context.shape(kBoxes), scores = context.shape(kScores);
  require(!boxes || (boxes->size() == 3 && compatible((*boxes)[2], 4)), "the boxes have no four corners");
  require(!scores || scores->size() == 3, "the scores have no axes of samples, classes and boxes");
  require(
      !boxes || !scores || (compatible((*boxes)[0], (*scores)[0]) && compatible((*boxes)[1], (*scores)[2])),
      "boxes and scores do not fit");
  int64_t rows = kUnknownDim;
  const auto is_known = [&](size_t i) { return !context.has_input(i) || context.constant(i) != nullptr; };
  if (is_known(kBoxes) && is_known(kScores) && is_known(kMostPerClass) && is_known(kOverlap) &&
      is_known(kLeastScore)) {
    const Limits limits =
        limits_of(view_of(context.constant(kMostPerClass)), view_of(context.constant(kOverlap)),
                  view_of(context.constant(kLeastScore)));
    rows = static_cast<int64_t>(
        selected(context.node, context.constant(kBoxes)->view(), context.constant(kScores)->view(), limits)
            .size() /
        3);
  }
  context.set_output(0, DataType::kS64, Shape{rows, 3});
}

void evaluate(const EvaluateContext& context) {
  const std::vector<int64_t> rows =
      selected(context.node, context.inputs[kBoxes], context.inputs[kScores],
               limits_of(context.input(kMostPerClass), context.input(kOverlap), context.input(kLeastScore)));
  std::copy(rows.begin(), rows.end(), context.outputs[0].as<int64_t>());
}

}  // namespace

void add_non_max_suppression(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "NonMaxSuppression",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 5,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
