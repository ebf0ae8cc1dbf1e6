// From statistics to ranges: the step after which no image is needed any more.
#pragma once

#include "calibration/statistics/statistics_table.h"
#include "core/quantization/scheme.h"
#include "core/range_table.h"

namespace quantize {

/// Decides the range of every value by the scheme's method, or by the method its override names, for the type
/// that activation_type() gives it; and passes the means on. A value with non-finite elements gets no range,
/// nor does one that was never computed. The result does not depend on `threads`. Errors:
/// Error(kInvalidArgument) for a method that does not exist, with the value as context if its override names
/// it.
RangeTable decide_ranges(const StatisticsTable& statistics, const QuantizationScheme& scheme, int threads);

}  // namespace quantize
