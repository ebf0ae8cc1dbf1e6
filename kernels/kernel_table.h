// One documented slot per kernel. A table starts full of scalar code and is plugged over by each ISA level,
// so a missing kernel is slow, never broken. Kernels take raw pointers, never allocate, never throw.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"
#include "kernels/isa.h"
#include "kernels/winograd.h"

namespace quantize {

/// C = clamp(A * B + row_bias + column_bias + addend, low, high), all f32.
///
/// A is packed by pack_panels_f32, in panels of the width that the kernel names. B is read where it lies: element (k, n) stands at
///   b[b_rows[k] + n / segment * segment_stride + n % segment]
/// A row-major B has b_rows[k] = k * ldb and segment = n. A B packed in panels of gemm_nr columns has
/// b_rows[k] = k * gemm_nr, segment = gemm_nr, segment_stride = k * gemm_nr. A convolution multiplies with a
/// padded image: a row k is a tap of a channel, a segment is a row of the output, and no im2col is needed. C
/// is row-major with row pitch ldc. Accuracy: k is summed in order, each product by one fma where the ISA has
/// it; the error against exact arithmetic is below k * 2^-23 times the sum of the magnitudes. The same bytes
/// for any split of m and n.
struct GemmF32 {
  size_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  const float* b = nullptr;
  const size_t* b_rows = nullptr;  // [k]
  size_t segment = 0, segment_stride = 0;
  float* c = nullptr;
  size_t ldc = 0;
  const float* row_bias = nullptr;     // [m] or null
  const float* column_bias = nullptr;  // [n] or null
  const float* addend = nullptr;       // laid out as C, added last; may be C itself; or null
  float low = 0, high = 0;             // -inf and +inf for no clamp
};

/// One channel of a depthwise convolution, f32:
///
///   y[i][j] = clamp(bias + sum over ky, kx of w[ky][kx] *
///       x[i * stride_h + ky * dilation_h - pad_top][j * stride_w + kx * dilation_w - pad_left], low, high)
///
/// x is read as 0 outside the image. The bias is added last, as in GemmF32.
struct DepthwiseF32 {
  const float* x = nullptr;  // [height][width]
  size_t height = 0, width = 0;
  float* y = nullptr;  // [out_height][out_width]
  size_t out_height = 0, out_width = 0;
  const float* w = nullptr;  // [kernel_h][kernel_w]
  size_t kernel_h = 0, kernel_w = 0;
  size_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  size_t pad_top = 0, pad_left = 0;
  float bias = 0, low = 0, high = 0;
};

/// y[i] = (x[i] - mean) / sqrt(variance + epsilon) * scale[i] + bias[i] for i < n, with the mean and the
/// variance of x. y may be x.
struct LayerNormF32 {
  const float* x = nullptr;
  const float* scale = nullptr;
  const float* bias = nullptr;
  float* y = nullptr;
  size_t n = 0;
  float epsilon = 0;
};
struct RowMoments {
  float mean, inv_deviation;
};

/// The result of minmax_f32. min and max are those of the finite elements; +inf and -inf if there are none. A
/// zero is +0.
struct MinMaxF32 {
  float min, max;
  uint64_t non_finite;
};

/// The same, and the sum of all elements in double: eight partial sums, element i in number i % 8, which
/// pairwise_sum() adds.
struct MinMaxSumF32 {
  MinMaxF32 range;
  double sum;
};

constexpr size_t kSumLanes = 8;

/// The sum of the partial sums, in one order on every ISA.
inline double pairwise_sum(const double (&lanes)[kSumLanes]) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// Numbers behind the bins that histogram_f32 may write to.
constexpr size_t kHistogramSpare = 16;

/// How many numbers `counts` of histogram_f32 has room for.
constexpr size_t histogram_room(size_t bins) {
  return 2 * (bins + kHistogramSpare);
}

/// The kernels of one ISA level. No pointer is null once kernels_for() hands it out; no function throws.
struct KernelTable {
  Isa isa = Isa::kScalar;
  /// Convolutions of f32 are to be summed directly, tap by tap; else by Winograd's way where that is faster.
  bool fp32_exact = false;

  /// Rows of a packed A panel, and how many columns make a whole tile: the best width of a packed B panel.
  size_t gemm_mr = 1, gemm_nr = 1;
  void (*gemm_f32)(const GemmF32&) noexcept = nullptr;
  /// Numbers in a vector.
  size_t gemm_lanes = 1;
  /// The same product, byte for byte, with vectors over the rows of A: for a B whose columns would leave vectors half
  /// empty. gemm_tall_mr is the width of a panel of A.
  size_t gemm_tall_mr = 1;
  void (*gemm_tall_f32)(const GemmF32&) noexcept = nullptr;

