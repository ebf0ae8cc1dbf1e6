// The steps of the search, one file each; all_steps.cpp is the list.
#pragma once

#include "calibration/search/recipe.h"

namespace quantize {

/// Without the correction of biases that the search starts with.
SearchStep no_bias_correction();
/// One step for every calibrator but the one that the search starts from.
std::vector<SearchStep> ranges_by_method();
SearchStep equalized_channels();
SearchStep single_ranges();
SearchStep fitted_weights();
SearchStep measured_bias();
SearchStep fitted_weights_and_measured_bias();
SearchStep plain_max();

}  // namespace quantize
