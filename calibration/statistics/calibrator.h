// How an activation's range is chosen from its statistics.
#pragma once

#include <span>
#include <string>

#include "calibration/statistics/tensor_statistics.h"
#include "core/quant_params.h"

namespace quantize {

/// The use of a range.
struct RangeRequest {
  QuantType type;
  double percentile = 99.99;  // of the calibrator of that name: in [50, 100]
};

/// One method. Stateless: the same statistics and request give the same range.
class Calibrator {
 public:
  virtual ~Calibrator() = default;

  /// The name for --method.
  virtual const char* name() const = 0;
  /// One line for the help.
  virtual const char* description() const = 0;

  /// The range to quantize an activation with: min <= 0 <= max, inside [min(statistics.min, 0),
  /// max(statistics.max, 0)] or, where that spares much rounding (mse), beyond it by less than a code.
  /// Statistics 2^k times as large give a range 2^k times as large, to the bit, as long as nothing leaves the
  /// range of normal floats. Requires: statistics.samples > 0.
  virtual Range compute_range(const TensorStatistics& statistics, const RangeRequest& request) const = 0;
};

/// Every calibrator, in the order of the help. Defined in calibrators/all_calibrators.cpp: the one line to
/// add.
std::span<const Calibrator* const> all_calibrators();

/// Errors: Error(kInvalidArgument) naming those there are.
const Calibrator& find_calibrator(const std::string& name);

/// [min(statistics.min, 0), max(statistics.max, 0)]: all that was seen, and 0.
Range full_range(const TensorStatistics& statistics);

}  // namespace quantize
