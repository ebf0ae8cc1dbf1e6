// From s32 sums to codes, 64 channels at a time. Everything in an anonymous namespace: see
// kernels/DECISIONS.md.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"
#include "kernels/simd/pack.h"

namespace quantize {

namespace {

constexpr size_t kLanes = 16;      // s32 in a vector
constexpr size_t kMaxVectors = 4;  // of a panel
constexpr size_t kPanel = kLanes * kMaxVectors;

/// Beyond this, every code is at the end of its range anyway; a float up to it converts to s32.
constexpr float kSafe = 1e9f;

/// Where output channel `c` of a panel of `vectors` vectors has its sum, so that saturating packs bring the
/// channels into their order: element e of 128-bit lane l of vector j is channel 4 * (vectors * l + j) + e.
constexpr size_t slot_of(size_t c, size_t vectors) {
  const size_t e = c % 4, j = c / 4 % vectors, l = c / 4 / vectors;
  return kLanes * j + 4 * l + e;
}

/// The constants of a panel, in the order that the epilogue needs.
struct alignas(64) PanelConstants {
  int32_t bias[kPanel];      // by slot
  float multiplier[kPanel];  // by slot
  float zero_real[kPanel];   // by slot
  int16_t
      zero_point[kPanel];  // by channel, as packed to s16: lane l holds channels of both halves, see shifts()
  uint8_t low[kPanel], high[kPanel];  // by channel
};

/// The work that a layer's constants ask for beyond the plain case.
struct PanelFlags {
  bool clamps;  // a low or high is not the end of u8
  bool wide;    // products may leave the range of s32
};

/// Fills the constants of channels [first, first + count) and widens the flags.
inline void pack_constants(const RequantizeU8& r, size_t first, size_t count, size_t vectors,
                           PanelConstants& to, PanelFlags& flags) {
  for (size_t c = 0; c < kPanel; ++c) {
    const bool used = c < count;
    const size_t slot = c < kLanes * vectors ? slot_of(c, vectors) : c;
    to.bias[slot] = used ? r.bias[first + c] : 0;
    to.multiplier[slot] = used ? r.multiplier[first + c] : 0;
    to.zero_real[slot] = used ? static_cast<float>(r.zero_point[first + c]) : 0;
    to.low[c] = used ? r.low[first + c] : 0;
    to.high[c] = used ? r.high[first + c] : 255;
    flags.clamps = flags.clamps || to.low[c] != 0 || to.high[c] != 255;
  }
  // packs of 64 channels: s16 vector h, lane l has channels 16 l + 8 h ..; of 32: lane l has 8 l ..; of 16: 4
  // l ..
  const size_t halves = vectors == 4 ? 2 : 1;
  for (size_t h = 0; h < halves; ++h)
    for (size_t i = 0; i < 32; ++i) {
      const size_t c = i / 8 * 8 * halves + 8 * h + i % 8;
      to.zero_point[32 * h + i] = c < count ? static_cast<int16_t>(r.zero_point[first + c]) : int16_t{0};
    }
}

/// True if no sum within `bound` of 0 makes a product near the end of s32.
inline bool is_narrow(double bound, float multiplier) {
  return bound * static_cast<double>(multiplier) < static_cast<double>(kSafe);
}

[[gnu::always_inline]] inline __m512 limit(__m512 x) {
  // A NaN becomes the upper end, as the reference has it.
  return _mm512_max_ps(_mm512_min_ps(x, _mm512_set1_ps(kSafe)), _mm512_set1_ps(-kSafe));
}

[[gnu::always_inline]] inline __m512i round_steps(__m512 steps, bool wide) {
  return _mm512_cvtps_epi32(wide ? limit(steps) : steps);
}

/// Vectors of reals by slot to their channels, of which `channels` exist: as the packs, lanes change places.
template <int kVectors>
[[gnu::always_inline]] inline void store_reals(float* y, size_t channels, const __m512 (&slots)[kVectors]) {
  __m512 ordered[kVectors];
  if constexpr (kVectors == 4) {
    const __m512 a = _mm512_shuffle_f32x4(slots[0], slots[1], 0x44),
                 b = _mm512_shuffle_f32x4(slots[2], slots[3], 0x44),
                 c = _mm512_shuffle_f32x4(slots[0], slots[1], 0xEE),
                 d = _mm512_shuffle_f32x4(slots[2], slots[3], 0xEE);
    ordered[0] = _mm512_shuffle_f32x4(a, b, 0x88);
    ordered[1] = _mm512_shuffle_f32x4(a, b, 0xDD);
    ordered[2] = _mm512_shuffle_f32x4(c, d, 0x88);
    ordered[3] = _mm512_shuffle_f32x4(c, d, 0xDD);
  } else if constexpr (kVectors == 2) {
    const __m512i low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0),
                  high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    const __m512d a = _mm512_castps_pd(slots[0]), b = _mm512_castps_pd(slots[1]);
    ordered[0] = _mm512_castpd_ps(_mm512_permutex2var_pd(a, low, b));
    ordered[1] = _mm512_castpd_ps(_mm512_permutex2var_pd(a, high, b));
  } else {
    ordered[0] = slots[0];
  }
#pragma GCC unroll 4
  for (size_t j = 0; j < kVectors; ++j) {
    if (kLanes * j >= channels) return;
    const size_t left = channels - kLanes * j;
    _mm512_mask_storeu_ps(y + kLanes * j, static_cast<__mmask16>(left >= kLanes ? 0xffff : (1 << left) - 1),
                          ordered[j]);
  }
}

/// Four vectors of s32 to 64 codes: zero points added between saturations to s16 and to u8.
[[gnu::always_inline]] inline __m512i pack_codes(__m512i a, __m512i b, __m512i c, __m512i d, __m512i zero_low,
                                                 __m512i zero_high) {
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero_low),
                high = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero_high);
  return _mm512_packus_epi16(low, high);
}

