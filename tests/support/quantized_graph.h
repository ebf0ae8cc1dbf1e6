// Quantizes a small float graph with the ranges of one random run.
#pragma once

#include "core/passes/passes.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"

namespace quantize::test {

/// The QDQ graph of a float graph whose shapes are static, with every operator quantized that can be; random
/// networks have channels of any range, so that the default for `max_noise` is no limit.
inline Graph quantized_graph(Graph source, const char* target = "native", QuantizationScheme scheme = {},
                             double max_noise = 1e30) {
  scheme.max_noise = max_noise;
  scheme.bias_correction = BiasCorrection::kOff;
  infer_shapes(source);
  const RangeTable ranges = measured_ranges(source);
  const TargetProfile& profile = find_target(target);
  if (profile.find_types(scheme.activations.dtype, scheme.weights.dtype) == nullptr ||
      profile.grid != ScaleGrid::kAny)
    take_types(scheme, profile, profile.choose_types({}, {}));
  Graph qdq = insert_qdq(plan_quantization(source, ranges, scheme, profile));
  infer_shapes(qdq);
  validate(qdq);
  return qdq;
}

/// The results of the operators' reference code: the inputs become constants, and the graph folds to its
/// outputs.
inline std::vector<Tensor> reference_outputs(Graph graph, const std::vector<Tensor>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) graph.value(graph.inputs[i]).initializer = inputs[i];
  graph.inputs.clear();
  infer_and_fold(graph);
  std::vector<Tensor> outputs;
  for (ValueId id : graph.outputs) outputs.push_back(graph.value(id).initializer);
  return outputs;
}

}  // namespace quantize::test
