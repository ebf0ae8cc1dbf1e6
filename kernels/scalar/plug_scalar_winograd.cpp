// The reference of Winograd's transforms: tile by tile.
#include <algorithm>

#include "kernels/kernel_table.h"
#include "kernels/plug.h"
#include "kernels/scalar/vector.h"
#include "kernels/simd/winograd_transform.h"

namespace quantize {

namespace {

template <int kTile>
void input_tile(const WinogradInputF32& call, size_t row, size_t column, float* v) {
  constexpr int kSize = kTile + 2;
  float columns[kSize][kSize];
  for (size_t j = 0; j < kSize; ++j) {
    float d[kSize], r[kSize];
    for (size_t i = 0; i < kSize; ++i) {
      const size_t y = row * kTile + i - call.pad_top;  // wraps above the image: then >= height
      const size_t x = column * kTile + j - call.pad_left;
      d[i] = y < call.height && x < call.width ? call.x[y * call.width + x] : 0.0f;
    }
    simd::Winograd<F32x1, kTile>::input(d, r);
    for (size_t i = 0; i < kSize; ++i) columns[i][j] = r[i];
  }
  for (const auto& line : columns) {
    float r[kSize];
    simd::Winograd<F32x1, kTile>::input(line, r);
    for (size_t j = 0; j < kSize; ++j, v += call.v_stride) *v = r[j];
  }
}

template <int kTile>
void output_tile(const WinogradOutputF32& call, size_t row, size_t column, const float* m) {
  constexpr int kSize = kTile + 2;
  float columns[kTile][kSize];
  for (size_t i = 0; i < kSize; ++i) {
    float line[kSize], r[kTile];
    for (size_t j = 0; j < kSize; ++j, m += call.m_stride) line[j] = *m;
    simd::Winograd<F32x1, kTile>::output(line, r);
    for (size_t j = 0; j < kTile; ++j) columns[j][i] = r[j];
  }
  for (size_t j = 0; j < kTile; ++j) {
    float r[kTile];
    simd::Winograd<F32x1, kTile>::output(columns[j], r);
    for (size_t i = 0; i < kTile; ++i) {
      const size_t y = row * kTile + i, x = column * kTile + j;
      if (y >= call.height || x >= call.width) continue;
      const size_t at = y * call.width + x;
      float value = r[i] + call.bias;
      if (call.addend != nullptr) value += call.addend[at];
      call.y[at] = std::min(std::max(value, call.low), call.high);
    }
  }
}

void winograd_input_f32(const WinogradInputF32& call) noexcept {
  float* v = call.v;
  for (size_t row = call.first_row; row < call.last_row; ++row)
    for (size_t column = 0; column < call.tiles; ++column, ++v)
      call.tile == 2 ? input_tile<2>(call, row, column, v) : input_tile<4>(call, row, column, v);
}

void winograd_output_f32(const WinogradOutputF32& call) noexcept {
  const float* m = call.m;
  for (size_t row = call.first_row; row < call.last_row; ++row)
    for (size_t column = 0; column < call.tiles; ++column, ++m)
      call.tile == 2 ? output_tile<2>(call, row, column, m) : output_tile<4>(call, row, column, m);
}

}  // namespace

void plug_scalar_winograd(KernelTable& table) {
  table.winograd_input_f32 = winograd_input_f32;
  table.winograd_output_f32 = winograd_output_f32;
}

}  // namespace quantize
