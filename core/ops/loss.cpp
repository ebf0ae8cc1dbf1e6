// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: how unlikely the labels are by scores [N, classes, ...].
#include <algorithm>
#include <cmath>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

enum Input : size_t { kScores, kLabels, kWeights };
enum class Reduction { kNone, kSum, kMean };

Reduction reduction_of(const Node& node) {
  const std::string name = node.string_attribute("reduction", "mean");
  if (name == "none") return Reduction::kNone;
  if (name == "sum") return Reduction::kSum;
  require(name == "mean", "attribute 'reduction' is '" + name + "', which is none of none, sum and mean");
  return Reduction::kMean;
}

void infer(InferContext& context) {
  require_type(context, kScores, kF32Only);
  require_type(context, kLabels, kIndexTypes);
  require_type(context, kWeights, kF32Only);
  const Reduction reduction = reduction_of(context.node);
  const auto scores = context.shape(kScores), labels = context.shape(kLabels);
  require(!scores || (scores->size() >= 2 && (*scores)[1] != 0), "the scores have no classes");
  if (scores) require_vector(context, kWeights, (*scores)[1]);
  if (scores && labels && is_static(*scores) && is_static(*labels)) {
    Shape expected = *scores;
    expected.erase(expected.begin() + 1);
    require(expected == *labels,
            "labels of shape " + to_string(*labels) + " do not fit scores of shape " + to_string(*scores));
  }
  context.set_output(0, DataType::kF32, reduction == Reduction::kNone ? labels : std::optional(Shape{}));
  context.set_output(1, DataType::kF32, scores);  // log probabilities
}

/// The loss from log probabilities [N, classes, inner].
void write_loss(const EvaluateContext& context, const float* log_probabilities) {
  const Dims x = context.inputs[kScores].shape;
  const int64_t classes = x[1], inner = extent_product(x, 2, x.size());
  const Reduction reduction = reduction_of(context.node);
  const bool ignores = context.node.has_attribute("ignore_index");
  const int64_t ignored = context.node.int_attribute("ignore_index", 0);
  const std::vector<int64_t> labels = to_integers(context.inputs[kLabels]);
  const TensorView weights = context.input(kWeights);
  float* y = context.outputs[0].as<float>();
  double sum = 0, weight_sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    float loss = 0;
    if (!ignores || labels[i] != ignored) {
      require(labels[i] >= 0 && labels[i] < classes, "a label is " + std::to_string(labels[i]) +
                                                         ", but there are " + std::to_string(classes) +
                                                         " classes");
      const auto place = static_cast<int64_t>(i);
      const float weight = weights ? weights.as<float>()[labels[i]] : 1.0f;
      loss = -weight * log_probabilities[(place / inner * classes + labels[i]) * inner + place % inner];
      weight_sum += static_cast<double>(weight);
    }
    sum += static_cast<double>(loss);
    if (reduction == Reduction::kNone) y[i] = loss;
  }
  if (reduction != Reduction::kNone)
    y[0] = static_cast<float>(reduction == Reduction::kSum ? sum : sum / weight_sum);
}

void evaluate_likelihood(const EvaluateContext& context) {
  write_loss(context, context.inputs[kScores].as<float>());
}

void evaluate_cross_entropy(const EvaluateContext& context) {
  const TensorView& x = context.inputs[kScores];
  const int64_t classes = x.shape[1], inner = extent_product(x.shape, 2, x.shape.size());
  std::vector<float> log_probabilities(x.as<float>(), x.as<float>() + x.size());
  for (int64_t column = 0; column < x.shape[0] * inner; ++column) {
    float* from = log_probabilities.data() + column / inner * classes * inner + column % inner;
    float largest = from[0];
    for (int64_t c = 1; c < classes; ++c) largest = std::max(largest, from[c * inner]);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(from[c * inner] - largest));
    const auto shift = static_cast<float>(std::log(sum)) + largest;
    for (int64_t c = 0; c < classes; ++c) from[c * inner] -= shift;
  }
  if (context.outputs.size() > 1 && context.outputs[1])
    std::copy(log_probabilities.begin(), log_probabilities.end(), context.outputs[1].as<float>());
  write_loss(context, log_probabilities.data());
}

OpDef loss(const char* op_type, size_t max_outputs, void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 12,
          .max_opset = kNewestOpset,
          .min_inputs = 2,
          .max_inputs = 3,
          .max_outputs = max_outputs,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_loss(std::vector<OpDef>& ops) {
  ops.push_back(loss("NegativeLogLikelihoodLoss", 1, evaluate_likelihood));
  ops.push_back(loss("SoftmaxCrossEntropyLoss", 2, evaluate_cross_entropy));
}

}  // namespace quantize