/// The constants of an addition of codes.
struct Addition {
  __m512 first_ratio, second_ratio, offset;
  bool b_first, wide;
};

[[gnu::always_inline]] inline bool is_wide(const EpilogueU8& e) {
  const float magnitude =
      255 * (__builtin_fabsf(e.a_ratio) + __builtin_fabsf(e.b_ratio)) + __builtin_fabsf(e.offset);
  return !(magnitude < kSafe);
}

[[gnu::always_inline]] inline Addition addition_of(const EpilogueU8& e) {
  return {_mm512_set1_ps(e.b_first ? e.b_ratio : e.a_ratio),
          _mm512_set1_ps(e.b_first ? e.a_ratio : e.b_ratio), _mm512_set1_ps(e.offset), e.b_first, is_wide(e)};
}

/// 64 sums of codes in any order of the bytes: unpacking and packing undo each other.
[[gnu::always_inline]] inline __m512i add_codes(__m512i codes, __m512i residual, const Addition& add) {
  const __m512i a = add.b_first ? residual : codes, b = add.b_first ? codes : residual;
  const __m512i zero = _mm512_setzero_si512();
  const __m512i a_low = _mm512_unpacklo_epi8(a, zero), a_high = _mm512_unpackhi_epi8(a, zero),
                b_low = _mm512_unpacklo_epi8(b, zero), b_high = _mm512_unpackhi_epi8(b, zero);
  const auto sum = [&](__m512i p, __m512i q) {
    const __m512 right = _mm512_fmadd_ps(_mm512_cvtepi32_ps(q), add.second_ratio, add.offset);
    return round_steps(_mm512_fmadd_ps(_mm512_cvtepi32_ps(p), add.first_ratio, right), add.wide);
  };
  return pack_codes(sum(_mm512_unpacklo_epi16(a_low, zero), _mm512_unpacklo_epi16(b_low, zero)),
                    sum(_mm512_unpackhi_epi16(a_low, zero), _mm512_unpackhi_epi16(b_low, zero)),
                    sum(_mm512_unpacklo_epi16(a_high, zero), _mm512_unpacklo_epi16(b_high, zero)),
                    sum(_mm512_unpackhi_epi16(a_high, zero), _mm512_unpackhi_epi16(b_high, zero)), zero,
                    zero);
}

/// Codes of one pixel as s32 by slot, of which those under `mask` exist; the others are 0.
template <int kVectors>
[[gnu::always_inline]] inline void load_slots(const uint8_t* p, __mmask64 mask, __m512i (&to)[kVectors]) {
  const __m512i zero = _mm512_setzero_si512();
  if constexpr (kVectors == 4) {
    const __m512i codes = _mm512_maskz_loadu_epi8(mask, p);
    const __m512i low = _mm512_unpacklo_epi8(codes, zero), high = _mm512_unpackhi_epi8(codes, zero);
    to[0] = _mm512_unpacklo_epi16(low, zero);
    to[1] = _mm512_unpackhi_epi16(low, zero);
    to[2] = _mm512_unpacklo_epi16(high, zero);
    to[3] = _mm512_unpackhi_epi16(high, zero);
  } else if constexpr (kVectors == 2) {
    const __m512i words = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), p));
    to[0] = _mm512_unpacklo_epi16(words, zero);
    to[1] = _mm512_unpackhi_epi16(words, zero);
  } else {
    to[0] = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(static_cast<__mmask16>(mask), p));
  }
}

