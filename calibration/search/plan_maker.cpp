#include "calibration/search/plan_maker.h"

#include <algorithm>

#include "calibration/images/choose_samples.h"
#include "calibration/images/preprocess_file.h"
#include "calibration/search/correct_bias.h"
#include "calibration/statistics/decide_ranges.h"
#include "core/error.h"
#include "core/quantization/bias_correction.h"
#include "core/quantization/plan_quantization.h"
#include "core/quantization/rewrites/equalize.h"
#include "core/quantization/rewrites/read_pixels.h"

namespace quantize {

namespace {

/// Layers keep the codes that were fitted to them before, for the same ranges, and the shifts that these
/// cause.
void take_codes(const QuantizationPlan& fitted, QuantizationPlan& plan) {
  for (size_t n = 0; n < fitted.nodes.size(); ++n) {
    const auto& known = fitted.nodes[n].weights;
    auto& weights = plan.nodes[n].weights;
    if (known && weights && known->params.scale == weights->params.scale) {
      weights->codes = known->codes;
      set_shift(*weights, known->shift);
    }
  }
}

}  // namespace

std::string ranges_by(const std::string& method) {
  return "ranges by " + method;
}

PlanMaker::PlanMaker(const Graph& graph, const StatisticsTable& statistics, const QuantizationScheme& scheme,
                     const TargetProfile& target, const SamplePool& pool, const CalibrateOptions& options)
    : graph_(graph),
      statistics_(statistics),
      scheme_(scheme),
      target_(target),
      pool_(pool),
      options_(options) {
  options_.progress = {};
  if (statistics.preprocessing.empty() || graph.inputs.size() != 1) return;
  grid_ = pixel_grid(parse_preprocess(statistics.preprocessing));
  if (grid_) bytes_ = read_pixels(graph_, *grid_, scheme, target);
}

PlannedModel PlanMaker::plan(const Recipe& recipe, const PutBack& put_back) {
  Known& known = known_of(recipe);
  const std::pair corrections(recipe.bias_correction, recipe.weight_rounding);
  const auto made = known.plans.find(corrections);
  PlannedModel planned = made != known.plans.end() && put_back.empty()
                             ? PlannedModel{graph_of(recipe), made->second}
                             : corrected(recipe, put_back, known);
  if (put_back.empty()) known.plans[corrections] = planned.plan;
  for (const PlanAdjustment& adjustment : recipe.adjustments) adjustment.apply(*this, recipe, planned);
  return planned;
}

PlannedModel PlanMaker::corrected(const Recipe& recipe, const PutBack& put_back, Known& known) {
  QuantizationScheme scheme = scheme_of(recipe);
  scheme.float_nodes = put_back.in_float;
  scheme.nodes16 = put_back.in_16_bits;
  PlannedModel planned = plan_quantization(graph_of(recipe), ranges_of(recipe), scheme, target_);
  const bool fits = recipe.weight_rounding == WeightRounding::kFitted;
  if (fits) take_codes(known.fitted, planned.plan);
  if (fits || recipe.bias_correction == BiasCorrection::kMeasured)
    correct_bias(planned, fitted_count(), loader(), recipe.bias_correction, recipe.weight_rounding, options_);
  if (fits && known.fitted.nodes.empty()) known.fitted = planned.plan;
  return planned;
}

QuantizationScheme PlanMaker::scheme_of(const Recipe& recipe) const {
  QuantizationScheme scheme = scheme_;
  scheme.method = recipe.method;
  scheme.bias_correction = recipe.bias_correction;
  return scheme;
}

SampleLoader PlanMaker::loader(size_t count) const {
  return [this, chosen = spread_evenly(count, fitted_count())](size_t i) {
    return pool_.load(pool_.fitted()[chosen[i]]);
  };
}

const RangeTable& PlanMaker::ranges_of(const Recipe& recipe) {
  std::optional<RangeTable>& ranges = known_of(recipe).ranges;
  if (!ranges) ranges = decide(recipe, scheme_of(recipe));
  return *ranges;
}

void PlanMaker::set_ranges(const Recipe& recipe, RangeTable ranges) {
  known_of(recipe) = {.ranges = std::move(ranges), .fitted = {}, .plans = {}};
}

RangeTable PlanMaker::decide(const Recipe& recipe, const QuantizationScheme& scheme) const {
  return ranges_for(graph_of(recipe), statistics_of(recipe), scheme);
}

RangeTable PlanMaker::ranges_for(const Graph& graph, const StatisticsTable& statistics,
                                 const QuantizationScheme& scheme) const {
  RangeTable ranges = decide_ranges(statistics, scheme, options_.threads);
  if (!bytes_.empty()) add_pixel_range(graph, bytes_, *grid_, ranges);
  return ranges;
}

size_t PlanMaker::equalize() {
  if (fitted_count() == 0)
    throw Error(ErrorKind::kInvalidArgument, "channels are equalized with images at hand; give --calib");
  QuantizationScheme as_seen = scheme_;
  as_seen.method = "max";
  equalized_ = graph_;
  const size_t changed =
      equalize_channels(*equalized_, ranges_for(graph_, statistics_, as_seen), scheme_).size();
  equalized_statistics_ = statistics_;
  if (changed == 0) return 0;
  const size_t count = std::min(fitted_count(), kEqualizedSamples);
  CalibrateOptions options = options_;
  options.known = &statistics_;
  StatisticsTable seen = calibrate(*equalized_, count, loader(count), options);
  equalized_statistics_.values.merge(seen.values);
  for (auto& [name, taps] : seen.taps) equalized_statistics_.taps[name] = std::move(taps);
  return changed;
}

uint64_t PlanMaker::bytes_to_equalize() const {
  uint64_t bytes = 0;
  for (const Value& value : graph_.values) bytes += value.initializer.byte_size();
  return bytes;
}

std::vector<LeftOut> PlanMaker::too_costly_to_fit(Recipe recipe, const std::string& step) {
  recipe.weight_rounding = WeightRounding::kNearest;
  const PlannedModel planned = plan(recipe);
  std::vector<LeftOut> left_out;
  for (const TooCostly& layer : quantize::too_costly_to_fit(planned, options_.budget))
    left_out.push_back(
        {step, planned.graph.nodes[static_cast<size_t>(layer.node)].name, layer.cost.bytes, layer.cost.macs});
  return left_out;
}

}  // namespace quantize
