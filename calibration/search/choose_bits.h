// Bits of each layer's weights for a size: which choice of each of several things together stays below a limit with the
// least error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quantize {

/// One way to store weights.
struct SizeChoice {
  int64_t bits = 8;
  int64_t bytes = 0;  // of a file, nodes included
  double error = 0;
};

/// For each of several weights the place of one of its choices, so that their bytes add up to at most `limit`: from the
/// smallest choice of all, the step that takes the most error away for its bytes is taken first, and so on with
/// whatever still fits. Of steps that are as good, the first one counts. Choices that take more bytes than another and
/// leave no less error are not taken.
///
/// Requires: a choice for each; errors finite and not negative.
/// Source: Shoham and Gersho, Efficient bit allocation for an arbitrary set of quantizers (1988): the convex hull of
/// each set of choices, walked down by slope.
std::vector<size_t> choose_bits(const std::vector<std::vector<SizeChoice>>& weights, int64_t limit);

/// Bytes of these choices.
int64_t bytes_of(const std::vector<std::vector<SizeChoice>>& weights, const std::vector<size_t>& chosen);

}  // namespace quantize
