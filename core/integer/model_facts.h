// Facts of a graph that need no run: its arithmetic, and where its numbers are quantized.
#pragma once

#include <optional>
#include <string>

#include "core/graph.h"
#include "core/quant_params.h"

namespace quantize {

/// How a model holds its numbers.
struct QuantizationFacts {
  /// "int8" with integer operators, "qdq" with QuantizeLinear, "dynamic" with ranges that each run finds,
  /// "weight-only" with weights that are codes alone; else "float".
  std::string format = "float";
  size_t int8_nodes =
      0;  // integer operators, those that move codes, and those that read DequantizeLinear only
  size_t int16_nodes = 0;  // those that read DequantizeLinear of 16-bit codes only
  size_t float_nodes = 0;  // all others but those that only quantize or dequantize, and Constant
};
QuantizationFacts quantization_facts(const Graph& graph);

/// The value that the readers of a value really read: the one behind its QuantizeLinear and DequantizeLinear,
/// or itself if it has none.
ValueId behind_quantization(const Graph& graph, const GraphIndex& index, ValueId id);

/// How the integers of a value are read: by a DequantizeLinear or an integer operator with constant
/// parameters; nothing if there is none.
std::optional<QuantParams> dequantization_of(const Graph& graph, ValueId id);

}  // namespace quantize