  /// See kernels/winograd.h.
  void (*winograd_input_f32)(const WinogradInputF32&) noexcept = nullptr;
  void (*winograd_output_f32)(const WinogradOutputF32&) noexcept = nullptr;

  void (*depthwise_f32)(const DepthwiseF32&) noexcept = nullptr;

  /// y[i] = 1 / (1 + exp(-x[i])). Accuracy: 4 ulp where the result is normal. x and y may be the same.
  void (*sigmoid_f32)(const float* x, float* y, size_t n) noexcept = nullptr;
  /// y[i] = exp(x[i]). Accuracy: 2 ulp where the result is normal; 0 below, +inf above the range of f32.
  void (*exp_f32)(const float* x, float* y, size_t n) noexcept = nullptr;

  /// y[i] = erf(x[i]). Accuracy: 5e-7 relative.
  void (*erf_f32)(const float* x, float* y, size_t n) noexcept = nullptr;
  /// y[i] = tanh(x[i]). Accuracy: 5e-7 relative. The same bytes on every ISA. x and y may be the same.
  void (*tanh_f32)(const float* x, float* y, size_t n) noexcept = nullptr;
  /// y[i] = f(x[i]), of the accuracy that FunctionU8 states. The same bytes on every ISA.
  void (*function_f32)(Function, float alpha, const float* x, float* y, size_t n) noexcept = nullptr;
  /// The same of that accuracy, faster, with other last bits: for layers of reals. What becomes codes keeps function_f32.
  void (*activation_f32)(Function, float alpha, const float* x, float* y, size_t n) noexcept = nullptr;

  /// y[i] = exp(x[i] - max) / sum over k of exp(x[k] - max), of one row. y may be x. The same bytes on every
  /// ISA. Accuracy: (1 + |x[i] - max| / 20) * 1e-6 relative where the result is normal.
  void (*softmax_f32)(const float* x, float* y, size_t n) noexcept = nullptr;
  /// Returns the mean and 1 / sqrt(variance + epsilon). The same bytes on every ISA.
  RowMoments (*layer_norm_f32)(const LayerNormF32&) noexcept = nullptr;

  /// Smallest and largest finite element, and how many are NaN or infinite. Exact.
  MinMaxF32 (*minmax_f32)(const float* x, size_t n) noexcept = nullptr;
  /// Exact but for the sum, which has the same bytes on every ISA.
  MinMaxSumF32 (*minmax_sum_f32)(const float* x, size_t n) noexcept = nullptr;
  /// sums[i] += x[y * row_stride + i] for y = 0, 1, ..., rows - 1 and every i < width, in this order.
  void (*column_sums_f32)(const float* x, size_t rows, size_t row_stride, size_t width,
                          double* sums) noexcept = nullptr;
  /// counts[bin(x[i])] += 1 for every finite x[i] that is not 0; returns how many x[i] are 0. Bins count
  /// magnitudes outwards from the middle: with k = min(trunc(|x| * inv_bin_width), bins / 2 - 1), bin(x) =
  /// bins / 2 + k for x > 0 and bins / 2 - 1 - k for x < 0. inv_bin_width is a power of two, so that the
  /// product is exact, or underflows to the same k = 0. `counts` has room for histogram_room(bins)
  /// numbers, of which those behind the bins are left undefined. Exact.
  uint64_t (*histogram_f32)(const float* x, size_t n, float inv_bin_width, uint32_t* counts,
                            size_t bins) noexcept = nullptr;

  /// y[i] = clamp(round_half_even(x[i] / scale) + zero_point, quant_min, quant_max). Exact (a true division).
  /// Requires: no NaN. Source: ONNX QuantizeLinear-13.
  void (*quantize_f32_u8)(const float* x, size_t n, float scale, int32_t zero_point,
                          uint8_t* y) noexcept = nullptr;
  void (*quantize_f32_s8)(const float* x, size_t n, float scale, int32_t zero_point,
                          int8_t* y) noexcept = nullptr;

