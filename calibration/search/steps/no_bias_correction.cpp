// no bias correction: biases as the float network has them, where the means that correct them mislead.
#include "calibration/search/plan_maker.h"

namespace quantize {

void add_no_bias_correction(std::vector<SearchStep>& steps) {
  steps.push_back({.name = "no bias correction",
                   .description = "biases as the float network has them",
                   .vary = [](SearchState& state) -> std::optional<Variation> {
                     if (state.recipe.bias_correction == BiasCorrection::kOff) return std::nullopt;
                     Recipe recipe = state.recipe;
                     recipe.bias_correction = BiasCorrection::kOff;
                     return Variation{recipe};
                   }});
}

}  // namespace quantize
