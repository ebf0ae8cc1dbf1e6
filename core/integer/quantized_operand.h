// Scales and zero points of integer operators, read from the constants among their inputs.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// Scales and zero points of an operand: one of each, or one per channel.
struct OperandParams {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;

  /// Makes as many zero points as scales, or the other way round: one holds for all, none is 0. False if
  /// there are several of each, but not as many.
  bool match_numbers();

  bool per_tensor() const { return scale.size() == 1; }
  float scale_of(size_t channel) const { return scale[per_tensor() ? 0 : channel]; }
  int32_t zero_point_of(size_t channel) const { return zero_point[per_tensor() ? 0 : channel]; }
};

/// Those that two inputs of the node hold, the zero point standing behind the scale unless said otherwise;
/// nothing if they are computed, or are no positive finite numbers, or their numbers do not match.
std::optional<OperandParams> constant_params(const Graph& graph, const Node& node, size_t scale,
                                             size_t zero_point);
inline std::optional<OperandParams> constant_params(const Graph& graph, const Node& node, size_t scale) {
  return constant_params(graph, node, scale, scale + 1);
}

/// The same where one scale and zero point are known to be constant. Errors: Error(kInternal) if they are
/// not.
struct ScalarParams {
  float scale = 1;
  int32_t zero_point = 0;
};
ScalarParams scalar_params(const Graph& graph, const Node& node, size_t scale);

/// True if the params at `scale` are constant and per tensor.
bool has_scalar_params(const Graph& graph, const Node& node, size_t scale);

}  // namespace quantize
