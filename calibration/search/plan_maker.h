// Makes the plan of a recipe. Read PlanMaker::plan.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "calibration/images/preprocess.h"
#include "calibration/search/recipe.h"
#include "calibration/search/sample_pool.h"
#include "calibration/statistics/calibrate.h"
#include "core/quantization/plan.h"
#include "core/quantization/target.h"
#include "core/range_table.h"

namespace quantize {

/// The method that the search starts from, and that stands for it where nothing can be tried.
constexpr const char* kFallbackMethod = "mse";

constexpr size_t kEqualizedSamples = 32;

/// "ranges by entropy": all ranges by one method.
std::string ranges_by(const std::string& method);

/// Nodes, by name, that do not compute on activations of 8 bits so that a bound holds.
struct PutBack {
  std::set<std::string> in_float = {}, in_16_bits = {};

  bool empty() const { return in_float.empty() && in_16_bits.empty(); }
};

/// The data from which plans of recipes are made, computed once for all recipes that share them: ranges, the
/// equalized graph, fitted weights, plans that others adjust.
class PlanMaker {
 public:
  /// The references must outlive this object. `options`: budget of the work that a step may add; its progress
  /// is not told anything. If the statistics say how images were preprocessed, the graph's
  /// first convolution reads their bytes, where that loses less (read_pixels).
  PlanMaker(const Graph& graph, const StatisticsTable& statistics, const QuantizationScheme& scheme,
            const TargetProfile& target, const SamplePool& pool, const CalibrateOptions& options);

  /// Plans what the recipe says, but for the nodes that are put back.
  /// Errors: those of decide_ranges, plan_quantization, correct_bias, and of the recipe's adjustments.
  PlannedModel plan(const Recipe& recipe, const PutBack& put_back = {});

  /// The graph that plans of a recipe are for. With Recipe::equalized: equalize() has been called.
  const Graph& graph_of(const Recipe& recipe) const { return recipe.equalized ? *equalized_ : graph_; }

  /// The ranges of a recipe, decided once.
  const RangeTable& ranges_of(const Recipe& recipe);
  /// From now on, the ranges of this recipe, and of those that differ from it in corrections alone.
  void set_ranges(const Recipe& recipe, RangeTable ranges);
  /// The ranges that another scheme makes of the statistics of this recipe's graph.
  RangeTable decide(const Recipe& recipe, const QuantizationScheme& scheme) const;

  /// Makes the equalized graph and its statistics, from up to kEqualizedSamples samples. Returns how many
  /// tensors it changes. Errors: Error(kInvalidArgument) without samples.
  size_t equalize();
  /// The bytes of the graph's constants, which the equalized graph holds once more.
  uint64_t bytes_to_equalize() const;

  /// The layers that a recipe with fitted weights leaves out by their cost, under the name of this step.
  std::vector<LeftOut> too_costly_to_fit(Recipe recipe, const std::string& step);

  const QuantizationScheme& scheme() const { return scheme_; }
  const TargetProfile& target() const { return target_; }
  const CalibrateOptions& options() const { return options_; }
  const Budget& budget() const { return options_.budget; }

  /// The samples that steps may look at: those that judge nothing.
  size_t fitted_count() const { return pool_.fitted().size(); }
  /// Loads them; of fewer, `count` of them, spread evenly.
  SampleLoader loader() const { return loader(fitted_count()); }
  SampleLoader loader(size_t count) const;

 private:
  /// Data that are computed once for a method, Recipe::equalized and Recipe::by_readers.
  struct Known {
    std::optional<RangeTable> ranges;
    QuantizationPlan fitted;  // with fitted weights; empty until there are any
    /// Plans before adjustments, with nothing put back.
    std::map<std::pair<BiasCorrection, WeightRounding>, QuantizationPlan> plans;
  };
  Known& known_of(const Recipe& recipe) {
    return known_[{recipe.method, recipe.equalized, recipe.by_readers}];
  }
  const StatisticsTable& statistics_of(const Recipe& recipe) const {
    return recipe.equalized ? equalized_statistics_ : statistics_;
  }
  /// The plan of a recipe before its adjustments.
  PlannedModel corrected(const Recipe& recipe, const PutBack& put_back, Known& known);
  /// The request with the choices of a recipe in place of its own.
  QuantizationScheme scheme_of(const Recipe& recipe) const;
  RangeTable ranges_for(const Graph& graph, const StatisticsTable& statistics,
                        const QuantizationScheme& scheme) const;

  Graph graph_;
  std::optional<PixelGrid> grid_;  // of the images, if known
  std::string bytes_;              // their value in graph_, if it has one
  const StatisticsTable& statistics_;
  const QuantizationScheme& scheme_;
  const TargetProfile& target_;
  const SamplePool& pool_;
  CalibrateOptions options_;
  std::map<std::tuple<std::string, bool, bool>, Known> known_;
  std::optional<Graph> equalized_;  // once it was asked for
  StatisticsTable equalized_statistics_;
};

}  // namespace quantize
