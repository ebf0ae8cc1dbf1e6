// The grids, one after the other; kForms at the end lists them.
#include "core/quantization/modes/weight_grids.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "core/quant_params.h"
#include "core/quantization/modes/codebook.h"

namespace quantize {

namespace {

constexpr float kLeastScale = std::numeric_limits<float>::min();

float largest_of(const std::vector<float>& weights) {
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  return largest;
}

/// Codes of 8 bits are symmetric; fewer bits cannot do without their lowest code.
CodeLevels whole_numbers(int64_t bits) {
  const int32_t high = (1 << (bits - 1)) - 1;
  return {bits == 8 ? -high : -high - 1, high};
}

CodeLevels all_whole_numbers(int64_t bits) {
  return {-(1 << (bits - 1)), (1 << (bits - 1)) - 1};
}

/// Scales that are tried for few bits, in shares of the one that holds the largest weight.
constexpr std::array kScales{1.0f, 0.96f, 0.92f, 0.88f, 0.84f, 0.8f, 0.75f, 0.7f, 0.65f, 0.6f, 0.5f};

/// The best of a few scales by the error that they leave, the first of equals.
template <typename Scales>
float best_of(const Scales& scales, const std::vector<float>& weights, const CodeLevels& levels) {
  float best = kLeastScale;
  double least = std::numeric_limits<double>::infinity();
  for (const float tried : scales) {
    const float scale = std::max(tried, kLeastScale);
    const double error = levels.error_of(weights, scale);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

float linear_scale(const std::vector<float>& weights, const CodeLevels& levels) {
  const float largest = largest_of(weights);
  if (largest == 0) return 1;
  const float whole = std::max(largest / static_cast<float>(levels.high), kLeastScale);
  if (levels.low == -levels.high) return whole;
  std::array<float, kScales.size()> scales = kScales;
  for (float& scale : scales) scale *= whole;
  return best_of(scales, weights, levels);
}

/// 0, and powers of two down from 1 with either sign.
CodeLevels powers_of_two(int64_t bits) {
  const int32_t magnitudes = (1 << (bits - 1)) - 1;
  std::vector<float> levels;
  for (int32_t k = 0; k < magnitudes; ++k) levels.push_back(-std::ldexp(1.0f, -k));
  levels.push_back(0);
  for (int32_t k = magnitudes - 1; k >= 0; --k) levels.push_back(std::ldexp(1.0f, -k));
  return {0, 2 * magnitudes, std::move(levels)};
}

/// A power of two itself: one of those around the largest weight.
float power_of_two_scale(const std::vector<float>& weights, const CodeLevels& levels) {
  const float largest = largest_of(weights);
  if (largest == 0) return 1;
  int exponent = 0;
  std::frexp(largest, &exponent);  // largest = 2^exponent * [0.5, 1)
  const std::array scales{std::ldexp(1.0f, exponent - 1), std::ldexp(1.0f, std::min(exponent, 127))};
  return best_of(scales, weights, levels);
}

CodeLevels ternary(int64_t) {
  return {-1, 1};
}

/// The mean of the k largest magnitudes, for the k with the least error: that with the most sum^2 / k.
/// Source: Li et al., Ternary Weight Networks (2016), equation 5, solved exactly.
float ternary_scale(const std::vector<float>& weights, const CodeLevels&) {
  std::vector<float> magnitudes;
  for (const float w : weights) magnitudes.push_back(std::abs(w));
  std::sort(magnitudes.begin(), magnitudes.end(), std::greater<>());
  double sum = 0, most = 0, best = 0;
  for (size_t k = 0; k < magnitudes.size(); ++k) {
    sum += double{magnitudes[k]};
    const auto count = static_cast<double>(k + 1);
    if (sum * sum / count <= most) continue;
    most = sum * sum / count;
    best = sum / count;
  }
  return best == 0 ? 1 : std::max(static_cast<float>(best), kLeastScale);
}

CodeLevels signs(int64_t) {
  return {0, 1, {-1, 1}};
}

/// Source: Rastegari et al., XNOR-Net (2016), equation 6.
float mean_magnitude(const std::vector<float>& weights, const CodeLevels&) {
  double sum = 0;
  for (const float w : weights) sum += std::abs(double{w});
  const auto mean = static_cast<float>(sum / static_cast<double>(weights.size()));
  return mean == 0 ? 1 : std::max(mean, kLeastScale);
}

constexpr WeightGridForm kForms[] = {
    {WeightGrid::kLinear, "linear", "steps of one size", 1, 8, whole_numbers, linear_scale},
    {WeightGrid::kPowersOfTwo, "po2", "powers of two, of up to 5 bits", 2, 5, powers_of_two,
     power_of_two_scale},
    {WeightGrid::kTernary, "ternary", "-s, 0 and s", 2, 2, ternary, ternary_scale},
    {WeightGrid::kBinary, "binary", "-s and s", 1, 1, signs, mean_magnitude},
    {WeightGrid::kFixed, "fixed:W.I", "W bits, one for the sign and I before the point", 2, 8,
     all_whole_numbers, nullptr},
};

}  // namespace

int32_t CodeLevels::code_of(float weight, float scale) const {
  if (levels.empty()) return quantize_value(weight, scale, 0, low, high);
  return static_cast<int32_t>(nearest_level(levels, weight / scale));
}

float CodeLevels::real_of(int32_t code, float scale) const {
  return levels.empty() ? dequantize_value(code, scale, 0) : levels[static_cast<size_t>(code)] * scale;
}

double CodeLevels::error_of(const std::vector<float>& weights, float scale) const {
  double error = 0;
  for (const float w : weights) {
    const double d = double{w} - double{real_of(code_of(w, scale), scale)};
    error += d * d;
  }
  return error;
}

std::span<const WeightGridForm> all_grids() {
  return kForms;
}

const WeightGridForm& form_of(WeightGrid grid) {
  return *std::find_if(std::begin(kForms), std::end(kForms),
                       [&](const WeightGridForm& form) { return form.grid == grid; });
}

std::string name_of(WeightGrid grid) {
  return grid == WeightGrid::kCodebook ? "codebook" : form_of(grid).name;
}

float fixed_scale(int64_t bits, int64_t before_point) {
  return std::ldexp(1.0f, static_cast<int>(before_point - (bits - 1)));
}

}  // namespace quantize
