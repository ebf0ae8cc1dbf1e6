// ranges of single values: every range by itself, by what rounding does to the nodes that read it.
#include <algorithm>

#include "calibration/search/choose_ranges.h"
#include "calibration/search/plan_maker.h"
#include "calibration/statistics/calibrator.h"

namespace quantize {

namespace {

/// The ranges of the best plan, then those that every method finds, some with other settings.
std::vector<RangeTable> tables_to_choose_from(SearchState& state) {
  PlanMaker& maker = state.maker;
  std::vector<RangeTable> tables{maker.ranges_of(state.recipe)};
  Recipe recipe = state.recipe;
  recipe.method = kFallbackMethod;
  tables.push_back(maker.ranges_of(recipe));
  for (const Calibrator* calibrator : all_calibrators()) {
    recipe.method = calibrator->name();
    if (recipe.method != kFallbackMethod) tables.push_back(maker.ranges_of(recipe));
  }
  QuantizationScheme scheme = maker.scheme();
  scheme.method = "percentile";
  for (const double percentile : {99.9, 99.99, 99.999}) {
    scheme.percentile = percentile;
    if (percentile != maker.scheme().percentile) tables.push_back(maker.decide(state.recipe, scheme));
  }
  return tables;
}

}  // namespace

void add_single_ranges(std::vector<SearchStep>& steps) {
  steps.push_back({.name = "ranges of single values",
                   .description = "each range by what rounding does to the nodes that read it",
                   .vary = [](SearchState& state) -> std::optional<Variation> {
                     PlanMaker& maker = state.maker;
                     const std::vector<RangeTable> tables = tables_to_choose_from(state);
                     RangeTable chosen = choose_ranges(state.planned, tables, maker.scheme(),
                                                       maker.fitted_count(), maker.loader(), maker.options());
                     const auto changed =
                         std::count_if(chosen.values.begin(), chosen.values.end(),
                                       [](const auto& value) { return value.second.by_readers; });
                     if (changed == 0) return std::nullopt;
                     Recipe recipe = state.recipe;
                     recipe.by_readers = true;
                     maker.set_ranges(recipe, std::move(chosen));
                     return Variation{recipe, static_cast<size_t>(changed)};
                   }});
}

}  // namespace quantize
