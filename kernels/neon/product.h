// How the baseline of AArch64 multiplies: words, one input of a pixel by the weights of many channels.
#pragma once

#include <arm_neon.h>

#include "kernels/neon/requantize.h"

namespace quantize {

namespace {

struct WordProduct {
  static constexpr int kOffset = 0;     // what was taken off the inputs
  static constexpr size_t kGroups = 2;  // dwords of a pixel in a register
  using Inputs = int16x8_t;

  /// Of a dword's 64 weights, that of channel c and input k.
  static constexpr size_t index(size_t c, size_t k) { return k * kPanel + c; }

  struct Weights {
    int16x8_t low[4], high[4];
    [[gnu::always_inline]] explicit Weights(const int8_t* w) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        const int8x16_t bytes = vld1q_s8(w + 16 * k);
        low[k] = vmovl_s8(vget_low_s8(bytes));
        high[k] = vmovl_high_s8(bytes);
      }
    }
  };

  [[gnu::always_inline]] static Inputs inputs(const uint8_t* p) {
    return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p)));
  }
  [[gnu::always_inline]] static Inputs one_group(const uint8_t* p) {
    uint32_t dword;
    __builtin_memcpy(&dword, p, sizeof dword);
    return vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(dword)));
  }

  template <int kLane>
  [[gnu::always_inline]] static void multiply(PixelSums& sums, Inputs x, const Weights& w) {
    multiply_one<4 * kLane>(sums, x, w.low[0], w.high[0]);
    multiply_one<4 * kLane + 1>(sums, x, w.low[1], w.high[1]);
    multiply_one<4 * kLane + 2>(sums, x, w.low[2], w.high[2]);
    multiply_one<4 * kLane + 3>(sums, x, w.low[3], w.high[3]);
  }

 private:
  template <int kInput>
  [[gnu::always_inline]] static void multiply_one(PixelSums& sums, Inputs x, int16x8_t low, int16x8_t high) {
    sums.v[0] = vmlal_laneq_s16(sums.v[0], vget_low_s16(low), x, kInput);
    sums.v[1] = vmlal_high_laneq_s16(sums.v[1], low, x, kInput);
    sums.v[2] = vmlal_laneq_s16(sums.v[2], vget_low_s16(high), x, kInput);
    sums.v[3] = vmlal_high_laneq_s16(sums.v[3], high, x, kInput);
  }
};

}  // namespace

}  // namespace quantize
