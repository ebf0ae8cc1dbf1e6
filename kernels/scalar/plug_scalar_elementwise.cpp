// The reference of the integer operations that take one code, or one pixel, at a time.
#include <algorithm>

#include "kernels/kernel_table.h"
#include "kernels/plug.h"
#include "kernels/requantize.h"
#include "kernels/scalar/vector.h"
#include "kernels/simd/function.h"
#include "kernels/simd/rows.h"

namespace quantize {

namespace {

void add_u8(const AddU8& call) noexcept {
  for (size_t i = 0; i < call.n; ++i)
    call.y[i] = add_codes(call.a[i], call.b[i], call.a_ratio, call.b_ratio, call.offset);
}

void mul_u8(const MulU8& call) noexcept {
  for (size_t i = 0; i < call.n; ++i) {
    const int32_t product = (call.a[i] - call.a_zero_point) * (call.b[i] - call.b_zero_point);
    const float steps = static_cast<float>(product) * call.multiplier + static_cast<float>(call.zero_point);
    call.y[i] = shifted_code(round_saturating(steps), 0, 0, 255);
  }
}

void table_u8(const TableU8& call) noexcept {
  for (size_t r = 0; r < call.rows; ++r)
    for (size_t i = 0; i < call.n; ++i)
      call.y[r * call.y_stride + i] = call.table[call.x[r * call.x_stride + i]];
}

const uint8_t* pixel(const PoolU8& call, size_t row, size_t column) {
  return call.x + row * call.x_row_stride + column * call.x_pixel_stride;
}

void max_pool_u8(const PoolU8& call) noexcept {
  for (size_t c = 0; c < call.channels; ++c) {
    uint8_t largest = 0;
    for (size_t i = 0; i < call.rows; ++i)
      for (size_t j = 0; j < call.width; ++j) largest = std::max(largest, pixel(call, i, j)[c]);
    call.y[c] = largest;
  }
}

void average_pool_u8(const PoolU8& call) noexcept {
  for (size_t c = 0; c < call.channels; ++c) {
    auto sum = static_cast<uint32_t>(call.offset);
    for (size_t i = 0; i < call.rows; ++i)
      for (size_t j = 0; j < call.width; ++j) sum += pixel(call, i, j)[c];
    const float mean = static_cast<float>(static_cast<int32_t>(sum)) * call.multiplier;
    call.y[c] = shifted_code(round_saturating(mean), call.zero_point, 0, 255);
  }
}

void function_u8(const FunctionU8& call) noexcept {
  for (size_t r = 0; r < call.rows; ++r)
    for (size_t c = 0; c < call.n; ++c) {
      const float real = function_value(call.function, call.alpha, call.x[r * call.x_stride + c]);
      uint8_t& y = call.y[r * call.y_stride + c];
      if (call.b == nullptr) {
        y = shifted_code(round_saturating(real * call.ratio[c]), static_cast<int32_t>(call.zero_point[c]), 0,
                         255);
        continue;
      }
      const uint8_t b = call.b[r * call.b_stride + c];
      const float steps = joined_steps(real, call.ratio[c], b, call.b_ratio, call.b_offset);
      y = shifted_code(round_saturating(steps), 0, 0, 255);
    }
}

void function_f32(Function function, float alpha, const float* x, float* y, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = function_value(function, alpha, x[i]);
}

void softmax_u8(const SoftmaxU8& call) noexcept {
  uint8_t largest = 0;
  for (size_t i = 0; i < call.n; ++i) largest = std::max(largest, call.x[i * call.stride]);
  const float sum = simd::exponentials<F32x1>(call.reals, call.n, [&](size_t i, size_t) {
    return static_cast<float>(call.x[i * call.stride] - largest) * call.x_scale;
  });
  const float ratio = 1 / (sum * call.y_scale);
  for (size_t i = 0; i < call.n; ++i)
    call.y[i * call.stride] = shifted_code(round_saturating(call.reals[i] * ratio), call.zero_point, 0, 255);
}

void softmax_columns_u8(const SoftmaxU8& call) noexcept {
  SoftmaxU8 column = call;
  for (size_t c = 0; c < call.columns; ++c, ++column.x, ++column.y) softmax_u8(column);
}

void erf_f32(const float* x, float* y, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = simd::erf<F32x1>(x[i]);
}

void tanh_f32(const float* x, float* y, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = simd::tanh<F32x1>(x[i]);
}

void quantize_f32_u8_planes(const PlanesF32& p) noexcept {
  for (size_t i = 0; i < p.n; ++i)
    for (size_t c = 0; c < p.channels; ++c)
      p.y[i * p.pixel_stride + c] =
          shifted_code(round_saturating(p.x[c * p.plane_stride + i] / p.scale), p.zero_point, 0, 255);
}

void transpose_u8(const uint8_t* x, size_t rows, size_t columns, size_t x_stride, uint8_t* y,
                  size_t y_stride) noexcept {
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) y[c * y_stride + r] = x[r * x_stride + c];
}

void dequantize_u8_f32(const uint8_t* x, size_t n, float scale, int32_t zero_point, float* y) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] - zero_point) * scale;
}

uint64_t probe_f32(uint64_t rounds) noexcept {
  volatile float factor = 0.999f;
  const float f = factor;
  float sum = 1;
  for (uint64_t i = 0; i < rounds; ++i) sum = sum * f + f;
  factor = sum;
  return rounds;
}

uint64_t probe_u8s8(uint64_t rounds) noexcept {
  volatile uint32_t factor = 77;
  const uint32_t f = factor;
  uint32_t sum = 1;
  for (uint64_t i = 0; i < rounds; ++i) sum = sum * f + f;
  factor = sum;
  return rounds;
}

}  // namespace

void plug_scalar_elementwise(KernelTable& table) {
  table.add_u8 = add_u8;
  table.mul_u8 = mul_u8;
  table.function_u8 = function_u8;
  table.function_f32 = function_f32;
  table.activation_f32 = simd::map_function<F32x1, true>;
  table.erf_f32 = erf_f32;
  table.tanh_f32 = tanh_f32;
  table.softmax_u8 = softmax_u8;
  table.softmax_columns_u8 = softmax_columns_u8;
  simd::plug_rows<F32x1>(table);
  table.table_u8 = table_u8;
  table.max_pool_u8 = max_pool_u8;
  table.average_pool_u8 = average_pool_u8;
  table.quantize_f32_u8_planes = quantize_f32_u8_planes;
  table.transpose_u8 = transpose_u8;
  table.dequantize_u8_f32 = dequantize_u8_f32;
  table.probe_f32 = probe_f32;
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
