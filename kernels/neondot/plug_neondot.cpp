// The dot products of Armv8.2, for s8 by s8: 128 is subtracted from the inputs, and 128 times the weights is
// added to the sums. These wrap around, so that the result is exact.
#include "kernels/neon/plug_conv.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

struct SignedDot {
  static constexpr int kOffset = 128;
  static constexpr size_t kGroups = 4;
  using Inputs = int8x16_t;

  static constexpr size_t index(size_t c, size_t k) { return c * 4 + k; }

  struct Weights {
    int8x16_t v[4];
    [[gnu::always_inline]] explicit Weights(const int8_t* w) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) v[j] = vld1q_s8(w + 16 * j);
    }
  };

  [[gnu::always_inline]] static Inputs centred(uint8x16_t x) {
    return vreinterpretq_s8_u8(veorq_u8(x, vdupq_n_u8(128)));
  }
  [[gnu::always_inline]] static Inputs inputs(const uint8_t* p) {
    return centred(vld1q_u8(p));
  }
  [[gnu::always_inline]] static Inputs one_group(const uint8_t* p) {
    uint32_t dword;
    __builtin_memcpy(&dword, p, sizeof dword);
    return centred(vreinterpretq_u8_u32(vdupq_n_u32(dword)));
  }

  template <int kLane>
  [[gnu::always_inline]] static void multiply(PixelSums& sums, Inputs x, const Weights& w) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums.v[j] = vdotq_laneq_s32(sums.v[j], w.v[j], x, kLane);
  }
};

}  // namespace

void plug_neondot(KernelTable& table) {
  plug_conv<SignedDot>(table);
}

}  // namespace quantize
