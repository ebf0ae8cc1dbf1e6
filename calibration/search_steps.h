// The steps of the search for a plan: the one place that names them.
#pragma once

#include <string>
#include <vector>

namespace quantize {

constexpr const char* kNoBiasCorrection = "no bias correction";
constexpr const char* kEqualizedChannels = "equalized channels";
constexpr const char* kSingleRanges = "ranges of single values";
constexpr const char* kFittedWeights = "fitted weights";
constexpr const char* kMeasuredBias = "measured bias";
constexpr const char* kFittedAndMeasured = "fitted weights and measured bias";
constexpr const char* kPlainMax = "ranges by max without corrections";

/// "ranges by entropy": all ranges by one method.
std::string ranges_by(const std::string& method);

/// The methods that the search tries for all ranges, beside the one it starts from.
const std::vector<std::string>& tried_methods();

/// Every step that a search may try after its start, in the order in which it tries them.
std::vector<std::string> search_steps();

}  // namespace quantize
