// ranges by METHOD: all ranges of activations by another calibrator.
#include "calibration/search/plan_maker.h"
#include "calibration/statistics/calibrator.h"

namespace quantize {

void add_ranges_by_method(std::vector<SearchStep>& steps) {
  for (const Calibrator* calibrator : all_calibrators()) {
    const std::string method = calibrator->name();
    if (method == kFallbackMethod) continue;
    steps.push_back({.name = ranges_by(method),
                     .description = calibrator->description(),
                     .vary = [method](SearchState& state) {
                       Recipe recipe = state.recipe;
                       recipe.method = method;
                       return std::optional(Variation{recipe});
                     }});
  }
}

}  // namespace quantize
