// Keeping a bound on the loss: layers go back to float until it holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/search/plan_maker.h"
#include "calibration/search/sensitivity.h"

namespace quantize {

/// A plan that keeps a bound, and the layers that were put back for it.
struct BoundedPlan {
  PlannedModel planned;
  Quality quality;
  std::vector<std::string> put_back;  // nodes in float
};

/// The plan with the most integer multiplications among those that either order of layers leads to
/// (most_harmful_first, fewest_in_float), made as `recipe` says; nothing if the bound holds with no layer in
/// integers. `planned` is that of the recipe, which breaks the bound. `count_trial` is called after each
/// network that was judged; an exception from it ends the work. Errors: those of PlanMaker::plan and
/// Validator::judge.
std::optional<BoundedPlan> keep_bound(const Bound& bound, const Recipe& recipe, const PlannedModel& planned,
                                      PlanMaker& maker, const Validator& validator,
                                      const std::function<void()>& count_trial);

}  // namespace quantize
