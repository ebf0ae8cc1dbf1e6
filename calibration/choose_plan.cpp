// Read PlanSearch::run() first.
#include "calibration/choose_plan.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "calibration/choose_ranges.h"
#include "calibration/correct_bias.h"
#include "calibration/decide_ranges.h"
#include "calibration/preprocess.h"
#include "calibration/preprocess_file.h"
#include "calibration/search_steps.h"
#include "core/error.h"
#include "core/quantization/bias_correction.h"
#include "core/quantization/equalize.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"

namespace quantize {

namespace {

using Clock = std::chrono::steady_clock;

class PlanSearch {
 public:
  PlanSearch(const Graph& graph, const StatisticsTable& statistics, const QuantizationScheme& scheme,
             const TargetProfile& target, const SampleSet& samples, const CalibrateOptions& options)
      : graph_(graph),
        statistics_(statistics),
        scheme_(scheme),
        target_(target),
        samples_(samples),
        options_(options),
        progress_(options.progress) {
    options_.progress = {};  // that of the search counts what was tried
    if (statistics.preprocessing.empty()) return;
    grid_ = pixel_grid(parse_preprocess(statistics.preprocessing));
    if (grid_) bytes_ = read_pixels(graph_, *grid_, scheme, target);
  }

  ChosenPlan run(const Bound& bound) {
    const bool is_auto = scheme_.method == kAutoMethod;
    split_samples(is_auto, static_cast<bool>(bound));
    const Validator validator(graph_, held_back_, samples_, options_);
    validator.check_meaning(bound.min_agreement.has_value(), static_cast<bool>(samples_.label));
    validator_ = &validator;
    best_.held_back = validator.samples();
    set_budget(is_auto);
    if (is_auto && best_.held_back != 0)
      search();
    else
      take(is_auto ? kFallbackMethod : scheme_.method);
    if (bound && best_.quality && !bound.holds(*best_.quality)) put_back_until(bound);
    warn();
    return std::move(best_);
  }

 private:
  void split_samples(bool searches, bool has_bound) {
    fitted_.resize(samples_.count);
    std::iota(fitted_.begin(), fitted_.end(), size_t{0});
    if (searches || has_bound) held_back_ = take_evenly(samples_.held_back);
    if (searches) confirming_ = take_evenly(samples_.confirming);
  }

  /// Takes `count` of the samples that are still to be fitted: the last of each of as many parts.
  std::vector<size_t> take_evenly(size_t count) {
    std::vector<size_t> taken, left;
    for (size_t i = 0; i < fitted_.size(); ++i) {
      const bool ends_part = (i + 1) * count / fitted_.size() > i * count / fitted_.size();
      (ends_part ? taken : left).push_back(fitted_[i]);
    }
    fitted_ = std::move(left);
    return taken;
  }

  /// The search may fit weights for as long as all the rest takes; who asks for fitted weights by name gets
  /// them at any price but memory.
  void set_budget(bool searches) {
    const uint64_t rest = macs_of(graph_) * (samples_.count + kMostSteps * held_back_.size());
    options_.budget.macs =
        searches ? std::max(rest, Budget::kLeastMacs) : std::numeric_limits<uint64_t>::max();
    best_.budget = options_.budget;
  }

  /// Lists the layers that a recipe with fitted weights leaves out.
  void list_too_costly(Recipe recipe) {
    recipe.weight_rounding = WeightRounding::kNearest;
    const Graph& graph = graph_of(recipe);
    for (const TooCostly& layer : too_costly_to_fit(plan_with(recipe), options_.budget))
      best_.left_out.push_back({kFittedWeights, graph.nodes[static_cast<size_t>(layer.node)].name,
                                layer.cost.bytes, layer.cost.macs});
  }

  void warn() {
    if (best_.quality) best_.warnings = doubts_about(*best_.quality);
    if (const auto reason = why_all_float(summarize(best_.planned)))
      best_.warnings.push_back("nothing is left in int8; what keeps most nodes in float: " + *reason);
  }

