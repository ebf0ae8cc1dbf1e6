// The list of search steps: one line each, in the order in which they are tried. A file steps/<name>.cpp defines `void
// add_<name>(std::vector<SearchStep>&)`, which appends its steps.
#include "calibration/search/recipe.h"

// clang-format off
#define QUANTIZE_ALL_SEARCH_STEPS(X) \
  X(no_bias_correction) \
  X(ranges_by_method) \
  X(equalized_channels) \
  X(single_ranges) \
  X(fitted_weights) \
  X(norm_tweaking) \
  X(plain_max)
// clang-format on

namespace quantize {

#define QUANTIZE_DECLARE(name) void add_##name(std::vector<SearchStep>& steps);
QUANTIZE_ALL_SEARCH_STEPS(QUANTIZE_DECLARE)
#undef QUANTIZE_DECLARE

const std::vector<SearchStep>& all_search_steps() {
  static const std::vector<SearchStep> steps = [] {
    std::vector<SearchStep> list;
#define QUANTIZE_ADD(name) add_##name(list);
    QUANTIZE_ALL_SEARCH_STEPS(QUANTIZE_ADD)
#undef QUANTIZE_ADD
    return list;
  }();
  return steps;
}

std::vector<std::string> search_step_names() {
  std::vector<std::string> names;
  for (const SearchStep& step : all_search_steps()) names.push_back(step.name);
  return names;
}

}  // namespace quantize
