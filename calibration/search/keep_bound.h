// Keeping a bound on the loss: layers go to activations of 16 bits or back to float until it holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/search/plan_maker.h"
#include "calibration/search/sensitivity.h"

namespace quantize {

/// A plan that keeps a bound, and the nodes that were put back for it.
struct BoundedPlan {
  PlannedModel planned;
  Quality quality;
  std::vector<std::string> in_float, in_16_bits;  // the most harmful first
};

/// The multiply-accumulates of a plan by their price (MacCosts).
double cost_of(const PlanSummary& summary, const MacCosts& costs);

/// The plan of the least cost (cost_of) among those that either order of layers leads to (most_harmful_first,
/// fewest_put_back), made as `recipe` says; nothing if the bound holds with no layer in integers. Layers are put
/// back to float and, if the scheme may take 16 bits, to these alone; where they do not suffice for all layers, to
/// float as few as need it beside 16 bits, and to 16 bits as few as then need these.
///
/// `planned` is that of the recipe, which breaks the bound. `count_trial` is called after each network that was
/// judged; an exception from it ends the work. Errors: those of PlanMaker::plan and Validator::judge.
std::optional<BoundedPlan> keep_bound(const Bound& bound, const Recipe& recipe, const PlannedModel& planned,
                                      PlanMaker& maker, const Validator& validator,
                                      const std::function<void()>& count_trial);

}  // namespace quantize
