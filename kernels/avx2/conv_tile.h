// The common part of the convolutions on 256-bit registers: how their weights stand, and the way from a
// part's sums to its results. Read simd/conv.h first.
#pragma once

#include "kernels/avx2/requantize.h"
#include "kernels/avx2/vector.h"
#include "kernels/kernel_table.h"
#include "kernels/simd/conv.h"
#include "kernels/simd/table.h"

namespace quantize {

namespace {

/// A panel is four parts of sixteen channels, which share the widened pixels.
constexpr size_t kParts = 4;

struct alignas(64) ConvHeader {
  size_t channels, taps, groups;  // groups: dwords of a tap's run
  size_t part_bytes;
  PanelFlags flags;
  bool words;  // some part multiplies words
};

/// A part's constants; the weights follow, as bytes if `bytes`, else as words.
struct alignas(64) ConvPart {
  PanelConstants constants;
  bool bytes;
};

inline size_t part_count(size_t channels) {
  return (channels + kPanel - 1) / kPanel;
}

/// Weight k of tap t of a channel; 0 behind the run.
inline int8_t weight_at(const ConvWeightsU8S8& w, size_t c, size_t t, size_t k) {
  return k < w.depth ? w.weights[(c * w.taps + t) * w.depth + k] : int8_t{0};
}

inline size_t channels_from(const ConvWeightsU8S8& w, size_t first) {
  const size_t left = w.out_channels - first;
  return left < kPanel ? left : kPanel;
}

/// Product::bytes_are_exact says whether `count` channels from `first` may multiply bytes.
template <typename Product>
ConvHeader header_of(const ConvWeightsU8S8& w) {
  ConvHeader h{w.out_channels, w.taps, (w.depth + 3) / 4, 0, {false, false}, false};
  for (size_t first = 0; first < w.out_channels; first += kPanel)
    h.words = h.words || !Product::bytes_are_exact(w, first, channels_from(w, first));
  // Words take twice as much; if one part needs it, all have it, so that they stand at equal distances.
  h.part_bytes = sizeof(ConvPart) + h.taps * h.groups * kPanel * 4 * (h.words ? 2 : 1);
  const size_t terms = w.taps * w.depth;
  for (size_t c = 0; c < w.out_channels; ++c)
    h.flags.wide = h.flags.wide ||
                   !is_narrow(w.weights + c * terms, terms, w.requantize.bias[c], w.requantize.multiplier[c]);
  return h;
}

template <typename Product>
size_t conv_bytes(const ConvWeightsU8S8& w) noexcept {
  return sizeof(ConvHeader) + part_count(w.out_channels) * header_of<Product>(w).part_bytes;
}

/// Bytes: [tap][group][slot][4 of k]. Words: [tap][group][2 pairs][slot][2 of k].
inline void pack_part(const ConvWeightsU8S8& w, const ConvHeader& h, size_t first, size_t count,
                      ConvPart& part) {
  auto* bytes = reinterpret_cast<int8_t*>(&part + 1);
  auto* words = reinterpret_cast<int16_t*>(&part + 1);
  __builtin_memset(bytes, 0, h.part_bytes - sizeof(ConvPart));
  for (size_t c = 0; c < count; ++c)
    for (size_t t = 0; t < w.taps; ++t) {
      const int8_t* from = w.weights + ((first + c) * w.taps + t) * w.depth;
      const size_t group = t * h.groups * kPanel * 4, slot = slot_of<kPanel>(c);
      if (part.bytes)
        simd::pack_run(from, w.depth, bytes + group + slot * 4, kPanel * 4);
      else
        for (size_t k = 0; k < w.depth; ++k) words[group + (k / 2 * kPanel + slot) * 2 + k % 2] = from[k];
    }
}

template <typename Product>
void conv_pack(const ConvWeightsU8S8& w, void* packed) noexcept {
  auto& header = *static_cast<ConvHeader*>(packed);
  header = header_of<Product>(w);
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t first = 0; first < w.out_channels; first += kPanel, at += header.part_bytes) {
    const size_t count = channels_from(w, first);
    auto& part = *reinterpret_cast<ConvPart*>(at);
    pack_constants(w.requantize, first, count, part.constants, header.flags);
    part.bytes = Product::bytes_are_exact(w, first, count);
    pack_part(w, header, first, count, part);
  }
}

using Tile = simd::ConvTile<ConvHeader, ConvPart>;

/// Sixteen channels of a panel, or what there is of them.
struct Part {
  const ConvPart* constants;
  size_t first, channels;
};
[[gnu::always_inline]] inline Part part_of(const Tile& tile, size_t i) {
  const size_t first = i * kPanel, left = tile.channels - first;
  const auto* at = reinterpret_cast<const uint8_t*>(tile.constants) + i * tile.header->part_bytes;
  return {reinterpret_cast<const ConvPart*>(at), first, left < kPanel ? left : kPanel};
}

[[gnu::always_inline]] inline __m256i broadcast_dword(const void* p) {
  int dword;
  __builtin_memcpy(&dword, p, sizeof dword);
  return _mm256_set1_epi32(dword);
}

/// Loops over a tile's pixels are unrolled, six at most: else GCC keeps the sums in memory.
template <int kPixels>
[[gnu::always_inline]] inline void start_sums(const Part& part, PixelSums (&sums)[kPixels]) {
#pragma GCC unroll 6
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < 2; ++j) sums[m].v[j] = load_256(part.constants->constants.bias + 8 * j);
}

