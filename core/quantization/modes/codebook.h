// Levels that are fitted to numbers: k-means on a line.
#pragma once

#include <cstddef>
#include <vector>

namespace quantize {

/// The levels, ascending, with which each number has its nearest one at the least squared distance that Lloyd's
/// algorithm finds: at most `count`, and the numbers themselves if they are no more than that.
///
/// Requires: values finite, at least one; count >= 1.
/// Accuracy: sums in double, in ascending order of the values; the same on every machine.
/// Source: Lloyd, Least squares quantization in PCM (1982); the better of two starts.
std::vector<float> fit_levels(std::vector<float> values, size_t count);

/// The place of the nearest level; of two as near, the lower one. Requires: levels ascending, at least one.
size_t nearest_level(const std::vector<float>& levels, float value);

}  // namespace quantize
