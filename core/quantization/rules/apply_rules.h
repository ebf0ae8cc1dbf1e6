// From the rules of a recipe to modes of nodes and overrides of values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/graph.h"
#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// The nodes and values that a rule found.
struct AppliedRule {
  std::string text;                 // of the rule
  std::vector<std::string> nodes;   // that it selects; none of a rule for values
  std::vector<std::string> values;  // that took its wishes for values
  bool needs_rounding = false;      // it comes to nothing where the plan rounds none of them
  std::vector<std::pair<std::string, std::string>> left_out;  // values that cannot take them, and why
};

/// Sets `scheme.node_modes` by the rules, and adds their wishes to `scheme.overrides`, whose own wishes win. Later rules
/// win. Wishes for what nodes compute are for the clamps behind them, too. Of a rule for several values those are left
/// out that cannot take it, such as shapes.
///
/// Requires: `prepared` made from `source` by open_model(), the scheme resolved by resolve_selectors().
/// Errors: those of select(), and Error(kInvalidArgument) where no value can take what a rule wants, with the rule as
/// context.
std::vector<AppliedRule> apply_rules(const Graph& source, const Graph& prepared, const TargetProfile& target,
                                     QuantizationScheme& scheme);

/// Why wishes for these values came to nothing in a plan: all are activations that it does not round. "": they did not, or
/// there are no values.
std::string idle_reason(const PlannedModel& planned, const std::vector<std::string>& values);

}  // namespace quantize