  PlannedModel plan_with(const Recipe& recipe, const std::set<std::string>& float_nodes = {}) {
    QuantizationScheme scheme = scheme_;
    scheme.method = recipe.method;
    scheme.bias_correction = recipe.bias_correction;
    scheme.float_nodes = float_nodes;
    Known& known = known_of(recipe);
    PlannedModel planned = plan_quantization(graph_of(recipe), ranges_of(recipe), scheme, target_);
    const bool fits = recipe.weight_rounding == WeightRounding::kFitted;
    if (fits) take_codes(known.fitted, planned.plan);
    if (fits || recipe.bias_correction == BiasCorrection::kMeasured)
      correct_bias(
          planned, fitted_count(), [&](size_t i) { return load_fitted(i); }, recipe.bias_correction,
          recipe.weight_rounding, options_);
    if (fits && known.fitted.nodes.empty()) known.fitted = planned.plan;
    return planned;
  }

  /// Decides every range by itself, starting from those of the best plan so far. Returns how many change.
  size_t ask_readers() {
    Recipe recipe = best_.recipe;
    std::vector<RangeTable> tables{ranges_of(recipe)};
    for (const char* method : {"mse", "max", "mean", "entropy", "percentile"}) {
      recipe.method = method;
      tables.push_back(ranges_of(recipe));
    }
    QuantizationScheme scheme = scheme_;
    scheme.method = "percentile";
    for (const double percentile : {99.9, 99.99, 99.999}) {
      scheme.percentile = percentile;
      if (percentile != scheme_.percentile)
        tables.push_back(ranges_for(graph_of(recipe), statistics_of(recipe), scheme));
    }
    recipe = best_.recipe;
    RangeTable chosen = choose_ranges(
        best_.planned, tables, scheme_, fitted_count(), [&](size_t i) { return load_fitted(i); }, options_);
    const auto changed = std::count_if(chosen.values.begin(), chosen.values.end(), [&](const auto& value) {
      return value.second.method != tables[0].find(value.first)->method;
    });
    recipe.by_readers = true;
    known_of(recipe).ranges = std::move(chosen);
    return static_cast<size_t>(changed);
  }

  /// Layers keep the codes that were fitted to them before, for the same ranges, and the shifts that these
  /// cause.
  void take_codes(const QuantizationPlan& fitted, QuantizationPlan& plan) const {
    for (size_t n = 0; n < fitted.nodes.size(); ++n) {
      const auto& known = fitted.nodes[n].weights;
      auto& weights = plan.nodes[n].weights;
      if (known && weights && known->params.scale == weights->params.scale) {
        weights->codes = known->codes;
        set_shift(*weights, known->shift);
      }
    }
  }

  /// Decided once.
  const RangeTable& ranges_of(const Recipe& recipe) {
    std::optional<RangeTable>& ranges = known_of(recipe).ranges;
    if (!ranges) {
      QuantizationScheme scheme = scheme_;
      scheme.method = recipe.method;
      ranges = ranges_for(graph_of(recipe), statistics_of(recipe), scheme);
    }
    return *ranges;
  }
  RangeTable ranges_for(const Graph& graph, const StatisticsTable& statistics,
                        const QuantizationScheme& scheme) const {
    RangeTable ranges = decide_ranges(statistics, scheme, options_.threads);
    if (!bytes_.empty()) add_pixel_range(graph, bytes_, *grid_, ranges);
    return ranges;
  }

  const Graph& graph_of(const Recipe& recipe) const { return recipe.equalized ? *equalized_ : graph_; }
  const StatisticsTable& statistics_of(const Recipe& recipe) const {
    return recipe.equalized ? equalized_statistics_ : statistics_;
  }
  Quality judge(const PlannedModel& planned) const { return validator_->judge(insert_qdq(planned)); }

  /// The samples that are not held back.
  size_t fitted_count() const { return fitted_.size(); }
  std::optional<std::vector<Tensor>> load_fitted(size_t i) const { return samples_.load(fitted_[i]); }

