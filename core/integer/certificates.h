// Proofs that the sums of a quantized model stay in a type, from its weights alone: they hold for every image.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// The worst that a layer of integer weights can add up, over its output channels.
struct Certificate {
  std::string node, op_type;
  int activation_bits = 8;  // or 16
  /// The largest magnitude of a sum of products of codes, bias included:
  /// (2^activation_bits - 1) * sum |weight code - zero point| + |bias|.
  double worst_sum = 0;
  /// The largest magnitude of two products of one sum, whichever stand side by side: the instructions of AVX2 that add
  /// pairs in s16 (maddubs) do not saturate if it is at most 32767.
  double worst_pair = 0;
  /// The largest magnitude of a sum in real units, that a runtime which computes in f16 must hold; nothing where the
  /// scales are no part of the operator (ConvInteger, MatMulInteger).
  std::optional<double> worst_real = std::nullopt;

  bool fits_s32() const { return worst_sum <= 2147483647.0; }
  bool fits_s16_pairs() const { return worst_pair <= 32767.0; }
  bool fits_f16() const { return worst_real && *worst_real <= 65504.0; }
  /// Bits of the smallest signed type that holds every sum.
  int accumulator_bits() const;
};

/// One for each layer of constant weights of 8 bits or fewer, in the order of the nodes. QDQ graphs are read as the
/// integer operators that their islands become, or as they stand where activations have 16 bits; codes that nodes unpack
/// count as constants.
/// Accuracy: worst_sum and worst_pair are exact below 2^53; the bound counts every activation code, whatever the range.
std::vector<Certificate> certificates_of(const Graph& graph);

}  // namespace quantize
