// Bounds of sums, without running anything.
#include "core/integer/exact_sums.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quantize {

namespace {

constexpr double kMostCode = 255;

std::string whole(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", x);
  return text;
}

double largest(const std::vector<double>& numbers) {
  double result = 0;
  for (double x : numbers) result = std::max(result, std::abs(x));
  return result;
}

SumBound bound(double codes, double bias) {
  return {codes, bias, kMostCode * codes + bias};
}

template <typename Code>
double magnitude_of(const Code* codes, int32_t zero_point, const WeightLayout& layout, int64_t channel) {
  int64_t sum = 0;
  for (int64_t i = 0; i < layout.inputs; ++i) {
    const Code* taps = codes + layout.offset(channel, i);
    for (int64_t t = 0; t < layout.taps; ++t) sum += std::abs(int32_t{taps[t]} - zero_point);
  }
  return static_cast<double>(sum);
}

/// The furthest that a code can be from its zero point.
double reach(DataType dtype, int32_t zero_point) {
  const int32_t low = dtype == DataType::kS8 ? -128 : 0;
  return static_cast<double>(std::max(std::abs(zero_point - low), std::abs(low + 255 - zero_point)));
}

}  // namespace

std::string SumBound::text() const {
  return "codes of the weights that add up to " + whole(codes) + ", times 255, plus a bias of " +
         whole(bias) + " pass 2147483647";
}

SumBound bound_of_sums(const Tensor& codes, const std::vector<int32_t>& zero_point,
                       const WeightLayout& layout, const std::vector<double>& bias) {
  // The largest codes there could be settle most layers.
  const SumBound simple = bound_of_any_codes(layout, bias);
  if (simple.fits()) return simple;
  SumBound worst;
  for (int64_t o = 0; o < layout.output_channels(); ++o) {
    const auto c = static_cast<size_t>(o);
    const int32_t zero = zero_point[zero_point.size() == 1 ? 0 : c];
    const double codes_sum = codes.dtype() == DataType::kU8
                                 ? magnitude_of(codes.data<uint8_t>(), zero, layout, o)
                                 : magnitude_of(codes.data<int8_t>(), zero, layout, o);
    const double offset = bias.empty() ? 0 : std::abs(bias[bias.size() == 1 ? 0 : c]);
    const SumBound own = bound(codes_sum, offset);
    if (!(own.most <= worst.most)) worst = own;
  }
  return worst;
}

SumBound bound_of_any_codes(const WeightLayout& layout, const std::vector<double>& bias) {
  return bound(kMostCode * static_cast<double>(layout.inputs * layout.taps), largest(bias));
}

SumBound bound_of_products(int64_t count, DataType a, int32_t a_zero_point, DataType b,
                           int32_t b_zero_point) {
  const double most = static_cast<double>(count) * reach(a, a_zero_point) * reach(b, b_zero_point);
  return {most / kMostCode, 0, most};
}

SumBound bound_of_pool(const Node& pool, Dims x) {
  Shape extents = pool.ints_attribute("kernel_shape", {});
  if (extents.empty() && x.size() > 2) extents.assign(x.begin() + 2, x.end());
  double count = 1;
  for (int64_t extent : extents) count *= static_cast<double>(std::max<int64_t>(extent, 1));
  return bound(count, 0);
}

}  // namespace quantize
