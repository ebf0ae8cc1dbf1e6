// Random layers for the integer kernels, kind to nobody: extreme weights, ties, sums above 2^24, codes at the
// ends.
#pragma once

#include "tests/kernels/kernel_test.h"

namespace quantize::test {

/// How the constants of a layer are drawn.
enum class Flavour {
  kPlain,    // results spread over the codes
  kTies,     // multipliers are powers of two: many products end in .5
  kExtreme,  // inputs 255, weights +-127 and -128, sums above 2^24
  kWide,     // products leave the range of s32
  kClamped,  // low and high per channel
};
constexpr Flavour kFlavours[] = {Flavour::kPlain, Flavour::kTies, Flavour::kExtreme, Flavour::kWide,
                                 Flavour::kClamped};

class Random {
 public:
  explicit Random(uint32_t seed) : generator_(seed) {}
  size_t below(size_t n) { return generator_() % n; }
  int32_t between(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(generator_() %
                                      (static_cast<uint32_t>(high) - static_cast<uint32_t>(low) + 1));
  }
  std::vector<uint8_t> codes(size_t n, Flavour flavour) {
    std::vector<uint8_t> result(n);
    for (uint8_t& x : result)
      x = static_cast<uint8_t>(flavour == Flavour::kExtreme && below(4) != 0 ? 255 : below(256));
    return result;
  }
  std::vector<int8_t> weights(size_t n, Flavour flavour) {
    constexpr int8_t kEnds[] = {127, -127, -128};
    std::vector<int8_t> result(n);
    for (int8_t& w : result)
      w = flavour == Flavour::kExtreme ? kEnds[below(3)] : static_cast<int8_t>(between(-128, 127));
    return result;
  }

 private:
  std::mt19937 generator_;
};

/// The constants of every output channel.
struct LayerConstants {
  LayerConstants(Random& random, size_t channels, size_t terms, Flavour flavour) {
    constexpr int32_t kZeroPoints[] = {0, 1, 127, 128, 255, 33};
    for (size_t c = 0; c < channels; ++c) {
      const bool large = flavour == Flavour::kExtreme && random.below(2) == 0;
      bias.push_back(large ? random.between(-(1 << 30), 1 << 30) : random.between(-5000, 5000));
      float m = 300.0f / (std::sqrt(static_cast<float>(terms)) * 9000.0f);
      if (flavour == Flavour::kTies) m = std::ldexp(1.0f, -1 - random.between(0, 8));
      if (flavour == Flavour::kWide) m = std::ldexp(1.5f, random.between(0, 40));
      if (large) m *= 1e-4f;
      multiplier.push_back(m);
      zero_point.push_back(kZeroPoints[random.below(6)]);
      const bool clamps = flavour == Flavour::kClamped;
      low.push_back(static_cast<uint8_t>(clamps ? random.below(128) : 0));
      high.push_back(static_cast<uint8_t>(clamps ? 128 + random.below(128) : 255));
    }
  }
  RequantizeU8 view() const {
    return {bias.data(), multiplier.data(), zero_point.data(), low.data(), high.data()};
  }

  std::vector<int32_t> bias, zero_point;
  std::vector<float> multiplier;
  std::vector<uint8_t> low, high;
};

/// Memory for packed weights.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t n)
      : data_(static_cast<uint8_t*>(std::aligned_alloc(64, (n + 63) / 64 * 64))) {}
  ~AlignedBytes() { std::free(data_); }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  void* get() { return data_; }

 private:
  uint8_t* data_;
};

/// The work behind the sums: nothing, a residual, a table, or both; or a residual that joins them, alone or
/// with a table.
constexpr int kEpilogues = 6;
struct TestEpilogue {
  TestEpilogue(Random& random, size_t y_size, int kind)
      : adds((kind & 1) != 0 || kind >= 4), looks_up((kind & 2) != 0 || kind == 5), joins(kind >= 4) {
    b = random.codes(y_size, Flavour::kPlain);
    for (int i = 0; i < 256; ++i) table.push_back(static_cast<uint8_t>(random.below(256)));
    ties = random.below(2) == 0;
    b_first = random.below(2) == 0;
  }
  EpilogueU8 view(const uint8_t* residual, size_t pixel_stride, size_t row_stride) const {
    EpilogueU8 e;
    if (adds) {
      e.b = residual;
      e.b_pixel_stride = pixel_stride;
      e.b_row_stride = row_stride;
      e.a_ratio = ties ? 0.5f : 0.61f;
      e.b_ratio = ties ? 0.25f : 0.77f;
      e.offset = ties ? 3.0f : -17.3f;
      e.b_first = b_first;
      e.b_joins = joins;
    }
    if (looks_up) e.table = table.data();
    return e;
  }
  bool adds, looks_up, joins, ties, b_first;
  std::vector<uint8_t> b, table;
};

}  // namespace quantize::test
