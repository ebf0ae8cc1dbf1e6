// The list of calibrators: one line each. A file calibrators/<name>.cpp defines `const Calibrator&
// <name>_calibrator()`.
#include <algorithm>
#include <cmath>

#include "calibration/statistics/calibrators/calibrators.h"
#include "core/error.h"

// clang-format off
#define QUANTIZE_ALL_CALIBRATORS(X) \
  X(max) \
  X(mean) \
  X(entropy) \
  X(percentile) \
  X(mse) \
  X(l2) \
  X(ema)
// clang-format on

namespace quantize {

#define QUANTIZE_DECLARE(name) const Calibrator& name##_calibrator();
QUANTIZE_ALL_CALIBRATORS(QUANTIZE_DECLARE)
#undef QUANTIZE_DECLARE

std::span<const Calibrator* const> all_calibrators() {
#define QUANTIZE_ENTRY(name) &name##_calibrator(),
  static const Calibrator* const list[] = {QUANTIZE_ALL_CALIBRATORS(QUANTIZE_ENTRY)};
#undef QUANTIZE_ENTRY
  return list;
}

const Calibrator& find_calibrator(const std::string& name) {
  std::string names;
  for (const Calibrator* calibrator : all_calibrators()) {
    if (calibrator->name() == name) return *calibrator;
    names += std::string(names.empty() ? "" : ", ") + calibrator->name();
  }
  throw Error(ErrorKind::kInvalidArgument,
              "there is no calibration method '" + name + "'; use one of " + names);
}

Range full_range(const TensorStatistics& statistics) {
  return {std::min(statistics.min, 0.0f), std::max(statistics.max, 0.0f)};
}

Steps steps_of(const QuantType& type) {
  const Range codes = code_range(type);
  const float zero = codes.min < 0 ? 0 : (codes.max + 1) / 2;  // as choose_quant_params places it
  return {.total = static_cast<int>(codes.max - codes.min),
          .above = static_cast<int>(codes.max - zero),
          .below = static_cast<int>(zero - codes.min)};
}

Range range_from_bins(double min, double max, const TensorStatistics& statistics) {
  const Range full = full_range(statistics);
  const double width = statistics.histogram.bin_width();
  return {std::clamp(static_cast<float>(min * width), full.min, 0.0f),
          std::clamp(static_cast<float>(max * width), 0.0f, full.max)};
}

}  // namespace quantize
