// Read plan_layer(), at the end, first.
#include "core/quantization/plan_layer.h"

#include "core/fusion/patterns.h"
#include "core/quantization/bias_correction.h"
#include "core/quantization/quantize_weights.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

/// The constant that the Add behind an operator without a bias input adds, if it is one per output channel.
std::optional<ColumnAddend> find_bias_add(const PlanInputs& inputs, const QuantizationPlan& plan,
                                          NodeId layer) {
  const auto n = static_cast<size_t>(layer);
  const ValueId output = inputs.graph.nodes[n].outputs[0];
  if (!inputs.index.single_use(output) || plan.values[static_cast<size_t>(output)].params)
    return std::nullopt;
  const auto reader = static_cast<size_t>(inputs.index.uses(output)[0].node);
  if (plan.nodes[reader].placement != Placement::kFloat) return std::nullopt;
  return column_addend(inputs.graph, inputs.graph.nodes[reader], output,
                       inputs.candidates[n].layout->output_channels());
}

/// The bias that the operator takes itself.
void plan_bias(const PlanInputs& inputs, NodeId layer, PlannedWeights& planned) {
  const auto n = static_cast<size_t>(layer);
  const Node& node = inputs.graph.nodes[n];
  const bool has_input = find_op(inputs.graph, node).max_inputs > 2;
  planned.bias_place = !has_input                               ? BiasPlace::kBehind
                       : inputs.target.bias == BiasForm::kCodes ? BiasPlace::kCodes
                                                                : BiasPlace::kReals;
  const Tensor* bias = inputs.graph.constant(node.input(2));
  if (!has_input || bias == nullptr) return;
  const auto row = row_of(*bias, inputs.candidates[n].layout->output_channels());
  planned.bias.assign(row->begin(), row->end());
}

/// False where the Add of a correction would stand between an operator and the QuantizeLinear it needs.
bool takes_shift(const PlannedWeights& planned, const Candidate& candidate) {
  return planned.bias_place != BiasPlace::kBehind || candidate.kernel->output != OutputForm::kCodes;
}

/// The description of the image's bytes that the value holds; nullptr if it holds none.
const ImageBytes* bytes_of(const PlanInputs& inputs, ValueId id) {
  const ValueRange* range = inputs.ranges.find(inputs.graph.value(id).name);
  return range != nullptr && range->bytes ? &*range->bytes : nullptr;
}

}  // namespace

FloatReason plan_layer(const PlanInputs& inputs, NodeId layer, QuantizationPlan& plan) {
  const auto n = static_cast<size_t>(layer);
  const Node& node = inputs.graph.nodes[n];
  const Candidate& candidate = inputs.candidates[n];
  const WeightLayout& layout = *candidate.layout;
  const Tensor& weights = *inputs.graph.constant(node.inputs[1]);
  const QuantParams& input = params_read_by(plan, plan.nodes[n], node.inputs[0]);
  PlannedWeights planned;
  plan_bias(inputs, layer, planned);
  const bool in_codes = planned.bias_place == BiasPlace::kCodes;
  planned.params =
      choose_weight_params(weights, layout, in_codes ? planned.bias : std::vector<double>{}, input,
                           weight_form(inputs.scheme, candidate.kernel),
                           find_override(inputs.scheme, inputs.graph.value(node.inputs[1]).name));
  const auto bound = [&] { return bound_of_sums(planned, weights, layout, input); };
  if (!bound().fits()) return text_of(Cause::kSums, {bound().text()});
  const bool corrects =
      inputs.scheme.bias_correction != BiasCorrection::kOff && takes_shift(planned, candidate);
  const ImageBytes* bytes = bytes_of(inputs, node.inputs[0]);
  if (corrects || bytes != nullptr) {
    // The byte that stands for 0 is taken back by the bias, so that one always makes up for the rounding.
    const InputMeans means =
        corrects ? input_means(inputs.graph, node, layout, inputs.ranges) : InputMeans{1, bytes->zero};
    std::vector<double> shift = bias_shift(weights, planned, layout, means, means);
    if (!shift.empty() && planned.bias_place == BiasPlace::kBehind) {
      // The shift goes into the Add behind, if there is one: what it added is part of the bias then.
      if (const auto addend = find_bias_add(inputs, plan, layer)) {
        planned.bias_add = inputs.index.uses(node.outputs[0])[0].node;
        planned.bias.assign(addend->columns.begin(), addend->columns.end());
      }
    }
    const PlannedWeights uncorrected = planned;
    set_shift(planned, std::move(shift));
    if (!bound().fits()) planned = uncorrected;
  }
  plan.nodes[n].weights = std::move(planned);
  return std::nullopt;
}

}  // namespace quantize
