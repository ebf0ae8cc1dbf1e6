// Read BoundKeeper::run() first.
#include "calibration/search/keep_bound.h"

#include <algorithm>
#include <limits>

#include "core/quantization/rest/narrow_rest.h"

namespace quantize {

namespace {

using Names = std::set<std::string>;
using Order = std::vector<std::string>;

class BoundKeeper {
 public:
  BoundKeeper(const Bound& bound, const Recipe& recipe, PlanMaker& maker, const Validator& validator,
              const std::function<void()>& count_trial)
      : bound_(bound), recipe_(recipe), maker_(maker), validator_(validator), count_trial_(count_trial) {}

  std::optional<BoundedPlan> run(const PlannedModel& planned) {
    // Ranking layers needs nothing measured; what is confirmed has it.
    Recipe quick = recipe_;
    quick.bias_correction = std::min(recipe_.bias_correction, BiasCorrection::kClosedForm);
    quick.weight_rounding = WeightRounding::kNearest;
    quick.adjustments = {};
    const Planner planner = [&](const Names& nodes) { return maker_.plan(quick, {.in_float = nodes}); };
    const std::vector<LayerSensitivity> layers =
        measure_sensitivity(planned, planner, validator_, false, [&](size_t) { count_trial_(); });
    bool takes_16 = maker_.scheme().may_take_16;
    if (takes_16) base_ = cost_of(summarize(planned), maker_.target().costs);
    if (takes_16)
      for (const LayerSensitivity& layer : layers) {
        const auto n = static_cast<size_t>(layer.node);
        price_[planned.graph.nodes[n].name] =
            static_cast<double>(planned.plan.nodes[n].macs) * (maker_.target().costs.real - 1);
      }
    for (HarmPer per : {HarmPer::kMac, HarmPer::kLayer}) {
      const Order order = most_harmful_first(planned, layers, per);
      if (order.empty()) continue;
      const bool with_16 = takes_16 && put_to_16_bits(order, {});
      put_to_float(order);
      if (takes_16 && !with_16) put_to_both(order);
      takes_16 = with_16;
    }
    return std::move(best_);
  }

 private:
  bool holds(const PutBack& put_back) {
    PlannedModel candidate = maker_.plan(recipe_, put_back);
    count_trial_();
    Quality quality = validator_.judge(judged_graph(candidate));
    const bool kept = bound_.holds(quality);
    if (kept) last_ = BoundedPlan{std::move(candidate), std::move(quality), {}, {}};
    return kept;
  }

  /// The last plan that kept the bound, if it is the best so far.
  void offer(const Order& in_float, const Order& in_16_bits) {
    const PlanSummary summary = summarize(last_->planned);
    const double cost = cost_of(summary, maker_.target().costs);
    if (summary.integer_macs + summary.macs16 == 0 || cost >= least_) return;
    least_ = cost;
    best_ = std::move(last_);
    best_->in_float = in_float;
    best_->in_16_bits = in_16_bits;
  }

  bool put_to_16_bits(const Order& order, const Order& in_float) {
    const Names fixed(in_float.begin(), in_float.end());
    const auto nodes = fewest_put_back(order, order.size(), [&](const Names& in_16_bits) {
      return holds({.in_float = fixed, .in_16_bits = in_16_bits});
    });
    if (nodes) offer(in_float, *nodes);
    return nodes.has_value();
  }

  /// A set that costs more than the best plan so far is not judged.
  void put_to_float(const Order& order) {
    const auto nodes = fewest_put_back(order, order.size() - 1, [&](const Names& in_float) {
      double price = base_;
      for (const std::string& name : in_float)
        if (const auto found = price_.find(name); found != price_.end()) price += found->second;
      return price < least_ && holds({.in_float = in_float});
    });
    if (nodes) offer(*nodes, {});
  }

  /// First the fewest in float with all others in 16 bits, then the fewest of these in 16 bits.
  void put_to_both(const Order& order) {
    const auto in_float = fewest_put_back(order, order.size() - 1, [&](const Names& nodes) {
      Names others(order.begin(), order.end());
      for (const std::string& name : nodes) others.erase(name);
      return holds({.in_float = nodes, .in_16_bits = others});
    });
    if (!in_float) return;
    Order others;
    for (const std::string& name : order)
      if (std::find(in_float->begin(), in_float->end(), name) == in_float->end()) others.push_back(name);
    put_to_16_bits(others, *in_float);
  }

  const Bound& bound_;
  const Recipe& recipe_;
  PlanMaker& maker_;
  const Validator& validator_;
  const std::function<void()>& count_trial_;
  double base_ = 0;  // the cost of the plan that breaks the bound
  std::map<std::string, double>
      price_;  // of a layer in float, beyond that of 8 bits; empty: no set is left out
  std::optional<BoundedPlan> last_, best_;
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace

double cost_of(const PlanSummary& summary, const MacCosts& costs) {
  const uint64_t real = summary.macs - summary.integer_macs - summary.macs16;
  return static_cast<double>(summary.integer_macs) +
         costs.sixteen_bits * static_cast<double>(summary.macs16) + costs.real * static_cast<double>(real);
}

std::optional<BoundedPlan> keep_bound(const Bound& bound, const Recipe& recipe, const PlannedModel& planned,
                                      PlanMaker& maker, const Validator& validator,
                                      const std::function<void()>& count_trial) {
  return BoundKeeper(bound, recipe, maker, validator, count_trial).run(planned);
}

}  // namespace quantize
