// Overrides that cannot apply, found before anything is calibrated.
#pragma once

#include <string>

#include "core/graph.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// Tells of one override whether it can apply. Graph, scheme and target must outlive it.
class OverrideChecker {
 public:
  OverrideChecker(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target);

  /// Errors: Error(kInvalidArgument) if it cannot, as check_overrides says.
  void check(const std::string& name, const ValueOverride& specific) const;

 private:
  void check_weights(ValueId id, const ValueOverride& specific) const;
  void check_activation(ValueId id, const ValueOverride& specific) const;
  bool is_stored(const GraphIndex::Use& use) const;

  const Graph& graph_;
  const GraphIndex index_;
  const QuantizationScheme& scheme_;
  const TargetProfile& target_;
  const ModeChoice modes_;
};

/// Checks that every override of the scheme can do what it says: its value is there, and is an f32 activation
/// or the weights of some layer, or what a mode stores, of which bits and `enabled` can be set; the target has the type and axis; weights have the range.
/// Errors: Error(kInvalidArgument) naming the value.
void check_overrides(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target);

}  // namespace quantize
