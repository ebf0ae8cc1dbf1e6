// Read PlanSearch::run() first.
#include "calibration/search/choose_plan.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>

#include "calibration/search/keep_bound.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/rest/narrow_rest.h"

namespace quantize {

namespace {

using Clock = std::chrono::steady_clock;

/// Steps of a search vary ranges and what follows from them.
bool searches(const QuantizationScheme& scheme) {
  return scheme.method == kAutoMethod && takes_ranges(scheme);
}

class PlanSearch {
 public:
  PlanSearch(const SamplePool& pool, PlanMaker& maker, const std::function<void(size_t)>& progress)
      : graph_(maker.graph_of({})),
        scheme_(maker.scheme()),
        pool_(pool),
        maker_(maker),
        options_(maker.options()),
        progress_(progress) {}

  ChosenPlan run(const Bound& bound) {
    const Validator validator(graph_, pool_.held_back(), pool_.set(), options_);
    if (bound.min_agreement) validator.check_meaning(Need::kAgreement);
    if (pool_.set().label) validator.check_meaning(Need::kClasses);
    validator_ = &validator;
    best_.held_back = validator.samples();
    best_.budget = options_.budget;
    if (is_auto() && best_.held_back != 0)
      search();
    else
      take(method_untried(scheme_));
    if (bound && best_.quality && !bound.holds(*best_.quality)) keep(bound);
    warn();
    return std::move(best_);
  }

 private:
  bool is_auto() const { return searches(scheme_); }

  void warn() {
    if (best_.quality) best_.warnings = doubts_about(*best_.quality);
    if (const auto reason = why_all_float(summarize(best_.planned)); reason && asks_for_integers(scheme_))
      best_.warnings.push_back("nothing is left in int8; the reason for most nodes in float: " + *reason);
  }

  void search() {
    const auto closed_form = std::min(scheme_.bias_correction, BiasCorrection::kClosedForm);
    const bool is_on = scheme_.equalization == Equalization::kOn && maker_.equalize() != 0;
    attempt({.name = ranges_by(kFallbackMethod) +
                     (closed_form != BiasCorrection::kOff ? ", biases corrected" : "") +
                     (is_on ? ", equalized channels" : ""),
             .description = "",
             .vary = [&](SearchState&) {
               return std::optional(
                   Variation{Recipe{kFallbackMethod, closed_form, WeightRounding::kNearest, is_on}});
             }});
    for (const SearchStep& step : all_search_steps())
      if (wants(step)) attempt(step);
    confirm();
  }

  /// Whether a step is to be tried, and all of what it combines.
  bool wants(const SearchStep& step) const {
    return !scheme_.without.contains(step.name) &&
           std::none_of(step.combines.begin(), step.combines.end(),
                        [&](const std::string& name) { return scheme_.without.contains(name); });
  }

  /// Keeps the plan of a step, if there is any, if it gains enough over the best so far.
  void attempt(const SearchStep& step) {
    const Clock::time_point start = Clock::now();
    SearchState state{maker_, best_.recipe, best_.planned, best_.left_out};
    const std::optional<Variation> variation = step.vary(state);
    if (!variation) return;
    PlannedModel planned = maker_.plan(variation->recipe);
    PlanStep tried{.name = step.name,
                   .changed = variation->changed,
                   .before = best_.quality,
                   .after = judge(planned, step)};
    tried.given_up = best_.quality && tried.after.judged.size() < best_.quality->judged.size();
    tried.worsens = best_.quality && tried.after.worsens_a_channel_of(*best_.quality);
    const std::optional<double> gain = best_.quality ? tried.after.gain_over(*best_.quality) : std::nullopt;
    tried.kept =
        !best_.quality || (!tried.given_up && !tried.worsens && gain && *gain > needed_gain(step.least_gain));
    tried.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (tried.kept) {
      kept_.push_back(
          {variation->recipe, std::move(planned), tried.after, step.least_gain, best_.steps.size()});
      accept(kept_.back());
    }
    best_.steps.push_back(std::move(tried));
    count_trial();
  }

  Quality judge(const PlannedModel& planned, const SearchStep& step) const {
    const Graph qdq = judged_graph(planned);
    if (!best_.quality) return validator_->judge(qdq);
    return validator_->judge(qdq, {*best_.quality, needed_gain(step.least_gain)});
  }

  /// The quantile of Student's distribution that is as rare as this many standard errors of the normal one,
  /// to the first order in the number of samples. Source: Abramowitz and Stegun 26.7.5.
  double needed_gain(double in_normal) const {
    const auto freedom = static_cast<double>(std::max<size_t>(best_.quality->errors.size(), 2) - 1);
    return in_normal + in_normal * (in_normal * in_normal + 1) / (4 * freedom);
  }

