// The integer kernels' arguments: u8 activations in NHWC, s8 weights, s32 sums, u8 results.
// Read RequantizeU8 first: every sum ends there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quantize {

/// How the s32 sum of output channel c becomes a code; each array has one element per output channel.
///
///   t = round_half_even(float(sum) * multiplier[c])    one f32 product
///   q = clamp(t + zero_point[c], low[c], high[c])      the zero point is added after rounding, as an integer
///
/// Out of the range of s32, t is INT32_MIN or INT32_MAX by the sign of the product. multiplier[c] is
/// (x_scale * w_scale[c]) / y_scale in f32, in that order. low and high hold a fused clamp; 0 and 255: none.
/// Accuracy: bit-exact across ISAs. Source: ONNX Runtime's QLinearConv on x64.
struct RequantizeU8 {
  const int32_t* bias = nullptr;  // with -x_zero_point * sum(w) in it; sums wrap
  const float* multiplier = nullptr;
  const int32_t* zero_point = nullptr;  // in [0, 255]
  const uint8_t* low = nullptr;
  const uint8_t* high = nullptr;
};

/// The operators behind a convolution that are applied in its registers: first the addition of a residual b,
/// then a table.
///
///   q = clamp(round_half_even(fma(q, a_ratio, fma(b[i], b_ratio, offset))), 0, 255)
///   q = table[q]
///
/// or, if b_first, fma(b[i], b_ratio, fma(q, a_ratio, offset)): the sum's first operand is multiplied last.
/// Here, all in f32,
///
///   a_ratio = a_scale / y_scale,  b_ratio = b_scale / y_scale
///   offset = y_zero_point - (a_ratio * a_zero_point + b_ratio * b_zero_point)
///
/// Source: ONNX Runtime's QLinearAdd on x64.
///
/// If b_joins, the residual is added before the only rounding, which replaces that of RequantizeU8:
///
///   q = clamp(round_half_even(fma(float(sum), multiplier[c], fma(b[i], b_ratio, offset))), low[c], high[c])
///
/// with offset = y_zero_point - b_ratio * b_zero_point. zero_point, a_ratio and b_first are not read then.
struct EpilogueU8 {
  const uint8_t* b = nullptr;  // pixels, rows and channels as y; null: no addition. May be y itself
  size_t b_pixel_stride = 0, b_row_stride = 0;
  float a_ratio = 0, b_ratio = 0, offset = 0;
  bool b_first = false, b_joins = false;
  const uint8_t* table = nullptr;  // [256] or null
};

/// The weights of a convolution before a level packs them: per tap a run of `depth` bytes that lie side by
/// side in the image (all input channels; for a stem of few channels, a whole row of the kernel).
struct ConvWeightsU8S8 {
  size_t out_channels = 0, taps = 0, depth = 0;
  const int8_t* weights = nullptr;  // [out_channels][taps][depth]
  RequantizeU8 requantize;
};

/// Taps [begin, end) of a convolution.
struct TapRange {
  size_t begin, end;
};

/// A block of a convolution or matrix product:
///
///   sum[r][p][c] = bias[c] + sum over t, k of
///       x[r * x_row_stride + p * x_pixel_stride + tap_offsets[t] + k] * w[c][t][k]
///   y[r * y_row_stride + p * y_pixel_stride + c] = the code of sum[r][p][c]
///
/// for r < rows, p < width, channel_begin <= c < channel_end. Strides and offsets are bytes. With
/// tap_offsets[0] = 0, x points at the first byte that the first output reads. Borders are in memory. Up to
/// 63 bytes behind each run may be read; nothing is written outside of y's channels.
struct ConvU8S8 {
  const void* packed = nullptr;  // by conv_u8s8_pack of the same table, 64-byte aligned
  const uint8_t* x = nullptr;
  const int32_t* tap_offsets = nullptr;  // [taps]
  const TapRange* row_taps = nullptr;  // [rows] or null; the other taps of a row read 0: they may be left out
  size_t x_pixel_stride = 0, x_row_stride = 0;
  uint8_t* y = nullptr;
  float* real = nullptr;  // if set, it takes float(sum) * multiplier[c] instead of y taking codes
  size_t y_pixel_stride = 0, y_row_stride = 0;  // bytes of y, or floats of real
  size_t rows = 0, width = 0;
  size_t channel_begin = 0, channel_end = 0;  // multiples of conv_u8s8_panel, or the last channel's end
  EpilogueU8 epilogue;
};

/// The weights of a depthwise convolution (one input channel per output channel).
struct DepthwiseWeightsU8S8 {
  size_t channels = 0, kernel_h = 0, kernel_w = 0;
  const int8_t* weights = nullptr;  // [channels][kernel_h][kernel_w]
  RequantizeU8 requantize;
};

/// Rows of a depthwise convolution:
///
///   sum[r][p][c] = bias[c] + sum over i, j of w[c][i][j] *
///       x[(r * stride_h + i * dilation_h) * x_row_stride + (p * stride_w + j * dilation_w) * x_pixel_stride + c]
///
/// Strides are bytes; stride_* and dilation_* count rows and pixels of x. Channels [0, channels) of each
/// pixel are read and written. Up to 63 bytes behind the last channel may be read.
struct DepthwiseU8S8 {
  const void* packed = nullptr;  // by depthwise_u8s8_pack of the same table
  const uint8_t* x = nullptr;
  size_t x_pixel_stride = 0, x_row_stride = 0;
  size_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  uint8_t* y = nullptr;
  float* real = nullptr;  // as in ConvU8S8
  size_t y_pixel_stride = 0, y_row_stride = 0;
  size_t rows = 0, width = 0;
  EpilogueU8 epilogue;
};

