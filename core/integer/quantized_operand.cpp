// Reading scales and zero points.
#include "core/integer/quantized_operand.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace quantize {

namespace {

bool is_code_type(DataType dtype) {
  return dtype == DataType::kU8 || dtype == DataType::kS8 || dtype == DataType::kU16 ||
         dtype == DataType::kS16 || dtype == DataType::kS32;
}

}  // namespace

bool OperandParams::match_numbers() {
  if (zero_point.empty()) zero_point.push_back(0);
  const size_t count = std::max(scale.size(), zero_point.size());
  if (scale.size() == 1) scale.resize(count, scale[0]);
  if (zero_point.size() == 1) zero_point.resize(count, zero_point[0]);
  return scale.size() == count && zero_point.size() == count;
}

std::optional<OperandParams> constant_params(const Graph& graph, const Node& node, size_t scale,
                                             size_t zero_point) {
  const Tensor* scales = graph.constant(node.input(scale));
  if (scales == nullptr || scales->dtype() != DataType::kF32 || scales->size() == 0) return std::nullopt;
  OperandParams params{scales->to_vector<float>(), {}};
  for (float s : params.scale)
    if (!(s > 0) || !std::isfinite(s)) return std::nullopt;
  if (node.input(zero_point) != kNoValue) {
    const Tensor* zero_points = graph.constant(node.input(zero_point));
    if (zero_points == nullptr || zero_points->size() == 0 || !is_code_type(zero_points->dtype()))
      return std::nullopt;
    params.zero_point = zero_points->to_vector<int32_t>();
  }
  return params.match_numbers() ? std::optional(params) : std::nullopt;
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