  /// Integer convolutions and matrix products. Weights are packed once per table: `bytes` of memory, 64-byte
  /// aligned, which `pack` fills. Work may be split at multiples of conv_u8s8_panel output channels, at rows
  /// and at pixels. Exact: the same bytes for every table and every split.
  size_t conv_u8s8_panel = 1;
  /// Estimates for splitting work: the products that one thread does in a nanosecond, and the pixels that are
  /// multiplied at once, so that fewer of them take the same time.
  double conv_u8s8_speed = 100;
  size_t conv_u8s8_pixels = 1;
  size_t (*conv_u8s8_bytes)(const ConvWeightsU8S8&) noexcept = nullptr;
  void (*conv_u8s8_pack)(const ConvWeightsU8S8&, void* packed) noexcept = nullptr;
  void (*conv_u8s8)(const ConvU8S8&) noexcept = nullptr;

  size_t (*depthwise_u8s8_bytes)(const DepthwiseWeightsU8S8&) noexcept = nullptr;
  void (*depthwise_u8s8_pack)(const DepthwiseWeightsU8S8&, void* packed) noexcept = nullptr;
  void (*depthwise_u8s8)(const DepthwiseU8S8&) noexcept = nullptr;

  /// Exact element by element operations on codes; y may be one of the operands.
  void (*add_u8)(const AddU8&) noexcept = nullptr;
  void (*mul_u8)(const MulU8&) noexcept = nullptr;
  void (*table_u8)(const TableU8&) noexcept = nullptr;
  void (*max_pool_u8)(const PoolU8&) noexcept = nullptr;
  void (*average_pool_u8)(const PoolU8&) noexcept = nullptr;

  void (*softmax_u8)(const SoftmaxU8&) noexcept = nullptr;
  /// softmax_u8 of each of some columns that lie side by side. Requires: n <= kSoftmaxMostRows.
  void (*softmax_columns_u8)(const SoftmaxU8&) noexcept = nullptr;

  /// Exact.
  void (*function_u8)(const FunctionU8&) noexcept = nullptr;

  /// quantize_f32_u8 from planes to pixels.
  void (*quantize_f32_u8_planes)(const PlanesF32&) noexcept = nullptr;
  /// y[c * y_stride + r] = x[r * x_stride + c] for r < rows, c < columns: between pixels and planes.
  void (*transpose_u8)(const uint8_t* x, size_t rows, size_t columns, size_t x_stride, uint8_t* y,
                       size_t y_stride) noexcept = nullptr;
  /// y[i] = float(x[i] - zero_point) * scale. Exact.
  void (*dequantize_u8_f32)(const uint8_t* x, size_t n, float scale, int32_t zero_point,
                            float* y) noexcept = nullptr;

  /// Arithmetic in registers alone, to measure what the CPU can do at this moment: multiply-accumulates of
  /// `rounds` rounds, in f32 and in u8 x s8. The sums must look different to the compiler, or GCC makes one
  /// of them.
  uint64_t (*probe_f32)(uint64_t rounds) noexcept = nullptr;
  uint64_t (*probe_u8s8)(uint64_t rounds) noexcept = nullptr;
};

/// The reference of function_u8 before its product and rounding: f(x).
float function_value(Function function, float alpha, float x) noexcept;

/// The table of a level, with fp32_exact set or not. Requires: cpu_supports(isa). The reference lives as long as the
/// program.
const KernelTable& kernels_for(Isa isa, bool fp32_exact = false);

/// The table of the best level this CPU has.
const KernelTable& best_kernels();

/// A matrix whose element (m, k) is data[m * row_stride + k * column_stride].
struct MatrixF32 {
  const float* data;
  size_t rows, columns;
  size_t row_stride, column_stride = 1;
};

/// One of the two kernels of a product, and the width of the panels of A that it takes.
struct GemmForm {
  size_t panel = 1;
  void (*run)(const GemmF32&) noexcept = nullptr;
};

/// The faster one for products m x k by k x n, of which each segment of the columns stands together.
GemmForm gemm_form(const KernelTable& kernels, size_t m, size_t n, size_t k, size_t segment) noexcept;

/// Bytes of a packed A of m x k, and the packing: panels of `panel` rows, [m / panel][k][panel], the last one
/// filled with 0.
size_t packed_panels_bytes(size_t panel, size_t m, size_t k);
void pack_panels_f32(size_t panel, const MatrixF32& a, float* packed) noexcept;

/// The same for gemm_f32.
size_t packed_gemm_a_bytes(const KernelTable& kernels, size_t m, size_t k);
void pack_gemm_a_f32(const KernelTable& kernels, const MatrixF32& a, float* packed) noexcept;

}  // namespace quantize
