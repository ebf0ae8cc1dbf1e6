// no bias correction: biases as the float network has them, where the means that correct them mislead.
#include "calibration/search/plan_maker.h"
#include "calibration/search/steps/steps.h"

namespace quantize {

SearchStep no_bias_correction() {
  return {.name = "no bias correction",
          .description = "biases as the float network has them",
          .vary = [](SearchState& state) -> std::optional<Variation> {
            if (state.recipe.bias_correction == BiasCorrection::kOff) return std::nullopt;
            Recipe recipe = state.recipe;
            recipe.bias_correction = BiasCorrection::kOff;
            return Variation{recipe};
          }};
}

}  // namespace quantize
