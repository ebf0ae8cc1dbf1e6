// The list of all formats: a new one is declared here and listed.
#include "calibration/scales/scale_format.h"

namespace quantize {

extern const ScaleFormat kTrtCache, kNcnnTable, kOrtOverrides, kAimetEncodings, kCsvScales;

std::span<const ScaleFormat* const> all_scale_formats() {
  static constexpr const ScaleFormat* kAll[] = {&kTrtCache, &kAimetEncodings, &kOrtOverrides, &kCsvScales,
                                                &kNcnnTable};
  return kAll;
}

}  // namespace quantize