  /// The equalized graph is another one beside the first.
  bool can_equalize() {
    uint64_t bytes = 0;
    for (const Value& value : graph_.values) bytes += value.initializer.byte_size();
    if (bytes <= options_.budget.bytes) return true;
    best_.left_out.push_back({kEqualizedChannels, "", bytes, 0});
    return false;
  }

  /// Makes the equalized graph and its statistics. Returns how many tensors it changes.
  size_t equalize() {
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
    StatisticsTable seen = calibrate(
        *equalized_, count, [&](size_t i) { return load_fitted(i * fitted_count() / count); }, options_);
    equalized_statistics_.values.merge(seen.values);  // what is known under its name stays
    equalized_statistics_.taps = std::move(seen.taps);
    return changed;
  }

  void search() {
    const auto closed_form = std::min(scheme_.bias_correction, BiasCorrection::kClosedForm);
    const bool corrects = closed_form != BiasCorrection::kOff;
    const std::string fallback = kFallbackMethod;
    const bool is_on = scheme_.equalization == Equalization::kOn && equalize() != 0;
    const auto recipe = [&](const std::string& method, BiasCorrection correction, bool equalized) {
      return Recipe{method, correction, WeightRounding::kNearest, equalized};
    };
    attempt(ranges_by(fallback) + (corrects ? ", biases corrected" : "") +
                (is_on ? ", " + std::string(kEqualizedChannels) : ""),
            recipe(fallback, closed_form, is_on), kAnyGain);
    if (corrects && wants(kNoBiasCorrection))
      attempt(kNoBiasCorrection, recipe(fallback, BiasCorrection::kOff, is_on), kClearGain);
    for (const std::string& method : tried_methods())
      if (wants(ranges_by(method)))
        attempt(ranges_by(method), recipe(method, best_.recipe.bias_correction, is_on), kClearGain);
    try_equalizing();
    try_single_ranges();
    try_fitting(closed_form);
    if (wants(kPlainMax)) attempt(kPlainMax, {"max", BiasCorrection::kOff}, kLikelyGain);
    confirm();
  }

  /// Whether a step is to be tried, and all of what it combines.
  bool wants(const std::string& step) const {
    if (step == kFittedAndMeasured && !(wants(kFittedWeights) && wants(kMeasuredBias))) return false;
    return !scheme_.without.contains(step);
  }

  void try_equalizing() {
    if (scheme_.equalization != Equalization::kTried || !wants(kEqualizedChannels) || !can_equalize()) return;
    const Clock::time_point start = Clock::now();
    const size_t changed = equalize();
    if (changed == 0) return;
    attempt(kEqualizedChannels,
            {best_.recipe.method, best_.recipe.bias_correction, WeightRounding::kNearest, true}, kClearGain,
            start);
    best_.steps.back().changed = changed;
  }

  void try_single_ranges() {
    if (!wants(kSingleRanges)) return;
    Recipe by_readers = best_.recipe;
    by_readers.by_readers = true;
    const Clock::time_point start = Clock::now();
    const size_t changed = ask_readers();
    if (changed == 0) return;
    attempt(kSingleRanges, by_readers, kClearGain, start);
    best_.steps.back().changed = changed;
  }

  /// Fitted weights, measured biases, and both where fitted weights alone gained nothing.
  void try_fitting(BiasCorrection closed_form) {
    Recipe fitted = best_.recipe;
    fitted.weight_rounding = WeightRounding::kFitted;
    fitted.bias_correction = closed_form;
    const bool fits =
        closed_form != BiasCorrection::kOff && scheme_.weight_rounding == WeightRounding::kFitted;
    if (fits && wants(kFittedWeights)) {
      list_too_costly(fitted);
      attempt(kFittedWeights, fitted, kAnyGain);
    }
    if (scheme_.bias_correction != BiasCorrection::kMeasured || !wants(kMeasuredBias)) return;
    Recipe measured = best_.recipe;
    measured.bias_correction = fitted.bias_correction = BiasCorrection::kMeasured;
    attempt(kMeasuredBias, measured, kLikelyGain);
    if (fits && measured.weight_rounding != WeightRounding::kFitted && wants(kFittedAndMeasured))
      attempt(kFittedAndMeasured, fitted, kLikelyGain);
  }

