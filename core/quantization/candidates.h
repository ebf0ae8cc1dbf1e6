// Which nodes could become integer by what they are, whatever their ranges.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/fusion/chain.h"
#include "core/graph.h"
#include "core/integer/forms.h"
#include "core/ops/op.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// Why something stays float, for people to read; nothing: it need not. No decision reads the text.
using FloatReason = std::optional<std::string>;

/// A node as quantization sees it.
struct Candidate {
  FloatReason float_reason;  // why it cannot become integer
  QuantizationRule rule = QuantizationRule::kFloat;
  bool is_excluded = false;                 // the user does not want it quantized
  const IntegerOperator* kernel = nullptr;  // of the target; nullptr where the node cannot become integer
  std::vector<ValueId> activations;         // the inputs that must be integers
  std::optional<WeightLayout> layout;       // for kWeighted

  explicit operator bool() const { return !float_reason; }
};

/// Why a layer cannot be computed on codes by what it is: its weights, their place, its bias. Sets the layout of its
/// weights where it has one. Requires: it is of QuantizationRule::kWeighted.
FloatReason layer_reason(const Graph& graph, const Node& node, std::optional<WeightLayout>& layout);

/// Looks at every node: operator, constants, types, the user's choice of nodes.
/// Errors: Error(kInvalidArgument) for a regular expression that is none.
std::vector<Candidate> find_candidates(const Graph& graph, const GraphIndex& index,
                                       const QuantizationScheme& scheme, const TargetProfile& target);

/// The chain behind each candidate, by the rules of the target; nothing in it that the user excludes, and no addition
/// that is no candidate itself. All must outlive the call only.
Chains find_chains(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
                   const TargetProfile& target);

}  // namespace quantize
