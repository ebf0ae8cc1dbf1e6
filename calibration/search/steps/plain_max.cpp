// ranges by max without corrections: the plainest plan, so that no result is known to be worse than it.
#include "calibration/search/plan_maker.h"

namespace quantize {

void add_plain_max(std::vector<SearchStep>& steps) {
  steps.push_back({.name = ranges_by("max") + " without corrections",
                   .description = "the plainest plan, so that the result is not known to be worse",
                   .least_gain = kLikelyGain,
                   .vary = [](SearchState&) { return std::optional(Variation{Recipe{.method = "max"}}); }});
}

}  // namespace quantize