  /// Takes the last steps back until what is left gains on the confirming samples or, where it is only what
  /// helps on most networks, loses no more than chance explains.
  void confirm() {
    if (kept_.size() < 2 || confirming_.empty()) return;
    const Validator confirmer(graph_, confirming_, samples_, options_);
    best_.confirming = confirmer.samples();
    const auto quality_of = [&](const Kept& kept) { return confirmer.judge(insert_qdq(kept.planned)); };
    const Quality start = quality_of(kept_.front());
    const auto holds = [&] {
      const bool usual = std::all_of(kept_.begin() + 1, kept_.end(),
                                     [](const Kept& kept) { return kept.least_gain == kAnyGain; });
      const std::optional<double> gain = quality_of(kept_.back()).gain_over(start);
      return gain && *gain > (usual ? -kLikelyGain : 0);
    };
    while (kept_.size() > 1 && !holds()) {
      PlanStep& step = best_.steps[kept_.back().step];
      step.kept = false;
      step.taken_back = true;
      kept_.pop_back();
      accept(kept_.back());
    }
  }

  /// Tells of one more network that was tried; a caller that wants no more throws.
  void count_trial() {
    ++trials_;
    if (progress_) progress_(trials_);
  }

  /// What the scheme says, unseen; but what fits the samples is left out if nothing can judge it (`auto`).
  void take(const std::string& method) {
    const bool may_fit = samples_.count != 0 && scheme_.method != kAutoMethod;
    const bool equalized = scheme_.equalization == Equalization::kOn && equalize() != 0;
    best_.recipe = {method, scheme_.bias_correction, scheme_.weight_rounding, equalized, false};
    if (!may_fit) {
      best_.recipe.bias_correction = std::min(scheme_.bias_correction, BiasCorrection::kClosedForm);
      best_.recipe.weight_rounding = WeightRounding::kNearest;
    }
    if (best_.recipe.weight_rounding == WeightRounding::kFitted) list_too_costly(best_.recipe);
    best_.planned = plan_with(best_.recipe);
    if (best_.held_back != 0) best_.quality = judge(best_.planned);
  }

  /// The plan with the most integer multiplications among those that either order of layers leads to.
  void put_back_until(const Bound& bound) {
    // Ranking layers needs nothing measured; what is confirmed has it.
    const Recipe quick{best_.recipe.method,
                       std::min(best_.recipe.bias_correction, BiasCorrection::kClosedForm),
                       WeightRounding::kNearest, best_.recipe.equalized, best_.recipe.by_readers};
    const Planner planner = [&](const std::set<std::string>& nodes) { return plan_with(quick, nodes); };
    const std::vector<LayerSensitivity> layers =
        measure_sensitivity(best_.planned, planner, *validator_, false, [&](size_t) { count_trial(); });
    const PlannedModel whole = best_.planned;
    best_.bound_met = false;
    uint64_t most_macs = 0;
    for (HarmPer per : {HarmPer::kMac, HarmPer::kLayer}) {
      std::optional<Candidate> last;
      const auto nodes = fewest_in_float(most_harmful_first(whole, layers, per),
                                         [&](const std::set<std::string>& float_nodes) {
                                           Candidate candidate = candidate_with(float_nodes);
                                           const bool holds = bound.holds(candidate.quality);
                                           if (holds) last = std::move(candidate);
                                           return holds;
                                         });
      if (!nodes || summarize(last->planned).integer_macs <= most_macs) continue;
      most_macs = summarize(last->planned).integer_macs;
      best_.bound_met = true;
      best_.put_back = *nodes;
      best_.planned = std::move(last->planned);
      best_.quality = std::move(last->quality);
    }
  }

