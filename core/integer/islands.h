// Islands of a QDQ graph: an operator with DequantizeLinear before its inputs and QuantizeLinear behind it.
#pragma once

#include <optional>
#include <vector>

#include "core/fusion/chain.h"
#include "core/graph.h"
#include "core/integer/quantized_operand.h"

namespace quantize {

/// True for ONNX's DequantizeLinear.
bool is_dequantize(const Node& node);

/// The codes behind a float value, and how to read them.
struct Codes {
  ValueId codes = kNoValue, scale = kNoValue, zero_point = kNoValue;
  OperandParams params;
  int64_t axis = 1;  // of params, if there are several
};

/// The end of an island: a QuantizeLinear, and what stands before it.
struct IslandResult {
  Codes y = {};
  std::vector<NodeId> absorbed = {};             // the clamp or function, and the QuantizeLinear
  ValueId unclamped = kNoValue;                  // what the operator writes if a Clip of codes must follow
  int32_t low = 0, high = 0;                     // of that Clip
  std::optional<FunctionPattern> function = {};  // what stands before the rounding
  std::optional<Codes> residual = {};            // what is added before it, behind the function
  NodeId add = kNoNode;                          // by this node
};

/// Reads islands whose zero points are written out (see complete_zero_points); sets the types of codes.
class Islands {
 public:
  /// All must outlive the object; `index` is of `graph` as it was, whose values are those with ids below its
  /// size. Values with keep[id] are seen by others.
  Islands(Graph& graph, const GraphIndex& index, const std::vector<bool>& keep)
      : graph_(graph), index_(index), keep_(keep) {}

  /// True if others than the nodes of the graph see the value.
  bool is_kept(ValueId id) const;

  /// The codes behind a float value that a DequantizeLinear makes.
  std::optional<Codes> dequantized(ValueId id);
  /// The same for an operand of one scale, of 8 bits.
  std::optional<Codes> operand(ValueId id);
  /// For a constant operand of 8 bits, centred on 0, of one scale or one per channel along `axis`.
  std::optional<Codes> weights(ValueId id, int64_t axis);
  /// For the image of a FusedConv: u8, one scale or one for each of the channels.
  std::optional<Codes> fused_operand(ValueId id, int64_t channels);

  /// The codes of a float value that only a clamp and a QuantizeLinear of one scale read; nothing if a shield
  /// stands in between (core/fusion/patterns.h): then the value is computed in float.
  std::optional<IslandResult> result(ValueId id);
  /// The same behind a FusedConv: a function, the addition of a residual and a clamp that cuts no code off
  /// (behind a function only if something is added) may stand before the QuantizeLinear, in this order, and
  /// that may have a scale per channel but for additions.
  std::optional<IslandResult> fused_result(ValueId id, int64_t channels);

 private:
  std::optional<Codes> codes_of(const Node& node, ValueId codes);
  bool fits_fused_conv(const Codes& codes, int64_t channels) const;
  std::optional<Codes> rounded(ValueId real, IslandResult& found);
  void set_limits(IslandResult& found, const Clamp& clamp);

  Graph& graph_;
  const GraphIndex& index_;
  const std::vector<bool>& keep_;
};

}  // namespace quantize