/// The codes of one pixel's residual; of the channels in `mask` alone.
struct ResidualCodes {
  const uint8_t* b;
  __mmask64 mask;
};

/// The sums of one pixel with a residual that joins them before they are rounded, the zero point
/// included.
template <int kVectors>
[[gnu::always_inline]] inline void round_joined(const __m512i (&sums)[kVectors],
                                                const PanelConstants& constants, const ResidualCodes& codes,
                                                const EpilogueU8& e, bool wide, __m512i (&q)[kVectors]) {
  const __m512 ratio = _mm512_set1_ps(e.b_ratio), offset = _mm512_set1_ps(e.offset);
  __m512i residual[kVectors];
  load_slots(codes.b, codes.mask, residual);
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const __m512 right = _mm512_fmadd_ps(_mm512_cvtepi32_ps(residual[j]), ratio, offset);
    q[j] = round_steps(
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[j]), _mm512_load_ps(constants.multiplier + 16 * j), right),
        wide);
  }
}

[[gnu::always_inline]] inline __mmask64 first_bytes(size_t n) {
  return n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1;
}

/// The first n of 32 bytes. A masked store holds up whoever reads what lies behind the n bytes, as the
/// residual of the next pixel may.
[[gnu::always_inline]] inline void store_first(uint8_t* y, size_t n, __m256i codes) {
  if (n >= 32) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), codes);
  if (n % 8 != 0) return _mm256_mask_storeu_epi8(y, static_cast<__mmask32>(first_bytes(n)), codes);
  __m128i part = _mm256_castsi256_si128(codes);
  if (n >= 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y), part);
    part = _mm256_extracti128_si256(codes, 1);
  }
  if (n % 16 != 0) _mm_storel_epi64(reinterpret_cast<__m128i*>(y + n / 16 * 16), part);
}

/// The first n of 64 bytes.
[[gnu::always_inline]] inline void store_first(uint8_t* y, size_t n, __m512i codes) {
  if (n >= 64) return _mm512_storeu_si512(y, codes);
  store_first(y, n, _mm512_castsi512_si256(codes));
  if (n > 32) store_first(y + 32, n - 32, _mm512_extracti64x4_epi64(codes, 1));
}

/// Rows without a gap on either side are one row.
inline TableU8 as_one_row(TableU8 call) {
  if (call.x_stride != call.n || call.y_stride != call.n) return call;
  call.n *= call.rows;
  call.rows = 1;
  return call;
}

/// With byte permutes, where the CPU has them.
[[gnu::target("avx512vbmi"), gnu::noinline]] inline void look_up_vbmi(const TableU8& call) {
  const __m512i t0 = _mm512_loadu_si512(call.table), t1 = _mm512_loadu_si512(call.table + 64),
                t2 = _mm512_loadu_si512(call.table + 128), t3 = _mm512_loadu_si512(call.table + 192);
  for (size_t r = 0; r < call.rows; ++r) {
    const uint8_t* x = call.x + r * call.x_stride;
    uint8_t* y = call.y + r * call.y_stride;
    for (size_t i = 0; i < call.n; i += 64) {
      const __mmask64 mask = first_bytes(call.n - i);
      const __m512i code = _mm512_maskz_loadu_epi8(mask, x + i);
      const __m512i low = _mm512_permutex2var_epi8(t0, code, t1),
                    high = _mm512_permutex2var_epi8(t2, code, t3);
      _mm512_mask_storeu_epi8(y + i, mask, _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high));
    }
  }
}

inline void look_up(const TableU8& call) noexcept {
  static const bool has_vbmi = __builtin_cpu_supports("avx512vbmi");
  if (has_vbmi) return look_up_vbmi(as_one_row(call));
  for (size_t r = 0; r < call.rows; ++r)
    for (size_t i = 0; i < call.n; ++i)
      // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): x is set where there are rows
      call.y[r * call.y_stride + i] = call.table[call.x[r * call.x_stride + i]];
}

}  // namespace

}  // namespace quantize
