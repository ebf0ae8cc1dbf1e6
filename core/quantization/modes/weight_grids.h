// The grids on which stored weights lie, but for a scale. Read WeightGridForm first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/quantization/scheme.h"

namespace quantize {

/// Codes, and the reals that they stand for before their scale.
struct CodeLevels {
  int32_t low = 0, high = 0;       // the codes
  std::vector<float> levels = {};  // ascending, of the codes from 0 on; empty: codes stand for themselves

  /// The code of the nearest real.
  int32_t code_of(float weight, float scale) const;
  float real_of(int32_t code, float scale) const;
  /// The sum of squared distances.
  double error_of(const std::vector<float>& weights, float scale) const;
};

/// A grid of one formula.
struct WeightGridForm {
  WeightGrid grid;
  const char* name;               // of --weight-grid
  const char* description;        // for help texts
  int64_t least_bits, most_bits;  // that it has a use for
  CodeLevels (*levels)(int64_t bits);
  /// The scale of weights that share one, > 0; nullptr: StorageType::scale. Requires: weights finite.
  float (*scale)(const std::vector<float>& weights, const CodeLevels& levels);
};

/// Every grid of a formula: all but codebooks, whose levels are fitted.
std::span<const WeightGridForm> all_grids();

/// Requires: not kCodebook.
const WeightGridForm& form_of(WeightGrid grid);

/// The name of a grid; "codebook" for that.
std::string name_of(WeightGrid grid);

/// The scale of kFixed: a bit for the sign, `before_point` bits before the point, the others behind it.
float fixed_scale(int64_t bits, int64_t before_point);

}  // namespace quantize
