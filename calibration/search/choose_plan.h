// From statistics and images to the best plan: every step is tried, judged on held-back images, and kept
// only if it helps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibration/search/plan_maker.h"
#include "calibration/search/sensitivity.h"
#include "calibration/search/validator.h"
#include "calibration/statistics/calibrate.h"
#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// The method that tries all the others.
constexpr const char* kAutoMethod = "auto";
/// One thing that was tried.
struct PlanStep {
  std::string name;                    // what the search starts from, then names of all_search_steps()
  std::optional<size_t> changed = {};  // tensors that were equalized, values whose single ranges are others
  std::optional<Quality> before;       // nothing for what the search starts from
  Quality after;
  bool given_up = false;  // after a part of the samples (Validator::judge): `after` is of these alone
  bool worsens = false;   // a channel of an output: then it is not kept, whatever it gains
  bool kept = false;
  bool taken_back = false;  // kept at first, but not confirmed
  double seconds = 0;
};

/// The result of choose_plan: the plan, its graph, and the steps that led there.
struct ChosenPlan {
  /// Its graph is the one that was given, or the same with the bytes of its images (read_pixels) or its
  /// channels equalized.
  PlannedModel planned;
  Recipe recipe;
  std::vector<PlanStep> steps;  // none without held-back samples
  size_t held_back = 0, confirming = 0;
  std::optional<Quality> quality;                     // on the held-back samples, if there are any
  std::vector<std::string> put_back, put_to_16_bits;  // nodes in float and in 16 bits so that the bound holds
  bool bound_met = true;
  std::vector<LeftOut> left_out;
  Budget budget;                      // which that would exceed
  std::vector<std::string> warnings;  // what speaks against the result
};

/// The plan that is asked for.
struct PlanRequest {
  const QuantizationScheme& scheme;
  const TargetProfile& target;
  const Bound& bound;
};

/// The method that a scheme asks for; where it asks for a search, the one that stands for it where nothing is tried.
std::string method_untried(const QuantizationScheme& scheme);

/// The samples of the set that judge networks in choose_plan, ascending. What the float network computes of them may be
/// given to it (SampleSet::outputs).
std::vector<size_t> judging_samples(const PlanRequest& request, const SampleSet& samples);

/// Plans the quantization of `graph` as the scheme says. If the statistics say how images were preprocessed,
/// its first convolution reads their bytes, where that loses less (read_pixels).
///
/// A method by name does what it says: no sample is held back, none is loaded unless biases are to be
/// measured. Method `auto` searches: it starts from what does well on most networks, ranges by
/// kFallbackMethod and biases corrected in closed form (if the scheme corrects them). Every step of
/// all_search_steps that applies varies the best recipe so far. Its plan replaces the best one if the
/// network's outputs on the held-back samples (a hopeless one is given up after a part of them) gain more than SearchStep::least_gain (Quality::gain_over) and
/// none of their channels gets much worse (Quality::worsens_a_channel_of).
///
/// A step that QuantizationScheme::without names is not tried, nor one that combines it.
///
/// With few held-back samples less is hardly chance: gains that count in standard errors must be larger, as
/// the quantiles of Student's distribution are. The gain of all kept steps together must then show on the
/// confirming samples, which have judged no step: where it does not, the last kept step is taken back, and so
/// on, down to what the search starts from. Steps of kAnyGain alone need not show a gain once more, but no
/// loss of a standard error.
///
/// An equalized network's activations are those of the given one but for the equalized values, whose
/// statistics are taken from up to kEqualizedSamples of the samples that are not held back. With kOn, every
/// step but the last has its channels equalized, and so has a method by name.
///
/// Without held-back samples `auto` is kFallbackMethod. Then, and for any method without samples
/// (`samples.count` 0), biases are corrected in closed form at most.
///
/// Layers whose weights are too costly to be rounded anew (too_costly_to_fit) keep the nearest codes and are
/// listed. A step that equalizes channels is left out if the graph's constants exceed `options.budget`. The
/// search sets the budget's multiplications to what the rest of it does.
///
/// If there is a bound and the plan breaks it, layers are put to activations of 16 bits, where the scheme may take
/// them, or back into float, until it holds on the held-back samples, at the least cost (keep_bound); if it would
/// not hold with any layer in integers, `bound_met` is false. Requires: held-back samples, if there is a bound.
///
/// `options.progress` is told how many networks were tried: one, then one for each step of the search, then
/// those that a bound needs.
///
/// Errors: those of decide_ranges, plan_quantization, the loader and the engine; Error(kInvalidArgument) for
/// kOn without samples.
ChosenPlan choose_plan(const Graph& graph, const StatisticsTable& statistics, const PlanRequest& request,
                       const SampleSet& samples, const CalibrateOptions& options);

}  // namespace quantize
