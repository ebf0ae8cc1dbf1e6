// The list of search steps: the one line to add.
#include "calibration/search/steps/steps.h"

namespace quantize {

const std::vector<SearchStep>& all_search_steps() {
  static const std::vector<SearchStep> steps = [] {
    std::vector<SearchStep> list = {no_bias_correction()};
    for (SearchStep& step : ranges_by_method()) list.push_back(std::move(step));
    for (SearchStep (*make)() : {equalized_channels, single_ranges, fitted_weights, measured_bias,
                                 fitted_weights_and_measured_bias, plain_max})
      list.push_back(make());
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