/// A window of pixels that becomes one pixel, channel by channel.
struct PoolU8 {
  const uint8_t* x = nullptr;
  size_t rows = 0, width = 0;  // of the window, at least 1 each
  size_t x_pixel_stride = 0, x_row_stride = 0;
  size_t channels = 0;
  uint8_t* y = nullptr;
  // For averages: q = clamp(round_half_even(float(offset + sum) * multiplier) + zero_point, 0, 255).
  int32_t offset = 0;
  float multiplier = 0;
  int32_t zero_point = 0;
};

/// Reals of planes as codes of pixels, for i < n, c < channels: y[i * pixel_stride + c] is the code of
/// x[c * plane_stride + i].
struct PlanesF32 {
  const float* x;
  size_t n, channels, plane_stride;
  float scale;
  int32_t zero_point;
  uint8_t* y;
  size_t pixel_stride;
};

/// y[r * y_stride + i] = table[x[r * x_stride + i]] for r < rows, i < n. x and y may be the same.
struct TableU8 {
  const uint8_t* x = nullptr;
  uint8_t* y = nullptr;
  size_t rows = 0, n = 0;
  size_t x_stride = 0, y_stride = 0;
  const uint8_t* table = nullptr;  // [256]
};

/// y[i] = clamp(round_half_even(fma(a[i], a_ratio, fma(b[i], b_ratio, offset))), 0, 255): see EpilogueU8.
struct AddU8 {
  const uint8_t* a = nullptr;
  const uint8_t* b = nullptr;
  uint8_t* y = nullptr;
  size_t n = 0;
  float a_ratio = 0, b_ratio = 0, offset = 0;
};

/// The product of two values, where multiplier = (a_scale * b_scale) / y_scale:
///
///   t = float((a[i] - a_zero_point) * (b[i] - b_zero_point)) * multiplier
///   y[i] = clamp(round_half_even(t + zero_point), 0, 255)
///
/// Source: ONNX Runtime 1.32 on x64.
struct MulU8 {
  const uint8_t* a = nullptr;
  const uint8_t* b = nullptr;
  uint8_t* y = nullptr;
  size_t n = 0;
  int32_t a_zero_point = 0, b_zero_point = 0;
  float multiplier = 0;
  int32_t zero_point = 0;
};

/// The softmax of one row of codes:
///   y[i] = clamp(round_half_even(e[i] * (1 / (sum(e) * y_scale))) + zero_point, 0, 255),
///   e[i] = exp((x[i] - max(x)) * x_scale)
/// in f32, sum(e) as in softmax_f32. y may be x. The same bytes on every ISA. Source: ONNX's Softmax
/// between DequantizeLinear and QuantizeLinear, with a product for two divisions; ONNX Runtime's
/// QLinearSoftmax truncates, and is a step below now and then.
struct SoftmaxU8 {
  const uint8_t* x = nullptr;
  uint8_t* y = nullptr;
  float* reals = nullptr;  // [n], overwritten; for columns, [n][kSoftmaxColumns]
  size_t n = 0;
  float x_scale = 0, y_scale = 0;
  int32_t zero_point = 0;
  size_t columns = 1, stride = 1;  // of softmax_columns_u8: element i of column c is x[i * stride + c]
};
constexpr size_t kSoftmaxColumns = 16, kSoftmaxMostRows = 4096;

/// Functions that may stand between the sums of a convolution and the only rounding.
enum class Function : uint8_t {
  kSigmoid,    // 1 / (1 + exp(-x))
  kSilu,       // x * sigmoid(x)
  kHardSwish,  // x * clamp(x / 6 + 1 / 2, 0, 1)
  kGelu,       // x * (1 + erf(x / sqrt(2))) / 2
  kGeluTanh,   // x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x^3))
  kMish,       // x * tanh(ln(1 + exp(x)))
  kLeakyRelu,  // max(x, 0) + alpha * min(x, 0)
};
constexpr Function kFunctions[] = {Function::kSigmoid,  Function::kSilu,     Function::kHardSwish,
                                   Function::kGelu,     Function::kGeluTanh, Function::kMish,
                                   Function::kLeakyRelu};

/// From the reals of ConvU8S8::real or DepthwiseU8S8::real to codes, with one scale per channel:
///
///   y[r * y_stride + c] = clamp(round_half_even(f(x[r * x_stride + c]) * ratio[c]) + zero_point[c], 0, 255)
///
/// for r < rows, c < n. A residual b is added before the only rounding, with y's zero point:
///
///   t = fma(f(x[r * x_stride + c]), ratio[c], fma(b[r * b_stride + c], b_ratio, b_offset))
///   y[r * y_stride + c] = clamp(round_half_even(t), 0, 255)
///
/// Strides in elements; y may be b. Accuracy: the same bytes on every ISA; f within 4e-7 * max(1, |x|) of the
/// function. Out of the range of s32 as RequantizeU8.
struct FunctionU8 {
  Function function = Function::kSilu;
  float alpha = 0;  // of kLeakyRelu
  const float* x = nullptr;
  uint8_t* y = nullptr;
  size_t rows = 0, n = 0;
  size_t x_stride = 0, y_stride = 0;
  const float* ratio = nullptr;       // [n], 1 / scale
  const float* zero_point = nullptr;  // [n], integers in [0, 255]
  const uint8_t* b = nullptr;
  size_t b_stride = 0;
  float b_ratio = 0, b_offset = 0;
};

}  // namespace quantize
