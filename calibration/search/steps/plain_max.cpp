// ranges by max without corrections: the plainest plan, so that no result is known to be worse than it.
#include "calibration/search/plan_maker.h"
#include "calibration/search/steps/steps.h"

namespace quantize {

SearchStep plain_max() {
  return {.name = ranges_by("max") + " without corrections",
          .description = "the plainest plan, so that the result is not known to be worse",
          .least_gain = kLikelyGain,
          .vary = [](SearchState&) { return std::optional(Variation{Recipe{.method = "max"}}); }};
}

}  // namespace quantize
