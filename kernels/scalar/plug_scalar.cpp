// The reference kernels: the truth in plain loops. Every other level is tested against these. Sums are chains
// of fma, as at every other level, so that floats, too, are the same bytes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kernel_table.h"
#include "kernels/plug.h"
#include "kernels/scalar/vector.h"
#include "kernels/simd/elementwise.h"

namespace quantize {

namespace {

constexpr size_t kMr = 4, kTallMr = 8, kNr = 8;

float clamp(float x, float low, float high) {
  return std::min(std::max(x, low), high);
}

template <size_t kPanel>
void gemm_f32(const GemmF32& g) noexcept {
  for (size_t i = 0; i < g.m; ++i) {
    const float* a = g.a + i / kPanel * kPanel * g.k + i % kPanel;
    for (size_t j = 0; j < g.n; ++j) {
      const float* b = g.b + j / g.segment * g.segment_stride + j % g.segment;
      const float bias = (g.row_bias != nullptr ? g.row_bias[i] : 0.0f) +
                         (g.column_bias != nullptr ? g.column_bias[j] : 0.0f);
      float sum = 0;
      for (size_t k = 0; k < g.k; ++k) sum = std::fma(a[k * kPanel], b[g.b_rows[k]], sum);
      sum += bias;
      if (g.addend != nullptr) sum += g.addend[i * g.ldc + j];
      g.c[i * g.ldc + j] = clamp(sum, g.low, g.high);
    }
  }
}

void depthwise_f32(const DepthwiseF32& d) noexcept {
  for (size_t i = 0; i < d.out_height; ++i) {
    for (size_t j = 0; j < d.out_width; ++j) {
      float sum = 0;
      for (size_t ky = 0; ky < d.kernel_h; ++ky) {
        for (size_t kx = 0; kx < d.kernel_w; ++kx) {
          const size_t y =
              i * d.stride_h + ky * d.dilation_h - d.pad_top;  // wraps above the image: then >= height
          const size_t x = j * d.stride_w + kx * d.dilation_w - d.pad_left;
          if (y < d.height && x < d.width)
            sum = std::fma(d.w[ky * d.kernel_w + kx], d.x[y * d.width + x], sum);
        }
      }
      d.y[i * d.out_width + j] = clamp(sum + d.bias, d.low, d.high);
    }
  }
}

void sigmoid_f32(const float* x, float* y, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = simd::sigmoid<F32x1>(x[i]);
}

void exp_f32(const float* x, float* y, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = simd::exp<F32x1>(x[i]);
}

MinMaxF32 minmax_f32(const float* x, size_t n) noexcept {
  MinMaxF32 result{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), 0};
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) {
      ++result.non_finite;
      continue;
    }
    result.min = std::min(result.min, x[i]);
    result.max = std::max(result.max, x[i]);
  }
  result.min += 0.0f;  // makes -0 a +0
  result.max += 0.0f;
  return result;
}

MinMaxSumF32 minmax_sum_f32(const float* x, size_t n) noexcept {
  double lanes[kSumLanes] = {};
  for (size_t i = 0; i < n; ++i) lanes[i % kSumLanes] += static_cast<double>(x[i]);
  return {minmax_f32(x, n), pairwise_sum(lanes)};
}

void column_sums_f32(const float* x, size_t rows, size_t row_stride, size_t width, double* sums) noexcept {
  for (size_t y = 0; y < rows; ++y)
    for (size_t i = 0; i < width; ++i) sums[i] += static_cast<double>(x[y * row_stride + i]);
}

uint64_t histogram_f32(const float* x, size_t n, float inv_bin_width, uint32_t* counts,
                       size_t bins) noexcept {
  uint64_t zeros = 0;
  const size_t half = bins / 2;
  const float last = static_cast<float>(half - 1);
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) continue;
    if (x[i] == 0) {
      ++zeros;
      continue;
    }
    const auto k = static_cast<size_t>(std::min(std::abs(x[i]) * inv_bin_width, last));
    ++counts[x[i] > 0 ? half + k : half - 1 - k];
  }
  return zeros;
}

template <typename T>
void quantize_f32(const float* x, size_t n, float scale, int32_t zero_point, T* y) noexcept {
  const auto low = static_cast<float>(std::numeric_limits<T>::min() - zero_point);
  const auto high = static_cast<float>(std::numeric_limits<T>::max() - zero_point);
  for (size_t i = 0; i < n; ++i)
    y[i] = static_cast<T>(static_cast<int32_t>(clamp(std::nearbyint(x[i] / scale), low, high)) + zero_point);
}

}  // namespace

void plug_scalar(KernelTable& table) {
  plug_scalar_conv(table);
  plug_scalar_elementwise(table);
  plug_scalar_winograd(table);
  table.gemm_mr = kMr;
  table.gemm_nr = kNr;
  table.gemm_f32 = gemm_f32<kMr>;
  table.gemm_lanes = 1;
  table.gemm_tall_mr = kTallMr;
  table.gemm_tall_f32 = gemm_f32<kTallMr>;
  table.depthwise_f32 = depthwise_f32;
  table.sigmoid_f32 = sigmoid_f32;
  table.exp_f32 = exp_f32;
  table.minmax_f32 = minmax_f32;
  table.minmax_sum_f32 = minmax_sum_f32;
  table.column_sums_f32 = column_sums_f32;
  table.histogram_f32 = histogram_f32;
  table.quantize_f32_u8 = quantize_f32<uint8_t>;
  table.quantize_f32_s8 = quantize_f32<int8_t>;
}

}  // namespace quantize
