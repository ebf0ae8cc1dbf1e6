// fitted weights, measured bias, and both: what looks at the samples layer by layer (correct_bias).
#include "calibration/search/plan_maker.h"

namespace quantize {

namespace {

constexpr const char* kFitted = "fitted weights";
constexpr const char* kMeasured = "measured bias";

bool may_fit(const SearchState& state) {
  const QuantizationScheme& scheme = state.maker.scheme();
  return scheme.bias_correction != BiasCorrection::kOff && scheme.weight_rounding == WeightRounding::kFitted;
}

bool may_measure(const SearchState& state) {
  return state.maker.scheme().bias_correction == BiasCorrection::kMeasured;
}

SearchStep fitted_weights() {
  return {.name = kFitted,
          .description = "weights rounded for the least error of their layer's result",
          .least_gain = kAnyGain,
          .vary = [](SearchState& state) -> std::optional<Variation> {
            if (!may_fit(state)) return std::nullopt;
            Recipe recipe = state.recipe;
            recipe.weight_rounding = WeightRounding::kFitted;
            recipe.bias_correction = BiasCorrection::kClosedForm;
            for (LeftOut& layer : state.maker.too_costly_to_fit(recipe, kFitted))
              state.left_out.push_back(std::move(layer));
            return Variation{recipe};
          }};
}

SearchStep measured_bias() {
  return {.name = kMeasured,
          .description = "biases set by the means measured in the quantized network",
          .least_gain = kLikelyGain,
          .vary = [](SearchState& state) -> std::optional<Variation> {
            if (!may_measure(state)) return std::nullopt;
            Recipe recipe = state.recipe;
            recipe.bias_correction = BiasCorrection::kMeasured;
            return Variation{recipe};
          }};
}

/// For networks that neither alone helps: fitted weights that were kept have been measured with already.
SearchStep fitted_weights_and_measured_bias() {
  return {.name = std::string(kFitted) + " and " + kMeasured,
          .description = "both, where fitted weights alone gain nothing",
          .least_gain = kLikelyGain,
          .vary = [](SearchState& state) -> std::optional<Variation> {
            if (!may_fit(state) || !may_measure(state)) return std::nullopt;
            if (state.recipe.weight_rounding == WeightRounding::kFitted) return std::nullopt;
            Recipe recipe = state.recipe;
            recipe.weight_rounding = WeightRounding::kFitted;
            recipe.bias_correction = BiasCorrection::kMeasured;
            return Variation{recipe};
          },
          .combines = {kFitted, kMeasured}};
}

}  // namespace

void add_fitted_weights(std::vector<SearchStep>& steps) {
  steps.push_back(fitted_weights());
  steps.push_back(measured_bias());
  steps.push_back(fitted_weights_and_measured_bias());
}

}  // namespace quantize
