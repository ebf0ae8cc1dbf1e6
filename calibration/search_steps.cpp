#include "calibration/search_steps.h"

namespace quantize {

std::string ranges_by(const std::string& method) {
  return "ranges by " + method;
}

const std::vector<std::string>& tried_methods() {
  static const std::vector<std::string> methods = {"max", "percentile", "entropy"};
  return methods;
}

std::vector<std::string> search_steps() {
  std::vector<std::string> steps = {kNoBiasCorrection};
  for (const std::string& method : tried_methods()) steps.push_back(ranges_by(method));
  for (const char* step :
       {kEqualizedChannels, kSingleRanges, kFittedWeights, kMeasuredBias, kFittedAndMeasured, kPlainMax})
    steps.push_back(step);
  return steps;
}

}  // namespace quantize
