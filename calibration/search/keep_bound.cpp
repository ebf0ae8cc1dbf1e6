#include "calibration/search/keep_bound.h"
#include "core/quantization/rest/narrow_rest.h"

#include <algorithm>

namespace quantize {

std::optional<BoundedPlan> keep_bound(const Bound& bound, const Recipe& recipe, const PlannedModel& planned,
                                      PlanMaker& maker, const Validator& validator,
                                      const std::function<void()>& count_trial) {
  // Ranking layers needs nothing measured; what is confirmed has it.
  Recipe quick = recipe;
  quick.bias_correction = std::min(recipe.bias_correction, BiasCorrection::kClosedForm);
  quick.weight_rounding = WeightRounding::kNearest;
  quick.adjustments = {};
  const Planner planner = [&](const std::set<std::string>& nodes) { return maker.plan(quick, nodes); };
  const std::vector<LayerSensitivity> layers =
      measure_sensitivity(planned, planner, validator, false, [&](size_t) { count_trial(); });
  std::optional<BoundedPlan> best;
  uint64_t most_macs = 0;
  for (HarmPer per : {HarmPer::kMac, HarmPer::kLayer}) {
    std::optional<BoundedPlan> last;
    const auto holds = [&](const std::set<std::string>& float_nodes) {
      PlannedModel candidate = maker.plan(recipe, float_nodes);
      count_trial();
      Quality quality = validator.judge(judged_graph(candidate));
      const bool kept = bound.holds(quality);
      if (kept) last = BoundedPlan{std::move(candidate), std::move(quality), {}};
      return kept;
    };
    const auto nodes = fewest_in_float(most_harmful_first(planned, layers, per), holds);
    if (!nodes) continue;
    const uint64_t macs = summarize(last->planned).integer_macs;
    if (macs <= most_macs) continue;
    most_macs = macs;
    best = std::move(last);
    best->put_back = *nodes;
  }
  return best;
}

}  // namespace quantize