  /// A step that was kept, and what it made.
  struct Kept {
    Recipe recipe;
    PlannedModel planned;
    Quality quality;
    double least_gain;
    size_t step;
  };
  void accept(const Kept& kept) {
    best_.recipe = kept.recipe;
    best_.planned = kept.planned;
    best_.quality = kept.quality;
  }

  struct Candidate {
    PlannedModel planned;
    Quality quality;
  };
  Candidate candidate_with(const std::set<std::string>& float_nodes) {
    PlannedModel planned = plan_with(best_.recipe, float_nodes);
    count_trial();
    Quality quality = judge(planned);
    return {std::move(planned), std::move(quality)};
  }

  /// Keeps the plan if it gains more than that over the best so far. `start`: when work on it began.
  void attempt(const std::string& name, const Recipe& recipe, double least_gain,
               Clock::time_point start = Clock::now()) {
    PlannedModel planned = plan_with(recipe);
    PlanStep step{.name = name, .before = best_.quality, .after = judge(planned)};
    step.worsens = best_.quality && step.after.worsens_a_channel_of(*best_.quality);
    const std::optional<double> gain = best_.quality ? step.after.gain_over(*best_.quality) : std::nullopt;
    step.kept = !best_.quality || (!step.worsens && gain && *gain > needed_gain(least_gain));
    step.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (step.kept) {
      kept_.push_back({recipe, std::move(planned), step.after, least_gain, best_.steps.size()});
      accept(kept_.back());
    }
    best_.steps.push_back(std::move(step));
    count_trial();
  }

  /// The quantile of Student's distribution that is as rare as this many standard errors of the normal one,
  /// to the first order in the number of samples. Source: Abramowitz and Stegun 26.7.5.
  double needed_gain(double in_normal) const {
    const auto freedom = static_cast<double>(std::max<size_t>(best_.quality->errors.size(), 2) - 1);
    return in_normal + in_normal * (in_normal * in_normal + 1) / (4 * freedom);
  }

  /// What Quality::gain_over must exceed, with many samples. What helps on most networks is taken if it helps
  /// at all, other corrections if that is hardly chance; of several tries of one kind, one in six seems to
  /// gain as much by chance, so for these it must be twice as much.
  static constexpr double kAnyGain = 0, kLikelyGain = 1, kClearGain = 2;

  Graph graph_;
  std::optional<PixelGrid> grid_;  // of the images, if known
  std::string bytes_;              // their value in graph_, if it has one
  const StatisticsTable& statistics_;
  const QuantizationScheme& scheme_;
  const TargetProfile& target_;
  const SampleSet& samples_;
  CalibrateOptions options_;
  const std::function<void(size_t)> progress_;
  size_t trials_ = 0;
  /// What needs to be computed once for a method, Recipe::equalized and Recipe::by_readers.
  struct Known {
    std::optional<RangeTable> ranges;
    QuantizationPlan fitted;  // with fitted weights; empty until there are any
  };
  Known& known_of(const Recipe& recipe) {
    return known_[{recipe.method, recipe.equalized, recipe.by_readers}];
  }
  std::map<std::tuple<std::string, bool, bool>, Known> known_;
  std::optional<Graph> equalized_;  // once it was asked for
  StatisticsTable equalized_statistics_;
  std::vector<size_t> fitted_, held_back_, confirming_;  // numbers of samples
  std::vector<Kept> kept_;
  const Validator* validator_ = nullptr;
  ChosenPlan best_;
};

}  // namespace

ChosenPlan choose_plan(const Graph& graph, const StatisticsTable& statistics,
                       const QuantizationScheme& scheme, const TargetProfile& target,
                       const SampleSet& samples, const Bound& bound, const CalibrateOptions& options) {
  return PlanSearch(graph, statistics, scheme, target, samples, options).run(bound);
}

}  // namespace quantize
