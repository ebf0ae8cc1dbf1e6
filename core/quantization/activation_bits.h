// Which nodes compute on activations of 16 bits, and which values are held so. Read ActivationBits first.
#pragma once

#include <optional>
#include <regex>
#include <vector>

#include "core/graph.h"
#include "core/quantization/candidates.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// The least opset of a graph that is to be planned so: ONNX has QuantizeLinear of 16 bits from 21 on. 0: any.
int64_t opset_of_bits(const QuantizationScheme& scheme);

/// Errors: Error(kUnsupported) if 16 bits are asked of a target without, or of a graph whose opset has none;
/// Error(kInvalidArgument) for a rule whose expression is none.
void check_activation_bits(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target);

/// The bits that the scheme gives a node by its name; nothing: its own rule decides (ActivationBits).
class BitsChoice {
 public:
  /// Errors: Error(kInvalidArgument) for an expression that is none.
  explicit BitsChoice(const QuantizationScheme& scheme);
  std::optional<int> of(const Node& node) const;

 private:
  const QuantizationScheme& scheme_;
  std::vector<std::pair<std::regex, int>> rules_;
};

/// The bits of the activations of every node and value: 8 or 16. All inputs and outputs of a node have its bits; an
/// input that is held in others is converted in front of it (PlannedNode::converted).
///
/// A node has the bits of the override of what it computes, else those of the last rule that names it, else those of
/// all nodes. Where these are 8, what a search has given 16 bits has them, and an operator without weights has 16 where
/// all activations that it reads have. What moves elements has the bits of what it moves.
///
/// A value has the bits of the node that makes it. An input of the network, or what is computed in float, has 16 where a
/// layer of 16 bits reads it, through operators without weights or not.
class ActivationBits {
 public:
  /// All must outlive the call only.
  ActivationBits(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
                 const std::vector<Candidate>& candidates, const Chains& chains);

  int of_node(NodeId n) const { return nodes_[static_cast<size_t>(n)]; }
  int of_value(ValueId id) const { return values_[static_cast<size_t>(id)]; }

 private:
  std::vector<int> nodes_, values_;
};

}  // namespace quantize
