// The forecast: what a runtime will compute on integers of a file, whoever made it. Read Forecast first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/flaws.h"
#include "core/quantization/target.h"

namespace quantize {

/// The forecast for one node that is no QuantizeLinear, DequantizeLinear or Constant.
struct NodeForecast {
  NodeId node = kNoNode;
  /// Nothing: the runtime computes it on integers.
  std::optional<Flaw> flaw;
  std::string reason;
};

/// The forecast for a file.
struct Forecast {
  std::vector<NodeForecast> nodes;  // in the order of the graph
  /// The flaw for which the runtime takes nothing of the file.
  std::optional<NodeForecast> refusal;
  /// Conversions between reals and codes that the runtime has to compute: each QuantizeLinear that no integer node takes
  /// in, and each DequantizeLinear of computed codes with a reader that is none.
  size_t conversions = 0;
};

/// The work of a runtime on the graph, by the rules of its profile: the islands of Q, operators and DQ as they stand,
/// with nothing folded or fused before.
/// Requires: infer_shapes ran.
Forecast forecast(const Graph& graph, const TargetProfile& target);

/// The name of a node, or that of what it computes.
std::string name_of_node(const Graph& graph, const Node& node);

}  // namespace quantize