  /// Takes the last steps back until the others together gain on the confirming samples. Steps of kAnyGain
  /// alone, which help on most networks, need only lose no more than chance explains.
  void confirm() {
    if (kept_.size() < 2 || pool_.confirming().empty()) return;
    const Validator confirmer(graph_, pool_.confirming(), pool_.set(), options_);
    best_.confirming = confirmer.samples();
    const Quality start = confirmer.judge(judged_graph(kept_.front().planned));
    const auto holds = [&] {
      const bool usual = std::all_of(kept_.begin() + 1, kept_.end(),
                                     [](const Kept& kept) { return kept.least_gain == kAnyGain; });
      const std::optional<double> gain = confirmer.judge(judged_graph(kept_.back().planned)).gain_over(start);
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

  /// The plan of the scheme, not judged. With `auto`, corrections that are fitted to samples are left out.
  void take(const std::string& method) {
    const bool may_fit = pool_.set().count != 0 && !is_auto();
    const bool equalized = scheme_.equalization == Equalization::kOn && maker_.equalize() != 0;
    best_.recipe = {method, scheme_.bias_correction, scheme_.weight_rounding, equalized};
    if (!may_fit) {
      best_.recipe.bias_correction = std::min(scheme_.bias_correction, BiasCorrection::kClosedForm);
      best_.recipe.weight_rounding = WeightRounding::kNearest;
    }
    if (best_.recipe.weight_rounding == WeightRounding::kFitted)
      best_.left_out = maker_.too_costly_to_fit(best_.recipe, "fitted weights");
    best_.planned = maker_.plan(best_.recipe);
    if (best_.held_back != 0) best_.quality = validator_->judge(judged_graph(best_.planned));
  }

  /// Puts layers back into float until the bound holds.
  void keep(const Bound& bound) {
    std::optional<BoundedPlan> bounded =
        keep_bound(bound, best_.recipe, best_.planned, maker_, *validator_, [&] { count_trial(); });
    best_.bound_met = bounded.has_value();
    if (!bounded) return;
    best_.put_back = std::move(bounded->in_float);
    best_.put_to_16_bits = std::move(bounded->in_16_bits);
    best_.planned = std::move(bounded->planned);
    best_.quality = std::move(bounded->quality);
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

  const Graph& graph_;
  const QuantizationScheme& scheme_;
  const SamplePool& pool_;
  PlanMaker& maker_;
  const CalibrateOptions& options_;
  const std::function<void(size_t)>& progress_;  // told how many networks were tried
  size_t trials_ = 0;
  std::vector<Kept> kept_;
  const Validator* validator_ = nullptr;
  ChosenPlan best_;
};

/// The search may fit weights for as long as all the rest takes; who asks for fitted weights by name gets them
/// at any price but memory.
uint64_t macs_to_spend(const Graph& graph, const SamplePool& pool, bool searches) {
  if (!searches) return std::numeric_limits<uint64_t>::max();
  const size_t trials = all_search_steps().size() + 1;
  return std::max(macs_of(graph) * (pool.set().count + trials * pool.held_back().size()), Budget::kLeastMacs);
}

SamplePool pool_of(const PlanRequest& request, const SampleSet& samples) {
  const bool search = searches(request.scheme);
  return SamplePool(samples, search || request.bound || !takes_ranges(request.scheme), search);
}

}  // namespace

std::string method_untried(const QuantizationScheme& scheme) {
  return scheme.method == kAutoMethod ? kFallbackMethod : scheme.method;
}

std::vector<size_t> judging_samples(const PlanRequest& request, const SampleSet& samples) {
  const SamplePool pool = pool_of(request, samples);
  std::vector<size_t> judging;
  std::merge(pool.held_back().begin(), pool.held_back().end(), pool.confirming().begin(),
             pool.confirming().end(), std::back_inserter(judging));
  return judging;
}

ChosenPlan choose_plan(const Graph& graph, const StatisticsTable& statistics, const PlanRequest& request,
                       const SampleSet& samples, const CalibrateOptions& options) {
  const SamplePool pool = pool_of(request, samples);
  CalibrateOptions of_steps = options;
  of_steps.budget.macs = macs_to_spend(graph, pool, searches(request.scheme));
  PlanMaker maker(graph, statistics, request.scheme, request.target, pool, of_steps);
  return PlanSearch(pool, maker, options.progress).run(request.bound);
}

}  // namespace quantize
