// Merging histograms of different bin widths.
#include "calibration/statistics/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantize {

namespace {

constexpr int kBinBits = 12;
static_assert(Histogram::kBins == size_t{1} << kBinBits);

/// k >> shift, for any shift >= 0.
size_t coarser(size_t k, int shift) {
  return shift > kBinBits ? 0 : k >> shift;
}

/// Adds count_at(k) for k in [0, used) to the bins that are 2^shift times as wide.
template <typename CountAt>
void add_side(std::vector<uint64_t>& side, size_t used, int shift, CountAt count_at) {
  if (shift == 0 && !side.empty()) {  // bins of one width, the usual case: without branches
    for (size_t k = 0; k < used; ++k) side[k] += count_at(k);
    return;
  }
  for (size_t k = 0; k < used; ++k) {
    const uint64_t count = count_at(k);
    if (count == 0) continue;
    if (side.empty()) side.resize(Histogram::kBins);
    side[coarser(k, shift)] += count;
  }
}

void widen_side(std::vector<uint64_t>& side, int shift) {
  for (size_t k = 0; k < side.size(); ++k) {
    const uint64_t count = side[k];
    side[k] = 0;
    side[coarser(k, shift)] += count;  // never to the right of k
  }
}

}  // namespace

int Histogram::exponent_for(float magnitude) {
  int bits = 0;
  std::frexp(magnitude, &bits);  // magnitude < 2^bits
  return magnitude == 0 ? kMinExponent : std::max(bits - kBinBits, kMinExponent);
}

double Histogram::bin_width() const {
  return std::ldexp(1.0, exponent);
}

uint64_t Histogram::total() const {
  return std::accumulate(negative.begin(), negative.end(),
                         std::accumulate(positive.begin(), positive.end(), zeros));
}

void Histogram::widen(int to) {
  widen_side(positive, to - exponent);
  widen_side(negative, to - exponent);
  exponent = to;
}

void Histogram::add(const Histogram& other) {
  if (other.exponent > exponent) widen(other.exponent);
  const int shift = exponent - other.exponent;
  zeros += other.zeros;
  add_side(positive, other.positive.size(), shift, [&](size_t k) { return other.positive[k]; });
  add_side(negative, other.negative.size(), shift, [&](size_t k) { return other.negative[k]; });
}

void Histogram::add(std::span<const uint32_t> counts, int counts_exponent, size_t used) {
  if (counts_exponent > exponent) widen(counts_exponent);
  const int shift = exponent - counts_exponent;
  add_side(positive, used, shift, [&](size_t k) { return counts[kBins + k]; });
  add_side(negative, used, shift, [&](size_t k) { return counts[kBins - 1 - k]; });
}

}  // namespace quantize
