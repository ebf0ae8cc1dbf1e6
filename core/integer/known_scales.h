// The scales that a quantized model has, and the float model that it was made of.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quant_params.h"

namespace quantize {

/// The scale of one value.
struct KnownScale {
  std::string value;  // the name of its reals, as the float model has it
  QuantParams params;
};

/// A layer whose weights have a known scale.
struct KnownLayer {
  std::string node;
  std::string input, weights;  // names of values, as in KnownScale
};

/// All scales of a model, in the order of its nodes, each value once.
struct KnownScales {
  std::vector<KnownScale> activations, weights;
  std::vector<KnownLayer> layers;

  /// The entry of this value in one of the two lists, or nullptr.
  static const KnownScale* find(const std::vector<KnownScale>& scales, const std::string& value);
};

/// The scales that QuantizeLinear, DequantizeLinear and integer operators read as constants. Biases, whose scale
/// follows from others, have no entry.
KnownScales known_scales(const Graph& graph);

/// The float model of a QDQ graph: without QuantizeLinear and DequantizeLinear, its weights as reals. Values have the
/// names that known_scales gives them. A Relu stands where a rounding to codes alone has cut negative sums off.
/// Errors: Error(kUnsupported) naming a node that computes on codes.
Graph float_form(const Graph& qdq);

}  // namespace quantize
