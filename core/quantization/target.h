// The operators, types and fusions of one runtime. Data: a runtime is one file under targets/ and one line in
// targets/all_targets.cpp.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quant_params.h"

namespace quantize {

/// An operator that the runtime computes on 8-bit integers.
struct IntegerOperator {
  const char* op_type;
  /// True if its output may stay float: the runtime multiplies integers and returns reals.
  bool float_output = false;
  /// Only where this attribute has this value, or is left out; nullptr: always.
  const char* attribute = nullptr;
  const char* attribute_value = nullptr;
  /// Only where this is true; nullptr: always.
  bool (*fits)(const Graph& graph, const Node& node) = nullptr;
};

/// A float operator that the runtime computes on codes by itself, where DequantizeLinear stands before all
/// its computed inputs and QuantizeLinear behind it.
struct UnaskedFusion {
  const char* op_type;
  /// True if it does so although an input is a constant of reals, which it rounds too; false: then it does
  /// not.
  bool rounds_constants = false;
};

/// Element types that the runtime multiplies.
struct TypePair {
  DataType activation, weight;
};

/// One runtime: operators, types and fusions that it computes on integers.
struct TargetProfile {
  const char* name;
  const char* description;  // for help texts
  std::span<const IntegerOperator> operators;
  std::span<const TypePair> type_pairs;
  /// Float operators that the runtime computes on codes unless a shield stands before their Q (insert_qdq).
  std::span<const UnaskedFusion> unasked_fusions = {};
  /// True for a form that the runtime computes wrongly or refuses where it turns images to another layout:
  /// such a node stays float, behind a barrier (insert_qdq). nullptr: there is none.
  bool (*mislays)(const Graph& graph, const Node& node) = nullptr;
  /// True if a Conv of two spatial axes and u8 applies any Function of kernels/integer.h to its reals before
  /// it rounds them.
  bool fuses_functions = false;
  /// True if its integer operators clamp their codes: then a Relu or Clip that the range does not imply costs
  /// nothing. Otherwise the layer before such a clamp is computed in float.
  bool clamps_codes = false;
  /// True if such a Conv adds a residual to its reals before it rounds them.
  bool joins_residuals = false;
  /// True if such a Conv may write a scale per channel, and a depthwise one may read it.
  bool has_channel_scales = false;

  /// The entry for this node, or nullptr: the runtime computes it in float.
  const IntegerOperator* find(const Graph& graph, const Node& node) const;
  const UnaskedFusion* find_unasked(const Node& node) const;
  bool multiplies(DataType activation, DataType weight) const;
};

/// Every target. Defined in targets/all_targets.cpp: the one line to add.
std::span<const TargetProfile* const> all_targets();

/// Errors: Error(kInvalidArgument) listing the names there are.
const TargetProfile& find_target(const std::string& name);

}  // namespace quantize
