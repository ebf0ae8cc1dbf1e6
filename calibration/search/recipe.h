// How a plan is made, and the search steps that make another of it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"

namespace quantize {

class PlanMaker;

/// A change to a finished plan: what a search step does that no field of Recipe says.
struct PlanAdjustment {
  std::string name;  // of the step
  /// Requires: the plan was made by the recipe, with the adjustments in front of this one.
  std::function<void(PlanMaker& maker, const struct Recipe& recipe, PlannedModel& planned)> apply;
};

/// How a plan is made.
struct Recipe {
  std::string method;  // of the activation ranges
  BiasCorrection bias_correction = BiasCorrection::kOff;
  WeightRounding weight_rounding = WeightRounding::kNearest;  // kFitted not with kOff
  bool equalized = false;                                     // channels: see equalize_channels
  bool by_readers = false;                                    // single ranges: see choose_ranges
  std::vector<PlanAdjustment> adjustments = {};               // to the finished plan, in this order
};

/// A part of a step that was left out because of what it would cost.
struct LeftOut {
  std::string step, node;
  uint64_t bytes = 0, macs = 0;  // multiply-accumulates
};

/// The state of the search, for a step to vary.
struct SearchState {
  PlanMaker& maker;
  const Recipe& recipe;         // of the best plan so far
  const PlannedModel& planned;  // that plan
  std::vector<LeftOut>& left_out;
};

/// A recipe to try.
struct Variation {
  Recipe recipe;
  std::optional<size_t> changed = {};  // how many tensors or values the step changes, where it counts them
};

/// The gain with which a step is kept (Quality::gain_over), with many samples.
constexpr double kAnyGain = 0;     // for what helps on most networks
constexpr double kLikelyGain = 1;  // one standard error: the gain is hardly chance
/// Two standard errors, for a step that is one of several of its kind: with one, about one in six would pass
/// by chance.
constexpr double kClearGain = 2;

/// One thing that the search tries: a recipe made of the best so far, which must gain enough to replace it. A
/// step is a file of calibration/search/steps and a line in all_steps.cpp; the search, its report, the
/// progress, the help and --without follow from that list.
struct SearchStep {
  std::string name;         // in the report and for --without
  std::string description;  // one line of the help
  double least_gain = kClearGain;
  /// The recipe to try next; nothing if the step does not apply to this network or scheme.
  std::function<std::optional<Variation>(SearchState& state)> vary;
  /// Steps that this one combines: without one of them, it is not tried.
  std::vector<std::string> combines = {};
};

/// Every step, in the order in which the search tries them. Defined in steps/all_steps.cpp.
const std::vector<SearchStep>& all_search_steps();

/// Their names.
std::vector<std::string> search_step_names();

}  // namespace quantize
