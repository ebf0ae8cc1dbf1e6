// Reading scales and zero points.
#include "core/ops/quantized_operand.h"

#include <cmath>

#include "core/error.h"

namespace quantize {

std::optional<OperandParams> constant_params(const Graph& graph, const Node& node, size_t scale,
                                             size_t zero_point) {
  const Tensor* scales = graph.constant(node.input(scale));
  if (scales == nullptr || scales->dtype() != DataType::kF32 || scales->size() == 0) return std::nullopt;
  OperandParams params{scales->to_vector<float>(), {}};
  for (float s : params.scale)
    if (!(s > 0) || !std::isfinite(s)) return std::nullopt;
  params.zero_point.assign(params.scale.size(), 0);
  if (node.input(zero_point) == kNoValue) return params;
  const Tensor* zero_points = graph.constant(node.input(zero_point));
  if (zero_points == nullptr || zero_points->size() != scales->size()) return std::nullopt;
  params.zero_point = zero_points->to_vector<int32_t>();
  return params;
}

bool has_scalar_params(const Graph& graph, const Node& node, size_t scale) {
  const auto params = constant_params(graph, node, scale);
  return params && params->per_tensor();
}

ScalarParams scalar_params(const Graph& graph, const Node& node, size_t scale) {
  const auto params = constant_params(graph, node, scale);
  if (!params || !params->per_tensor())
    throw Error(ErrorKind::kInternal, "a scale was expected to be constant");
  return {params->scale[0], params->zero_point[0]};
}

}  // namespace quantize