template <int kPixels>
[[gnu::noinline]] void store_real_pixels(const Tile& tile, const Part& part,
                                         const PixelSums (&sums)[kPixels]) {
  for (int m = 0; m < kPixels; ++m)
    store_reals(tile.real + static_cast<size_t>(m) * tile.call->y_pixel_stride + part.first, part.channels,
                sums[m], part.constants->constants);
}

/// The work behind the sums: only requantization, a residual that joins them, the usual residual as second or
/// first operand, or all there is.
enum class Mode { kPlain, kJoin, kAdd, kAddToResidual, kFull };

/// The codes of pixels m and m + 1 of a part, or twice those of m if it is the last.
template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline __m256i codes_of(const Tile& tile, const Part& part, int m,
                                               const PixelSums (&sums)[kPixels]) {
  const PanelConstants& constants = part.constants->constants;
  const PanelFlags& flags = tile.header->flags;
  const EpilogueU8& e = tile.call->epilogue;
  const int next = m + 1 < kPixels ? m + 1 : m;
  const auto residual = [&](int pixel) __attribute__((always_inline)) {
    return load_bytes(tile.b + static_cast<size_t>(pixel) * e.b_pixel_stride + part.first, part.channels);
  };
  if constexpr (kMode == Mode::kAdd || kMode == Mode::kAddToResidual) {
    constexpr bool kFirst = kMode == Mode::kAddToResidual;
    return packed_pixels(summed_words<kFirst>(sums[m], residual(m), constants, e),
                         summed_words<kFirst>(sums[next], residual(next), constants, e));
  }
  constexpr bool kFull = kMode == Mode::kFull;
  const bool adds = kFull && tile.b != nullptr, joins = kMode == Mode::kJoin || (adds && e.b_joins);
  const auto joined = [&](int pixel) __attribute__((always_inline)) {
    return joined_words(sums[pixel].v, 0, _mm256_cvtepu8_epi16(residual(pixel)), kFull, constants, e);
  };
  __m256i codes = joins ? packed_pixels(joined(m), joined(next))
                        : requantized(sums[m], sums[next], constants, kFull && flags.wide);
  if (kFull && flags.clamps) codes = clamped(codes, constants);
  if (adds && !joins) codes = added(codes, _mm256_set_m128i(residual(next), residual(m)), e);
  return codes;
}

/// From the sums of a part to its results.
template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline void finish(const Tile& tile, const Part& part,
                                          const PixelSums (&sums)[kPixels]) {
  if (kMode == Mode::kFull && tile.real != nullptr) {
    PixelSums copies[kPixels];  // only their address is taken, so the sums themselves stay in registers
#pragma GCC unroll 6
    for (int m = 0; m < kPixels; ++m) copies[m] = sums[m];
    return store_real_pixels(tile, part, copies);
  }
  const size_t stride = tile.call->y_pixel_stride;
#pragma GCC unroll 3
  for (int m = 0; m < kPixels; m += 2) {
    const size_t second = m + 1 < kPixels ? part.channels : 0;
    uint8_t* y = tile.y + static_cast<size_t>(m) * stride + part.first;
    store_halves(y, stride, part.channels, second, codes_of<kMode>(tile, part, m, sums));
  }
}

/// The parts of a level that simd::conv uses. Product says how it multiplies: kPixels, which a tile has at
/// most; run_tile of a mode and a number of pixels; bytes_are_exact, see header_of().
template <typename Product>
struct ConvLevel {
  static constexpr size_t kChannels = kParts * kPanel;
  using Header = ConvHeader;
  using Panel = ConvPart;
  using Mode = quantize::Mode;
  static Mode mode_of(const ConvU8S8& call, const ConvHeader& h) {
    const EpilogueU8& e = call.epilogue;
    if (h.flags.clamps || h.flags.wide || call.real != nullptr) return Mode::kFull;
    if (e.b == nullptr) return Mode::kPlain;
    if (is_wide(e)) return Mode::kFull;
    if (e.b_joins) return Mode::kJoin;
    return e.b_first ? Mode::kAddToResidual : Mode::kAdd;
  }
  static size_t bytes_before(const ConvHeader& h, size_t panels) { return panels * kParts * h.part_bytes; }
  static size_t most_pixels(size_t) { return Product::kPixels; }
  static void run(const Tile& tile, size_t pixels, Mode mode) {
    static constexpr void (*kFunctions[])(const Tile&, size_t) = {
        run_pixels<Mode::kPlain>, run_pixels<Mode::kJoin>, run_pixels<Mode::kAdd>,
        run_pixels<Mode::kAddToResidual>, run_pixels<Mode::kFull>};
    kFunctions[static_cast<size_t>(mode)](tile, pixels);
  }

 private:
  template <Mode kMode, int kPixels = Product::kPixels>
  static void run_pixels(const Tile& tile, size_t pixels) {
    if constexpr (kPixels > 1)
      if (pixels < kPixels) return run_pixels<kMode, kPixels - 1>(tile, pixels);
    Product::template run_tile<kMode, kPixels>(tile);
  }
};

template <typename Product>
void conv(const ConvU8S8& call) noexcept {
  simd::conv<ConvLevel<Product>>(call, simd::table_u8<U8x32>);
}

template <typename Product>
void plug_conv(KernelTable& table) {
  table.conv_u8s8_panel = ConvLevel<Product>::kChannels;
  table.conv_u8s8_bytes = conv_bytes<Product>;
  table.conv_u8s8_pack = conv_pack<Product>;
  table.conv_u8s8 = conv<Product>;
}

}  // namespace

}  // namespace quantize
